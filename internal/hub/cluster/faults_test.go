package cluster_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/bus"
)

// Members under way elsewhere on this node do not make a room exist.
func TestTwoJoinsMakeNoRoom(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a := w.nodes[0]
		if _, err := a.Hold(t.Context(), "x"); err != nil { // the node hears it from now on
			t.Fatal(err)
		}
		a.Release("x")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if p, err := a.Hold(t.Context(), "x"); err != nil || p.Exists {
					t.Errorf("nobody has the room: %+v, %v", p, err)
				}
			})
		}
		wg.Wait()
	})
}

// A join that is given up, and a leave that is lost, free their seats all the same.
func TestNoSeatLeaks(t *testing.T) {
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			inWorld(t, 2, func(t *testing.T, w *world) {
				a, b := w.nodes[0], w.nodes[1]
				room := fmt.Sprint("room-", i)
				ctx, cancel := context.WithCancel(t.Context())
				w.broker.Drop(func(node string, m bus.Message) bool {
					if node == b.name && m.Payload[0] == 'Q' && string(m.Payload[11:16]) == "admit" {
						cancel() // the client disconnects
					}
					return false
				})
				err := a.Admit(ctx, room, 1)
				w.broker.Drop(nil)
				if err == nil {
					return // a owns it
				}
				w.pass(60 * time.Second)
				c2, cancel2 := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel2()
				if err := b.Admit(c2, room, 1); err != nil {
					t.Errorf("empty room after a minute: %v", err)
				}
			})
		})
	}
}

// Whoever joins while the bus is away is told of what it may have missed.
func TestJoinedInAnOutage(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(a, "r")
		w.broker.Stop()
		w.pass(4 * time.Second)
		w.hold(b, "r")
		for range 3 {
			say(a, "r", "lost")
		}
		w.pass(time.Second)
		w.broker.Start()
		w.pass(20 * time.Second)
		if len(b.heardIn("r")) == 0 && len(b.gapsIn("r")) == 0 {
			t.Error("silent loss")
		}
	})
}

// A node that was thought dead hears what it has missed of streams it had never heard.
func TestCutForLong(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(b, "r")
		w.hold(a, "r")
		w.pass(5 * time.Second)
		w.broker.Partition([]string{a.name}, []string{b.name})
		say(a, "r", "lost")
		w.pass(8 * time.Second)
		w.broker.Partition()
		w.pass(20 * time.Second)
		if len(b.heardIn("r")) == 0 && len(b.gapsIn("r")) == 0 {
			t.Error("silent loss")
		}
	})
}

// Of several at once one creates a room.
func TestCreateOnce(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		for i := range 5 {
			ok := 0
			var mu sync.Mutex
			var wg sync.WaitGroup
			for _, x := range w.nodes {
				wg.Go(func() {
					if err := x.Create(t.Context(), cluster.Definition{Room: fmt.Sprint("r", i)}); err == nil {
						mu.Lock()
						ok++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if ok != 1 {
				t.Errorf("%d creates succeeded", ok)
			}
		}
	})
}

// Histories that nobody has touched since an outage are handed over, too.
func TestHandOverAfterOutage(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		keep := bus.Retention{Size: 10}
		for i := range 8 {
			if _, err := a.Append(t.Context(), fmt.Sprint("r", i), fmt.Sprint("id", i), []byte("kept"), keep); err != nil {
				t.Fatal(err)
			}
		}
		w.broker.Stop()
		w.pass(5 * time.Second)
		w.broker.Start()
		w.pass(20 * time.Second)
		a.Leave()
		w.pass(10 * time.Second)
		w.stop(a)
		w.pass(10 * time.Second)
		for i := range 8 {
			r := fmt.Sprint("r", i)
			w.hold(b, r)
			if err := b.Follow(t.Context(), r, bus.Tail{}); err != nil {
				t.Error(err)
			}
			if len(b.historyOf(r)) != 1 {
				t.Errorf("%s: history %v", r, b.historyOf(r))
			}
		}
	})
}

