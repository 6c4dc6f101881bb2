package redis

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Subjects are spread over this many partitions, each with a hash tag of its
// own: a Redis Cluster wants everything that one script touches, and all
// channels of one SSUBSCRIBE, in one slot. It is part of the format: hubs that
// disagree about it do not hear each other.
const partitions = 128

// The number of a Redis Cluster's hash slots.
const slots = 16384

// hashOf spreads subjects. It is part of the format, as partitions is.
func hashOf(subject string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(subject)) // never fails
	return h.Sum32()
}

func partitionOf(subject string) int { return int(hashOf(subject) % partitions) }

// names makes the names of channels and keys. All of a partition begin with its
// tag, "{prefix:17}:", in a Redis Cluster and without one.
type names struct {
	tags  [partitions]string
	slots [partitions]int
}

// newNames returns the names below a prefix. Publishing knows no databases, so
// the number of one is a part of its names.
func newNames(prefix string, db int) *names {
	if db != 0 {
		prefix += "/" + strconv.Itoa(db)
	}
	var n names
	for p := range partitions {
		tag := prefix + ":" + strconv.Itoa(p)
		n.tags[p] = "{" + tag + "}:"
		n.slots[p] = int(crc16(tag)) % slots
	}
	return &n
}

func (n *names) channel(subject string) string { return n.tags[partitionOf(subject)] + subject }

// subject is the inverse of channel.
func (n *names) subject(channel string) string {
	return channel[strings.IndexByte(channel, '}')+2:]
}

// The keys of a subject's log: its counter with the epoch, its entries, and
// what each id of the last minutes has become.
func (n *names) counterKey(subject string) string {
	return n.tags[partitionOf(subject)] + "c:" + subject
}

func (n *names) streamKey(subject string) string {
	return n.tags[partitionOf(subject)] + "s:" + subject
}

func (n *names) idKey(subject, id string) string {
	return n.tags[partitionOf(subject)] + "i:" + subject + ":" + id
}

func (n *names) leaseKey(node string) string {
	return n.tags[partitionOf(node)] + "n:" + node
}

// inSlot returns the partitions of a slot.
func (n *names) inSlot(slot int) []int {
	var in []int
	for p, s := range n.slots {
		if s == slot {
			in = append(in, p)
		}
	}
	return in
}

// crc16 is CRC-16/XMODEM, by which a Redis Cluster finds the slot of a hash tag
// (Redis Cluster Specification, "Hash tags").
func crc16(s string) uint16 {
	var crc uint16
	for _, c := range []byte(s) {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
