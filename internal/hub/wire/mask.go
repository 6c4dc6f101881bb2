package wire

import "encoding/binary"

// unmask applies the masking key to b in place (RFC 6455, section 5.3), where
// b begins pos bytes into the payload, and returns the position after it.
func unmask(b []byte, key [4]byte, pos int) int {
	end := (pos + len(b)) & 3
	k := binary.LittleEndian.Uint32(key[:])
	if r := pos & 3; r != 0 {
		k = k>>(8*r) | k<<(32-8*r)
	}
	k64 := uint64(k)<<32 | uint64(k)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k64)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k >> (8 * (i & 3)))
	}
	return end
}
