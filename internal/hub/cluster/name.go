package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// Key stands for a room in places where its name, which may be any text of 512
// bytes, is too long or not allowed: it is the beginning of the name's SHA-256.
// Whoever gets a message by key compares the name in it.
type Key [16]byte

// KeyOf returns the key of a room.
func KeyOf(room string) Key {
	sum := sha256.Sum256([]byte(room))
	return Key(sum[:16])
}

// subject is the subject that a room's messages travel on.
func (k Key) subject() string { return "r." + hex.EncodeToString(k[:]) }

// Subjects of nodes: one that all of them hear, one for each run of a hub.
const everyone = "all"

func nodeSubject(boot uint64) string { return "n." + strconv.FormatUint(boot, 36) }

// owner returns which of the nodes is responsible for a key: the one with the
// highest hash of node and key (rendezvous hashing), so that a node that comes
// or goes moves only the keys that become or were its own. 0 where there are no
// nodes.
func owner(k Key, boots []uint64) uint64 {
	var best, bestScore uint64
	base := binary.BigEndian.Uint64(k[:8])
	for _, boot := range boots {
		score := mix(base ^ mix(boot))
		if best == 0 || score > bestScore || score == bestScore && boot > best {
			best, bestScore = boot, score
		}
	}
	return best
}

// mix is the finalizer of splitmix64: every bit of x changes half of the
// result's (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
