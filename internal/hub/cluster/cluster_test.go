package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

func TestRouting(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		for _, room := range []string{"lobby", "a.b", ">", "*", "sp ace\r\nPUB", "长 комната"} {
			w.hold(b, room)
			before := c.bus.Stats().ReceivedMessages
			for i := range 100 {
				if !say(a, room, fmt.Sprint(i)) {
					t.Fatalf("%q: message %d went no further than the node", room, i)
				}
			}
			synctest.Wait()
			got := b.heardIn(room)
			if len(got) != 100 || got[0] != "0" || got[99] != "99" {
				t.Errorf("%q: heard %d messages", room, len(got))
			}
			if n := c.bus.Stats().ReceivedMessages - before; n != 0 {
				t.Errorf("%q: a node without members received %d messages", room, n)
			}
		}
		if gaps := b.gapsIn("lobby"); len(gaps) > 0 {
			t.Errorf("gaps: %v", gaps)
		}
	})
}

func TestPresenceElsewhere(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		if p := w.hold(w.nodes[0], "r"); p.Exists {
			t.Error("a new room exists")
		}
		if p := w.hold(w.nodes[1], "r"); !p.Exists || len(p.Missing) > 0 {
			t.Errorf("a room of the other node: %+v", p)
		}
	})
}

// Whatever is published once a hold has returned arrives, without a gap.
func TestJoinedMeansJoined(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		for i := range 500 {
			room := fmt.Sprint("room-", i)
			say(a, room, "before")
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 3 {
					say(a, room, "meanwhile")
				}
			})
			w.hold(b, room)
			say(a, room, "after")
			wg.Wait()
			synctest.Wait()
			if got := b.heardIn(room); !slices.Contains(got, "after") {
				t.Fatalf("%s: heard %q", room, got)
			}
		}
		w.pass(5 * time.Second)
		for i := range 500 {
			if gaps := b.gapsIn(fmt.Sprint("room-", i)); len(gaps) > 0 {
				t.Errorf("room %d: gaps %v", i, gaps)
			}
		}
	})
}

func TestGaps(t *testing.T) {
	lose := func(w *world, n int) {
		w.broker.Drop(func(node string, m bus.Message) bool {
			if m.Subject[0] == 'r' && n > 0 {
				n--
				return true
			}
			return false
		})
	}
	t.Run("before another message", func(t *testing.T) {
		inWorld(t, 2, func(t *testing.T, w *world) {
			a, b := w.nodes[0], w.nodes[1]
			w.hold(b, "r")
			say(a, "r", "1")
			lose(w, 2)
			say(a, "r", "2")
			say(a, "r", "3")
			say(a, "r", "4")
			synctest.Wait()
			if got := b.heardIn("r"); !slices.Equal(got, []string{"1", "4"}) {
				t.Errorf("heard %q", got)
			}
			if gaps := b.gapsIn("r"); len(gaps) != 1 || gaps[0].Reason != cluster.ReasonLost {
				t.Errorf("gaps %v", gaps)
			}
		})
	})
	for _, earlier := range []int{0, 1} {
		t.Run(fmt.Sprint("the last, after ", earlier), func(t *testing.T) {
			inWorld(t, 2, func(t *testing.T, w *world) {
				a, b := w.nodes[0], w.nodes[1]
				w.hold(b, "r")
				for range earlier {
					say(a, "r", "x")
				}
				synctest.Wait()
				lose(w, 1)
				say(a, "r", "lost")
				w.pass(2500 * time.Millisecond)
				if gaps := b.gapsIn("r"); len(gaps) != 1 {
					t.Errorf("gaps within two heartbeats and a half: %v", gaps)
				}
				say(a, "r", "next")
				w.pass(5 * time.Second)
				if gaps := b.gapsIn("r"); len(gaps) != 1 {
					t.Errorf("gaps in the end: %v", gaps)
				}
			})
		})
	}
	t.Run("none where all arrives", func(t *testing.T) {
		inWorld(t, 3, func(t *testing.T, w *world) {
			w.hold(w.nodes[0], "r")
			w.hold(w.nodes[1], "r")
			for i := range 300 {
				say(w.nodes[i%3], "r", "x")
				w.pass(37 * time.Millisecond)
			}
			// A stream that begins anew once its node has forgotten the room.
			w.pass(time.Minute)
			say(w.nodes[2], "r", "x")
			w.pass(5 * time.Second)
			for _, x := range w.nodes[:2] {
				if gaps := x.gapsIn("r"); len(gaps) > 0 {
					t.Errorf("%s: gaps %v", x.name, gaps)
				}
			}
		})
	})
}

