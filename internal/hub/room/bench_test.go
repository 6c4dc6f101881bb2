package room

import (
	"fmt"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

type nobody struct{}

func (nobody) ID() string { return "nobody" }

func benchRoom(b *testing.B, members int) (*Registry, *Room) {
	b.Helper()
	g := NewRegistry(NewFanOut(time.Now, nil), "epoch", func(string) Rule { return Rule{} }, Limits{})
	r, err := g.Create(Spec{ID: "r", Explicit: true})
	if err != nil {
		b.Fatal(err)
	}
	for range members {
		if _, _, err := g.Join(&Member{Conn: new(conn.Conn), Owner: nobody{}}, "r", "", nil); err != nil {
			b.Fatal(err)
		}
	}
	return g, r
}

// BenchmarkJoinLeave has one member come and go: the cost must not depend on
// the size of the room. Amid a fan-out each time copies what the snapshot
// holds, the worst that can be.
func BenchmarkJoinLeave(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			g, _ := benchRoom(b, size)
			b.ReportAllocs()
			for b.Loop() {
				m := &Member{Conn: new(conn.Conn), Owner: nobody{}}
				if _, _, err := g.Join(m, "r", "", nil); err != nil {
					b.Fatal(err)
				}
				g.Leave(m)
			}
		})
		b.Run(fmt.Sprint(size, "-amid-fanout"), func(b *testing.B) {
			g, r := benchRoom(b, size)
			b.ReportAllocs()
			for b.Loop() {
				r.members.snapshot()
				m := &Member{Conn: new(conn.Conn), Owner: nobody{}}
				if _, _, err := g.Join(m, "r", "", nil); err != nil {
					b.Fatal(err)
				}
				g.Leave(m)
				r.members.thaw()
			}
		})
	}
}

// batchOf returns n messages of 128 bytes, from senders in turn.
func batchOf(n int, senders []*Member) []*Message {
	batch := make([]*Message, n)
	for i := range batch {
		batch[i] = &Message{Frame: wire.Frame(wire.Text, make([]byte, 128)), Op: wire.Text, seq: uint64(i + 1)}
		if len(senders) > 0 {
			batch[i].Sender = senders[i%len(senders)].Conn
		}
	}
	return batch
}
