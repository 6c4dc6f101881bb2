package wire

import (
	"bytes"
	"encoding/hex"

	"golang.org/x/sys/unix"
)

// Marker identifies one measured payload inside whatever envelope a server
// puts around it: who sent it, its place in that sender's sequence (from 1),
// and when, on CLOCK_MONOTONIC, which all processes of a machine share.
type Marker struct {
	Sender uint16
	Seq    uint32
	Sent   int64 // ns
}

// MarkerSize is the least size of a marked payload in bytes.
const MarkerSize = len(markerTag) + 2*(2+4+8)

const (
	markerTag = "@T"
	filler    = "the quick brown fox jumps over 13 lazy dogs and 7 bold cats; "
)

// Append appends the marker, filled up with plain ASCII to size bytes. The text
// needs no escaping inside a JSON string.
func (m Marker) Append(dst []byte, size int) []byte {
	start := len(dst)
	var raw [14]byte
	raw[0], raw[1] = byte(m.Sender>>8), byte(m.Sender)
	for i := range 4 {
		raw[2+i] = byte(m.Seq >> (24 - 8*i))
	}
	for i := range 8 {
		raw[6+i] = byte(m.Sent >> (56 - 8*i))
	}
	dst = append(dst, markerTag...)
	dst = hex.AppendEncode(dst, raw[:])
	for len(dst)-start < size {
		dst = append(dst, filler[:min(len(filler), size-(len(dst)-start))]...)
	}
	return dst
}

// EachMarker calls f for every marker in b, in order: several messages may share a frame.
func EachMarker(b []byte, f func(Marker)) {
	for {
		i := bytes.Index(b, []byte(markerTag))
		if i < 0 || len(b)-i < MarkerSize {
			return
		}
		if m, ok := parseMarker(b[i+len(markerTag) : i+MarkerSize]); ok {
			f(m)
			b = b[i+MarkerSize:]
		} else {
			b = b[i+len(markerTag):]
		}
	}
}

func parseMarker(b []byte) (m Marker, ok bool) {
	var raw [14]byte
	if _, err := hex.Decode(raw[:], b); err != nil {
		return m, false
	}
	m.Sender = uint16(raw[0])<<8 | uint16(raw[1])
	for _, c := range raw[2:6] {
		m.Seq = m.Seq<<8 | uint32(c)
	}
	for _, c := range raw[6:] {
		m.Sent = m.Sent<<8 | int64(c)
	}
	return m, true
}

// Now reads CLOCK_MONOTONIC in nanoseconds.
func Now() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail with this clock
	return t.Nano()
}
