package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// recorder is a Sink that writes down what it is told.
type recorder struct {
	events []string
	frames int
	stop   bool // Message returns false
}

func (r *recorder) Frame(wire.Opcode) error { r.frames++; return nil }

func (r *recorder) Message(op wire.Opcode, payload []byte) bool {
	r.events = append(r.events, fmt.Sprintf("message %d %q", op, payload))
	return !r.stop
}

func (r *recorder) Control(op wire.Opcode, payload []byte) error {
	r.events = append(r.events, fmt.Sprintf("control %d %q", op, payload))
	return nil
}

// masked returns a frame as a client sends it: first is its first byte.
func masked(first byte, payload []byte) []byte {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	frame := maskedHeader(first, uint64(len(payload)), key)
	for i, b := range payload {
		frame = append(frame, b^key[i&3])
	}
	return frame
}

func maskedHeader(first byte, n uint64, key [4]byte) []byte {
	h := []byte{first}
	switch {
	case n <= 125:
		h = append(h, 0x80|byte(n))
	case n < 1<<16:
		h = binary.BigEndian.AppendUint16(append(h, 0x80|126), uint16(n))
	default:
		h = binary.BigEndian.AppendUint64(append(h, 0x80|127), n)
	}
	return append(h, key[:]...)
}

const (
	fin  = 0x80
	rsv1 = 0x40
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// parse feeds stream to a new parser in pieces that end at cuts.
func parse(t testing.TB, cfg *wire.Config, deflate bool, stream []byte, cuts ...int) (*recorder, error) {
	t.Helper()
	var rec recorder
	p := wire.NewParser(cfg)
	from := 0
	for _, to := range append(cuts, len(stream)) {
		piece := bytes.Clone(stream[from:to])
		from = to
		n, err := p.Feed(piece, deflate, &rec)
		if err != nil {
			return &rec, err
		}
		if n != len(piece) {
			t.Fatalf("Feed used %d of %d bytes without being stopped", n, len(piece))
		}
	}
	return &rec, nil
}

// everyCut parses stream whole, cut in two at every place, and byte by byte,
// and fails unless events and error are the same each time.
func everyCut(t testing.TB, cfg *wire.Config, deflate bool, stream []byte) (*recorder, error) {
	t.Helper()
	want, wantErr := parse(t, cfg, deflate, stream)
	check := func(cuts ...int) {
		t.Helper()
		got, err := parse(t, cfg, deflate, stream, cuts...)
		if fmt.Sprint(got.events) != fmt.Sprint(want.events) || !sameError(err, wantErr) {
			t.Fatalf("cut at %v: %v, %v; whole: %v, %v", cuts, got.events, err, want.events, wantErr)
		}
	}
	bytewise := make([]int, len(stream))
	for i := range stream {
		check(i)
		bytewise[i] = i
	}
	check(bytewise...)
	return want, wantErr
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// code returns the close code that err asks for, 0 for none.
func code(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var we *wire.Error
	if !errors.As(err, &we) {
		t.Fatalf("%v is not a *wire.Error", err)
	}
	return we.Code
}

func plain() *wire.Config { return &wire.Config{Inflater: new(wire.Inflater)} }

// allocated returns how many bytes f allocates, and whatever runs beside it.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
