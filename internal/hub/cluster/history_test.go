package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func follow(w *world, x *testNode, room string) {
	w.t.Helper()
	w.hold(x, room)
	if err := x.Follow(w.t.Context(), room, bus.Tail{}); err != nil {
		w.t.Fatalf("follow %q on %s: %v", room, x.name, err)
	}
}

func add(w *world, x *testNode, room, text string) bus.Place {
	w.t.Helper()
	p, err := x.Append(w.t.Context(), room, text, []byte(text), w.keep)
	if err != nil {
		w.t.Fatalf("append %q on %s: %v", text, x.name, err)
	}
	return p
}

func TestHistoryOneOrder(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		follow(w, a, "r")
		follow(w, b, "r")
		var wg sync.WaitGroup
		for _, x := range w.nodes {
			wg.Go(func() {
				for i := range 100 {
					add(w, x, "r", fmt.Sprint(x.name, " ", i))
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if got := a.historyOf("r"); len(got) != 300 || !slices.Equal(got, b.historyOf("r")) {
			t.Errorf("%d entries on one node, %d on the other, or another order", len(got), len(b.historyOf("r")))
		}
		var prev uint64
		for _, p := range a.places["r"] {
			if p.Prev != prev {
				t.Fatalf("%+v comes behind offset %d", p, prev)
			}
			prev = p.Offset
		}
		late := w.nodes[2]
		follow(w, late, "r")
		if got := late.historyOf("r"); !slices.Equal(got, a.historyOf("r")[290:]) {
			t.Errorf("a node that comes later has %q", got)
		}
	})
}

func TestHistoryRepeated(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		follow(w, w.nodes[0], "r")
		first := add(w, w.nodes[0], "r", "same")
		if again := add(w, w.nodes[1], "r", "same"); again != first {
			t.Errorf("the same id: %+v and %+v", first, again)
		}
		synctest.Wait()
		if got := w.nodes[0].historyOf("r"); len(got) != 1 {
			t.Errorf("heard %q", got)
		}
	})
}

func TestHistoryRepair(t *testing.T) {
	for _, last := range []bool{false, true} {
		t.Run(fmt.Sprint("last=", last), func(t *testing.T) {
			inWorld(t, 2, func(t *testing.T, w *world) {
				a, b := w.nodes[0], w.nodes[1]
				follow(w, a, "r")
				follow(w, b, "r")
				add(w, a, "r", "1")
				synctest.Wait()
				w.broker.Drop(func(node string, m bus.Message) bool { return m.Subject[0] == 'r' })
				add(w, a, "r", "2")
				add(w, a, "r", "3")
				synctest.Wait()
				w.broker.Drop(nil)
				if !last {
					add(w, a, "r", "4")
					synctest.Wait()
				} else {
					w.pass(6 * time.Second)
				}
				for _, x := range w.nodes {
					if got := x.historyOf("r"); len(got) < 3 || !slices.Equal(got[:3], []string{"1", "2", "3"}) {
						t.Errorf("%s: %q", x.name, got)
					}
					if gaps := x.gapsIn("r"); len(gaps) > 0 {
						t.Errorf("%s: gaps %v", x.name, gaps)
					}
				}
			})
		})
	}
}

func TestHistoryOwnerLeaves(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		rooms := []string{"a", "b", "c", "d", "e", "f"}
		before := make(map[string]bus.Place)
		stays := w.nodes[2]
		for _, room := range rooms {
			follow(w, stays, room)
			before[room] = add(w, stays, room, room+"1")
		}
		w.nodes[0].Leave()
		synctest.Wait()
		w.stop(w.nodes[0])
		for _, room := range rooms {
			if p := add(w, stays, room, room+"2"); p.Epoch != before[room].Epoch || p.Prev != before[room].Offset {
				// A log that was not asked for before its owner was gone.
				t.Logf("%s: %+v then %+v", room, before[room], p)
			}
		}
		w.pass(6 * time.Second)
		for _, room := range rooms {
			got := stays.historyOf(room)
			if len(got) == 0 || got[len(got)-1] != room+"2" {
				t.Errorf("%s: %q", room, got)
			}
		}
	})
}

func TestHistoryOwnerDies(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		rooms := strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "")
		epochs := make(map[string]string)
		stays := w.nodes[2]
		for _, room := range rooms {
			follow(w, stays, room)
			epochs[room] = add(w, stays, room, room+"1").Epoch
		}
		w.kill(w.nodes[0])
		w.kill(w.nodes[1])
		w.pass(8 * time.Second)
		gone := 0
		for _, room := range rooms {
			if add(w, stays, room, room+"2").Epoch != epochs[room] {
				gone++
			}
			synctest.Wait()
			if got := stays.historyOf(room); got[len(got)-1] != room+"2" {
				t.Errorf("%s: %q", room, got)
			}
		}
		if gone == 0 || gone == len(rooms) {
			t.Errorf("%d of %d rooms have another epoch", gone, len(rooms))
		}
	})
}

func TestHistoryRefuses(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		follow(w, w.nodes[0], "r")
		w.broker.Pause()
		w.pass(3 * time.Second)
		_, err := w.nodes[0].Append(t.Context(), "r", "1", []byte("1"), w.keep)
		if !errors.Is(err, bus.ErrRefused) {
			t.Errorf("append while the bus is away: %v", err)
		}
		w.broker.Resume()
		w.pass(8 * time.Second)
		add(w, w.nodes[1], "r", "2")
		synctest.Wait()
		if got := w.nodes[0].historyOf("r"); !slices.Equal(got, []string{"2"}) {
			t.Errorf("heard %q", got)
		}
	})
}

// A room that takes no more does not hold up the bus: it gets its entries from the
// log, in order.
func TestHistoryOfFullRoom(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		rooms := []string{"r0", "r1", "r2", "r3"}
		for _, room := range rooms {
			follow(w, b, room)
		}
		n := 0
		b.host.full = func(string) bool { n++; return n%3 > 0 }
		for i := range 9 {
			for _, room := range rooms {
				add(w, a, room, fmt.Sprint(i))
			}
		}
		synctest.Wait()
		for _, room := range rooms {
			if got := b.historyOf(room); !slices.Equal(got, strings.Split("012345678", "")) {
				t.Errorf("%s: %q", room, got)
			}
			if gaps := b.gapsIn(room); len(gaps) > 0 {
				t.Errorf("%s: gaps %v", room, gaps)
			}
		}
		if n == 0 {
			t.Error("nothing was refused")
		}
	})
}
