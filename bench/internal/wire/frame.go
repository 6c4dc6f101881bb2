// Package wire is the little of RFC 6455 that the load tool and the bare
// server need: frames, the opening handshake, and the marker that a measured
// payload carries. It keeps no state and allocates only when told to append.
package wire

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455 section 5.2.
const (
	OpContinuation = 0
	OpText         = 1
	OpBinary       = 2
	OpClose        = 8
	OpPing         = 9
	OpPong         = 10
)

// MaxPayload bounds one frame's payload in bytes; a longer one is an error.
const MaxPayload = 16 << 20

// ErrTooLong reports a frame whose payload exceeds MaxPayload.
var ErrTooLong = errors.New("wire: frame payload exceeds 16 MiB")

// Frame is one frame as it stands in the read buffer: Payload aliases it.
type Frame struct {
	Op         byte
	Fin        bool
	Compressed bool // RSV1, RFC 7692 section 6
	Payload    []byte
}

// Next takes the first frame off b. It returns the bytes the frame occupies,
// or 0 when b does not hold a whole frame yet. A masked payload is unmasked in place.
func Next(b []byte) (f Frame, size int, err error) {
	if len(b) < 2 {
		return Frame{}, 0, nil
	}
	head, length := 2, uint64(b[1]&0x7f)
	switch length {
	case 126:
		if len(b) < 4 {
			return Frame{}, 0, nil
		}
		head, length = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return Frame{}, 0, nil
		}
		head, length = 10, binary.BigEndian.Uint64(b[2:])
	}
	if length > MaxPayload {
		return Frame{}, 0, ErrTooLong
	}
	masked := b[1]&0x80 != 0
	if masked {
		head += 4
	}
	size = head + int(length)
	if len(b) < size {
		return Frame{}, 0, nil
	}
	f = Frame{Op: b[0] & 0x0f, Fin: b[0]&0x80 != 0, Compressed: b[0]&0x40 != 0, Payload: b[head:size]}
	if masked {
		mask(f.Payload, b[head-4:head])
	}
	return f, size, nil
}

// AppendServer appends an unmasked final frame.
func AppendServer(dst []byte, op byte, payload []byte) []byte {
	dst = appendHeader(dst, op, len(payload), 0)
	return append(dst, payload...)
}

// AppendClient appends a masked final frame. The key is fixed: masking guards
// proxies against hostile scripts, and there are none between two test processes.
func AppendClient(dst []byte, op byte, payload []byte) []byte {
	dst = appendHeader(dst, op, len(payload), 0x80)
	key := [4]byte{0x3d, 0x91, 0x0b, 0xe6}
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key[:])
	return dst
}

func appendHeader(dst []byte, op byte, length int, maskBit byte) []byte {
	switch {
	case length < 126:
		return append(dst, 0x80|op, maskBit|byte(length))
	case length < 1<<16:
		dst = append(dst, 0x80|op, maskBit|126)
		return binary.BigEndian.AppendUint16(dst, uint16(length))
	default:
		dst = append(dst, 0x80|op, maskBit|127)
		return binary.BigEndian.AppendUint64(dst, uint64(length))
	}
}

// mask works on eight bytes at a time: in the echo comparison the bare server's
// unmasking is part of what is measured and should be as cheap as it can be.
func mask(p, key []byte) {
	k := binary.LittleEndian.Uint32(key)
	wide := uint64(k)<<32 | uint64(k)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
}
