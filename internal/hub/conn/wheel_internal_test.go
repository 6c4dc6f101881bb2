package conn

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestWheel holds the wheel against a map of what is due when: nobody comes
// late, nobody comes early but by the wheel's reach, nobody twice.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Uint32Range(1, 5000).Draw(t, "start")
		w := &wheel{last: now}
		conns := make([]*Conn, 12)
		for i := range conns {
			conns[i] = new(Conn)
		}
		model := map[*Conn]uint32{} // the tick by which it must come
		pick := rapid.SampledFrom(conns)
		t.Repeat(map[string]func(*rapid.T){
			"schedule": func(t *rapid.T) {
				c := pick.Draw(t, "conn")
				at := now + rapid.Uint32Range(0, 3*wheelSlots).Draw(t, "after")
				if rapid.IntRange(0, 9).Draw(t, "never") == 0 {
					at = never
				}
				w.schedule(c, at)
				model[c] = min(max(at, now+1), now+wheelSlots-1)
			},
			"remove": func(t *rapid.T) {
				c := pick.Draw(t, "conn")
				w.remove(c)
				delete(model, c)
			},
			"advance": func(t *rapid.T) {
				now += rapid.OneOf(rapid.Uint32Range(0, 5), rapid.Uint32Range(0, 3*wheelSlots)).Draw(t, "ticks")
				for _, c := range w.advance(now, nil) {
					at, ok := model[c]
					if !ok || at > now {
						t.Fatalf("came at %d, due at %d (%v)", now, at, ok)
					}
					delete(model, c)
				}
				for _, at := range model {
					if at <= now {
						t.Fatalf("due at %d, not there at %d", at, now)
					}
				}
			},
			"": func(t *rapid.T) {
				all := w.all()
				if len(all) != len(model) || w.count != len(model) {
					t.Fatalf("%d connections, counted as %d; want %d", len(all), w.count, len(model))
				}
				for c := range model {
					if !slices.Contains(all, c) {
						t.Fatal("one is missing")
					}
				}
			},
		})
	})
}

// TestInboxKeepsItsSize: items that wait never come to an end under lasting
// load, and the slice does not grow with them.
func TestInboxKeepsItsSize(t *testing.T) {
	var in inbox
	put := func(b byte) {
		in.items = append(in.items, item{payload: []byte{b}})
		in.bytes++
	}
	for i := range 40 {
		put(byte(i))
	}
	for i := range 100_000 {
		put(byte(i + 40))
		if it := in.pop(); it.payload[0] != byte(i) {
			t.Fatalf("item %d is %d", i, it.payload[0])
		}
	}
	if in.len() != 40 || in.bytes != 40 {
		t.Errorf("%d items of %d bytes wait, want 40", in.len(), in.bytes)
	}
	if n := cap(in.items); n > 2*inboxMessages {
		t.Errorf("grew to %d", n)
	}
}