func TestNodeDies(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		w.hold(b, "r")
		w.hold(b, "quiet")
		say(c, "r", "x")
		synctest.Wait()
		w.kill(c)
		w.pass(3900 * time.Millisecond)
		for _, x := range []*testNode{a, b} {
			if n := len(x.Nodes()); n != 2 {
				t.Errorf("%s knows %d nodes", x.name, n)
			}
		}
		if gaps := b.gapsIn("r"); len(gaps) != 1 || gaps[0].Reason != cluster.ReasonNode {
			t.Errorf("gaps where the dead had published: %v", gaps)
		}
		if gaps := b.gapsIn("quiet"); len(gaps) != 0 {
			t.Errorf("gaps elsewhere: %v", gaps)
		}
	})
}

func TestNodeLeaves(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(a, "r")
		say(b, "r", "x")
		synctest.Wait()
		w.stop(b)
		synctest.Wait()
		if n := len(a.Nodes()); n != 1 {
			t.Errorf("%d nodes are known", n)
		}
		if gaps := a.gapsIn("r"); len(gaps) > 0 {
			t.Errorf("gaps: %v", gaps)
		}
	})
}

func TestOutage(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(b, "r")
		w.hold(b, "still")
		say(a, "r", "1")
		synctest.Wait()
		w.broker.Pause()
		w.pass(3 * time.Second)
		if _, degraded := a.Degraded(); !degraded {
			t.Fatal("not noticed after three seconds")
		}
		if say(a, "r", "2") {
			t.Error("a message was sent into a bus that is away")
		}
		w.pass(10 * time.Second)
		w.broker.Resume()
		w.pass(5 * time.Second)
		for _, x := range w.nodes {
			x.host.mu.Lock()
			if len(x.outages) != 2 || !x.outages[0].Degraded || x.outages[1].Degraded {
				t.Errorf("%s: outages %v", x.name, x.outages)
			}
			x.host.mu.Unlock()
		}
		if gaps := b.gapsIn("r"); len(gaps) != 1 {
			t.Errorf("gaps in the room with a message: %v", gaps)
		}
		if gaps := b.gapsIn("still"); len(gaps) != 0 {
			t.Errorf("gaps in the room without: %v", gaps)
		}
		if !say(a, "r", "3") {
			t.Error("the bus is there, and nothing is sent")
		}
		synctest.Wait()
		if got := b.heardIn("r"); !slices.Equal(got, []string{"1", "3"}) {
			t.Errorf("heard %q", got)
		}
	})
}

func admit(ctx context.Context, x *testNode, room string, limit int) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	return x.Admit(ctx, room, limit)
}

func TestLimit(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		var mu sync.Mutex
		in := make(map[*testNode]int)
		var wg sync.WaitGroup
		for _, x := range w.nodes {
			for range 20 {
				wg.Go(func() {
					err := admit(t.Context(), x, "r", 25)
					if err == nil {
						mu.Lock()
						in[x]++
						mu.Unlock()
					} else if !errors.Is(err, &hub.Error{Code: hub.CodeRoomFull}) {
						t.Errorf("admit: %v", err)
					}
				})
			}
		}
		wg.Wait()
		if n := in[w.nodes[0]] + in[w.nodes[1]] + in[w.nodes[2]]; n != 25 {
			t.Fatalf("%d were admitted into 25 seats", n)
		}
		for _, x := range w.nodes {
			if in[x] > 0 {
				x.Vacate("r")
				synctest.Wait()
				if err := admit(t.Context(), w.nodes[1], "r", 25); err != nil {
					t.Errorf("after one left %s: %v", x.name, err)
				}
				if x != w.nodes[1] {
					in[x]--
					in[w.nodes[1]]++
				}
			}
		}
		// Whoever owns the room: with each node in turn gone, nobody is over.
		left := 25
		for len(w.nodes) > 0 && w.nodes[0].Cluster != nil {
			gone := w.nodes[0]
			w.nodes = w.nodes[1:]
			w.nodes = append(w.nodes, gone)
			left -= in[gone]
			w.kill(gone)
			w.pass(6 * time.Second)
			if w.nodes[0].Cluster == nil {
				break
			}
			for admit(t.Context(), w.nodes[0], "r", 25) == nil {
				in[w.nodes[0]]++
				left++
			}
			if left != 25 {
				t.Fatalf("%d are in 25 seats", left)
			}
		}
	})
}

