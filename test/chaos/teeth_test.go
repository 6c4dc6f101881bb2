package chaos_test

import (
	"slices"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/chaos/history"
)

// scenario is a short run that some faults of the hub show in.
type scenario struct {
	name   string
	bus    string
	length time.Duration
	faults []fault // of the cluster
	script func(*testing.T, *world)
}

var (
	calm     = scenario{name: "calm", bus: "nats", length: 5 * time.Second, faults: []fault{{kind: storm, length: 2 * time.Second}}, script: follow}
	cutOff   = scenario{name: "cut off", bus: "nats", length: 6 * time.Second, faults: []fault{{kind: partition, target: 1, at: 500 * time.Millisecond, length: 4 * time.Second}}}
	drained  = scenario{name: "drained", bus: "nats", length: 3 * time.Second, faults: []fault{{kind: hubDrain, target: 1, length: 3 * time.Second}}}
	paused   = scenario{name: "paused", bus: "nats", length: 6 * time.Second, faults: []fault{{kind: busPause, length: 5500 * time.Millisecond}}}
	replaced = scenario{name: "replaced", bus: "nats", length: 11 * time.Second, script: comeBack, faults: []fault{
		{kind: storm, length: 11 * time.Second},
		{kind: hubKill, target: 0, at: 3 * time.Second}, {kind: hubKill, target: 1, at: 3 * time.Second}, {kind: hubKill, target: 2, at: 3 * time.Second},
	}}
)

// teeth are the faults planted in the hub (internal/fault), and the property
// that each breaks.
var teeth = []struct {
	fault    string
	scenario *scenario
	property history.Property
}{
	{"wrong-order", &calm, history.Order},
	{"double-delivery", &calm, history.Duplicate},
	{"unencoded-name", &calm, history.Isolation},
	{"ghost-member", &calm, history.Membership},
	{"limit-off-by-one", &calm, history.Limit},
	{"stale-route", &calm, history.DirectMsg},
	{"unexpired-token", &calm, history.Expiry},
	{"lost-on-resubscribe", &cutOff, history.SilentLoss},
	{"gap-not-told", &cutOff, history.SilentLoss},
	{"early-drain", &drained, history.DrainSlots},
	{"acknowledged-degraded", &paused, history.Acknowledged},
	{"recovered-other-epoch", &replaced, history.Resume},
}

// TestTeeth checks that each fault that is planted in the hub is found, under
// the name of the property that it breaks, and that without it nothing is.
func TestTeeth(t *testing.T) {
	for _, s := range []*scenario{&calm, &cutOff, &drained, &paused, &replaced} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := s.run(t, "")
			for _, v := range r.Violations {
				t.Error(v)
			}
		})
	}
	for _, x := range teeth {
		t.Run(x.fault, func(t *testing.T) {
			t.Parallel()
			r := x.scenario.run(t, x.fault)
			if r.Broken[x.property] == 0 {
				t.Errorf("not found as %q, but as %v", x.property, r.Broken)
			}
			if i := slices.IndexFunc(r.Violations, func(v history.Violation) bool { return v.Property == x.property }); i >= 0 {
				t.Log(r.Violations[i])
			}
		})
	}
}

// run has a cluster with a fault go through a scenario.
func (s *scenario) run(t *testing.T, planted string) *history.Report {
	w := newWorld(t, s.bus, size{
		hubs: 3, brokers: 1, publishEvery: 25 * time.Millisecond, slow: "drop", settleWithin: 5 * time.Second,
		tags: "faults", environ: []string{"GOHUB_FAULT=" + planted},
	})
	w.populate(48, 1, watcher, publisher, churner, visitor, absentee, borrower, visitor, churner)
	pause(w.alive, time.Second)
	begin := w.now()
	if s.script != nil {
		w.running.Go(func() { s.script(t, w) })
	}
	w.inject(s.faults)
	pause(w.alive, s.length-(w.now()-begin))
	r := history.Check(w.finish())
	t.Logf("%d deliveries checked, faults: %s", r.Deliveries, list(r.Faults))
	return r
}

// follow has one client send something to another, which is on a second hub
// first and then on a third.
func follow(t *testing.T, w *world) {
	caller, target := w.newClient(1000, watcher, 1), w.newClient(1001, watcher, 1)
	x, err := w.dial(w.alive, caller, w.hubs[0], 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer x.hangup()
	for i, h := range w.hubs[1:] {
		y, err := w.dial(w.alive, target, h, 0)
		if err != nil {
			t.Error(err)
			return
		}
		pause(w.alive, 1500*time.Millisecond)
		caller.direct(x, history.ID{Publisher: caller.id, Seq: uint64(i) + 1}, target.id)
		if i == 0 {
			y.hangup()
		} else {
			w.running.Go(func() { <-w.alive.Done(); y.hangup() })
		}
	}
}

// comeBack has a client join a history and come back with its position time and
// again, when all hubs have been killed: it is of another history then.
func comeBack(_ *testing.T, w *world) {
	const room = "log.0"
	c := w.newClient(1002, watcher, 1)
	for old := ""; w.active.Err() == nil; pause(w.active, 300*time.Millisecond) {
		h := w.someHub(c.rand)
		if h == nil || old != "" && w.hubs[0].runs.Load() == 1 {
			continue
		}
		x, err := w.dial(w.active, c, h, 0)
		if err != nil {
			continue
		}
		c.came(room, old)
		ok, _ := c.join(x, room)
		switch {
		case ok && old == "":
			old = c.positions[room]
		case ok && x.resumed(room):
			<-w.alive.Done()
		}
		x.hangup()
	}
}

// resumed tells whether the last join of a room was told that all follows.
func (x *conn) resumed(room string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	last := history.NotAsked
	for _, e := range x.session.Events {
		if e.Kind == history.Joined && e.Room == room {
			last = e.Resumed
		}
	}
	return last == history.Recovered
}