// An answer that is lost on a hand-over is given again.
func TestHandOverAnswerLost(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		keep := bus.Retention{Size: 10}
		for i := range 8 {
			if _, err := a.Append(t.Context(), fmt.Sprint("r", i), fmt.Sprint("id", i), []byte("kept"), keep); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		w.broker.Drop(func(node string, m bus.Message) bool {
			if node == b.name && m.Payload[0] == 'A' && len(m.Payload) > 40 {
				n++
				return n == 1
			}
			return false
		})
		a.Leave()
		w.pass(10 * time.Second)
		w.stop(a)
		w.pass(10 * time.Second)
		w.broker.Drop(nil)
		for i := range 8 {
			r := fmt.Sprint("r", i)
			w.hold(b, r)
			_ = b.Follow(t.Context(), r, bus.Tail{})
			if len(b.historyOf(r)) != 1 {
				t.Errorf("%s: history %v", r, b.historyOf(r))
			}
		}
	})
}

// A room that is forgotten while its log is read harms nobody.
func TestSweepWhileReading(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		keep := bus.Retention{Size: 100}
		rooms := []string{"r0", "r1", "r2", "r3", "r4", "r5"}
		for _, r := range rooms {
			w.hold(a, r)
			_ = a.Follow(t.Context(), r, bus.Tail{})
			a.Release(r)
		}
		w.pass(9500 * time.Millisecond)
		n := map[string]int{}
		var mu sync.Mutex
		w.broker.Drop(func(node string, m bus.Message) bool {
			mu.Lock()
			defer mu.Unlock()
			if node != a.name {
				return false
			}
			if m.Subject[0] == 'r' {
				n[m.Subject]++
				return n[m.Subject] == 1
			}
			return m.Payload[0] == 'A'
		})
		for _, r := range rooms {
			for i := range 2 {
				ctx, c := context.WithTimeout(t.Context(), 100*time.Millisecond)
				_, _ = b.Append(ctx, r, fmt.Sprint(r, i), []byte("x"), keep)
				c()
			}
		}
		w.pass(5 * time.Second)
		w.broker.Drop(nil)
	})
}

// The same for one whose own connection to the bus was cut.
func TestJoinedWhileCut(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(a, "r")
		w.broker.Cut(b.name)
		w.pass(100 * time.Millisecond)
		w.hold(b, "r")
		for range 3 {
			say(a, "r", "lost")
		}
		w.pass(300 * time.Millisecond)
		w.broker.Heal(b.name)
		w.pass(20 * time.Second)
		if len(b.heardIn("r")) == 0 && len(b.gapsIn("r")) == 0 {
			t.Error("silent loss")
		}
	})
}

// Where both sides of a split have gone on with a history, the members of each
// are told that they have missed what was appended on the other.
func TestHistoryOfTwoSides(t *testing.T) {
	for _, before := range []bool{true, false} { // the members are there before the split
		t.Run(fmt.Sprint("before=", before), func(t *testing.T) {
			inWorld(t, 4, func(t *testing.T, w *world) { twoSides(t, w, before) })
		})
	}
}

func twoSides(t *testing.T, w *world, before bool) {
	rooms := []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"}
	enter := func() {
		for _, room := range rooms {
			for _, x := range w.nodes {
				follow(w, x, room)
			}
		}
	}
	if before {
		enter()
		for _, room := range rooms {
			add(w, w.nodes[0], room, "together")
		}
	}
	w.broker.Partition([]string{w.nodes[0].name, w.nodes[1].name}, []string{w.nodes[2].name, w.nodes[3].name})
	w.pass(12 * time.Second)
	if !before {
		enter()
	}
	sides := [][]*testNode{w.nodes[:2], w.nodes[2:]}
	apart := time.Now()
	epochs := make(map[string]bool)
	for n := range 3 {
		for i, side := range sides {
			for _, room := range rooms {
				epochs[add(w, side[i%2], room, fmt.Sprint("apart ", i, n)).Epoch] = true
			}
		}
		w.pass(time.Second)
	}
	w.broker.Partition()
	w.pass(10 * time.Second)
	// Nobody who comes with a position of either side has all there was.
	again := func(x *testNode) {
		for _, room := range rooms {
			if p := add(w, x, room, "again on "+x.name); epochs[p.Epoch] {
				t.Errorf("%s goes on with the history of one side", room)
			}
		}
	}
	again(w.nodes[0])
	for i, side := range sides {
		for _, x := range side {
			for _, room := range rooms {
				missed := fmt.Sprint("apart ", 1-i, 0)
				told := slices.ContainsFunc(x.gapsIn(room), func(g cluster.Gap) bool { return !g.Since.After(apart) })
				if !told && !slices.Contains(x.seenIn(room), missed) {
					t.Errorf("%s: %q of %s: silent loss, gaps %v", x.name, missed, room, x.gapsIn(room))
				}
			}
		}
	}
	// What was given up does not come back with the end of what was not.
	for _, x := range w.nodes[:3] {
		w.kill(x)
		w.pass(6 * time.Second)
	}
	again(w.nodes[3])
}