func TestNobodyDecidesWithoutLease(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		if err := admit(t.Context(), w.nodes[0], "r", 5); err != nil {
			t.Fatal(err)
		}
		w.broker.Pause()
		w.pass(3 * time.Second)
		for _, x := range w.nodes {
			if err := admit(t.Context(), x, "r", 5); !errors.Is(err, &hub.Error{Code: hub.CodeTimeout}) {
				t.Errorf("%s: %v", x.name, err)
			}
		}
		w.broker.Resume()
		w.pass(8 * time.Second)
		for _, x := range w.nodes {
			if err := admit(t.Context(), x, "r", 5); err != nil {
				t.Errorf("%s, when the bus is back: %v", x.name, err)
			}
		}
	})
}

func TestDefinitions(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		d := cluster.Definition{Room: "r", Name: "Room", Max: 7, CreatedAt: time.Now().Truncate(time.Millisecond)}
		if err := a.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := b.Create(t.Context(), d); !errors.Is(err, &hub.Error{Code: hub.CodeRoomExists}) {
			t.Errorf("created twice: %v", err)
		}
		late := w.add()
		w.pass(time.Second)
		for _, x := range []*testNode{a, b, w.nodes[2], late} {
			if got, ok := x.Defined("r"); !ok || got.Name != "Room" || got.Max != 7 || !got.CreatedAt.Equal(d.CreatedAt) {
				t.Errorf("%s: %+v %v", x.name, got, ok)
			}
			if !x.HasRoom("r") {
				t.Errorf("%s did not make the room", x.name)
			}
		}
		if err := late.Delete(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		if err := a.Delete(t.Context(), "r"); !errors.Is(err, &hub.Error{Code: hub.CodeRoomNotFound}) {
			t.Errorf("deleted twice: %v", err)
		}
		synctest.Wait()
		for _, x := range w.nodes {
			if x.HasRoom("r") {
				t.Errorf("%s still has the room", x.name)
			}
		}
	})
}

// Definitions that a node could not hear of are there soon after it can.
func TestDefinitionsConverge(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		a, c := w.nodes[0], w.nodes[2]
		if err := a.Create(t.Context(), cluster.Definition{Room: "old"}); err != nil {
			t.Fatal(err)
		}
		w.broker.Cut(c.name)
		w.pass(10 * time.Second)
		for i := range 50 {
			if err := a.Create(t.Context(), cluster.Definition{Room: fmt.Sprint("new-", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Delete(t.Context(), "old"); err != nil {
			t.Fatal(err)
		}
		w.broker.Heal(c.name)
		w.pass(8 * time.Second)
		if c.HasRoom("old") {
			t.Error("a deleted room is still there")
		}
		for i := range 50 {
			if !c.HasRoom(fmt.Sprint("new-", i)) {
				t.Errorf("room %d is not there", i)
			}
		}
	})
}

// A node that was asleep knows, when it wakes, that others have taken its place.
func TestSleeperAdmitsNobody(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		in := 0
		fill := func(x *testNode) {
			for admit(t.Context(), x, "r", 10) == nil {
				in++
			}
		}
		for range 4 {
			if err := admit(t.Context(), w.nodes[0], "r", 10); err != nil {
				t.Fatal(err)
			}
			in++
		}
		// Each in turn: one of them owns the room.
		for i, x := range w.nodes {
			w.broker.Cut(x.name)
			w.pass(10 * time.Second)
			others := w.nodes[(i+1)%3]
			if i > 0 { // of the first's members none counts while it is dead
				fill(others)
			}
			w.broker.Heal(x.name)
			w.pass(8 * time.Second)
			fill(x)
			if in > 10 {
				t.Fatalf("%d are in 10 seats after %s was away", in, x.name)
			}
		}
		if in != 10 {
			t.Errorf("%d are in 10 seats", in)
		}
	})
}

func TestExistsIsRemembered(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		w.hold(b, "r")
		for range 2 {
			if ok, err := a.Exists(t.Context(), "r"); !ok || err != nil {
				t.Fatalf("exists: %v, %v", ok, err)
			}
		}
		before := a.bus.Stats().PublishedMessages
		if ok, _ := a.Exists(t.Context(), "r"); !ok {
			t.Error("it does not exist any more")
		}
		if n := a.bus.Stats().PublishedMessages - before; n != 0 {
			t.Errorf("asked again: %d messages", n)
		}
		if ok, err := a.Exists(t.Context(), "other"); ok || err != nil {
			t.Errorf("a room nobody has: %v, %v", ok, err)
		}
	})
}
