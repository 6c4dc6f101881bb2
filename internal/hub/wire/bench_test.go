package wire_test

import (
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

func accept(key []byte) string {
	sum := sha1.Sum(append(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...)) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}

type counter struct{ messages int }

func (c *counter) Frame(wire.Opcode) error           { return nil }
func (c *counter) Control(wire.Opcode, []byte) error { return nil }
func (c *counter) Message(wire.Opcode, []byte) bool  { c.messages++; return true }

// TestAllocations: a small message costs one allocation, its payload; a
// control frame none; a frame to send one.
func TestAllocations(t *testing.T) {
	p := wire.NewParser(plain())
	for _, tc := range []struct {
		name   string
		stream []byte
		want   float64
	}{
		{"text", masked(fin|1, []byte("a small message")), 1},
		{"ping", masked(fin|9, []byte("ping")), 0},
		{"two messages", join(masked(fin|1, []byte("a")), masked(fin|2, []byte("b"))), 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			buf, sink := make([]byte, len(tc.stream)), new(counter)
			got := testing.AllocsPerRun(200, func() {
				copy(buf, tc.stream)
				if _, err := p.Feed(buf, false, sink); err != nil {
					t.Fatal(err)
				}
			})
			if got != tc.want {
				t.Errorf("%v allocations, want %v", got, tc.want)
			}
		})
	}
	t.Run("frame", func(t *testing.T) {
		payload := []byte("a small message")
		frames := make([][]byte, 0, 256)
		if got := testing.AllocsPerRun(200, func() { frames = append(frames, wire.Frame(wire.Text, payload)) }); got != 1 {
			t.Errorf("%v allocations, want 1", got)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{16, 128, 4096, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			stream := masked(fin|1, make([]byte, size))
			buf, sink := make([]byte, len(stream)), new(counter)
			p := wire.NewParser(plain())
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, stream)
				if _, err := p.Feed(buf, false, sink); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	text := make([]byte, 1024)
	for i := range text {
		text[i] = `{"message_type":"chat"}`[i%23]
	}
	stream := masked(fin|rsv1|1, deflated(b, 1, text))
	buf, sink := make([]byte, len(stream)), new(counter)
	p := wire.NewParser(plain())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, stream)
		if _, err := p.Feed(buf, true, sink); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeflate(b *testing.B) {
	text := make([]byte, 1024)
	for i := range text {
		text[i] = `{"message_type":"chat"}`[i%23]
	}
	d := new(wire.Deflater)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if d.Frame(wire.Text, text) == nil {
			b.Fatal("not compressed")
		}
	}
}