// An entry that began before others, and was appended behind them, does not make
// those new that members have had already.
func TestHistoryLateEntry(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		rooms := []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"} // some are b's, which c hears of
		for _, room := range rooms {
			follow(w, a, room)
			follow(w, b, room)
			follow(w, c, room)
			add(w, b, room, "first")
		}
		w.broker.Pause()
		var late, soon sync.WaitGroup
		for _, room := range rooms {
			late.Go(func() { add(w, a, room, "late") })
		}
		w.pass(200 * time.Millisecond)
		for _, room := range rooms {
			soon.Go(func() { add(w, b, room, "soon") })
		}
		w.pass(200 * time.Millisecond)
		w.broker.Drop(func(_ string, m bus.Message) bool {
			return strings.HasSuffix(string(m.Payload), "late") && m.Payload[0] == 'E'
		})
		w.broker.Resume()
		late.Wait()
		soon.Wait()
		w.broker.Drop(nil)
		w.pass(6 * time.Second) // it is read from the log
		w.broker.Partition([]string{a.name}, []string{b.name, c.name})
		w.pass(12 * time.Second)
		for _, room := range rooms {
			add(w, a, room, "on a")
		}
		w.broker.Partition()
		w.pass(10 * time.Second)
		for _, x := range w.nodes {
			for _, room := range rooms {
				seen := x.seenIn(room)
				slices.Sort(seen)
				if len(slices.Compact(slices.Clone(seen))) != len(seen) {
					t.Errorf("%s: %s: %q", x.name, room, seen)
				}
			}
		}
	})
}

// Nothing comes before what is overdue has been ended, by whichever goroutine of
// the bus.
func TestOverdueFirst(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.scatter = true
		a, b := w.nodes[0], w.add()
		w.hold(b, "r0")
		w.hold(b, "r1")
		first := true
		var early []string
		b.host.overdue = func() {
			if first {
				first = false
				for range 1000 {
					runtime.Gosched() // the others may come now
				}
				early = append(b.heardIn("r0"), b.heardIn("r1")...)
			}
		}
		w.broker.Pause()
		say(a, "r0", "old")
		say(a, "r1", "old")
		w.pass(time.Second)
		w.broker.Resume()
		w.pass(time.Second)
		if first || len(early) > 0 {
			t.Errorf("ended anything: %v; came before: %q", !first, early)
		}
		if len(b.heardIn("r0"))+len(b.heardIn("r1")) != 2 {
			t.Errorf("heard %q and %q", b.heardIn("r0"), b.heardIn("r1"))
		}
	})
}

// A hub finds the bus again, and its histories, while other hubs do not answer it.
func TestLapseWhileAsking(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		rooms := []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"}
		for _, room := range rooms {
			for _, x := range w.nodes {
				follow(w, x, room)
			}
			add(w, w.nodes[0], room, "first")
		}
		w.broker.Drop(func(_ string, m bus.Message) bool { return m.Payload[0] == 'A' })
		for range 3 {
			w.broker.Stop()
			w.pass(4 * time.Second)
			w.broker.Start()
			w.pass(1500 * time.Millisecond)
		}
		for _, x := range w.nodes {
			if _, degraded := x.Degraded(); degraded {
				t.Errorf("%s: the bus is there, and it is degraded", x.name)
			}
		}
		w.broker.Drop(nil)
		w.pass(10 * time.Second)
		for _, room := range rooms {
			add(w, w.nodes[1], room, "again")
		}
	})
}
