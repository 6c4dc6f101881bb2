package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a hub that writes down what the cluster tells it.
type host struct {
	mu      sync.Mutex
	rooms   map[string]bool
	heard   map[string][]string // frames, by room
	history map[string][]string // payloads, by room
	seen    map[string][]string // those that members were given, by room
	places  map[string][]bus.Place
	gaps    map[string][]cluster.Gap
	outages []cluster.Outage
	defined []cluster.Definition
	deleted []string
	overdue func()            // nil: nothing is
	full    func(string) bool // whether a room takes nothing; nil: none
}

func newHost() *host {
	return &host{
		rooms: make(map[string]bool), heard: make(map[string][]string), history: make(map[string][]string), seen: make(map[string][]string),
		places: make(map[string][]bus.Place), gaps: make(map[string][]cluster.Gap),
	}
}

func (h *host) Message(m cluster.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard[m.Room] = append(h.heard[m.Room], string(m.Frame))
}

func (h *host) Entry(room string, e bus.Entry, wait bool) bool {
	if h.full != nil && !wait && h.full(room) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history[room] = append(h.history[room], string(e.Payload))
	h.seen[room] = append(h.seen[room], string(e.Payload))
	h.places[room] = append(h.places[room], e.Place)
	return true
}

func (h *host) History(room string, entries []bus.Entry, tail bus.Tail) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history[room], h.places[room] = nil, nil
	for _, e := range entries {
		h.history[room] = append(h.history[room], string(e.Payload))
		h.places[room] = append(h.places[room], e.Place)
	}
}

func (h *host) Gap(room string, g cluster.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps[room] = append(h.gaps[room], g)
}

func (h *host) Outage(o cluster.Outage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outages = append(h.outages, o)
}

func (h *host) HasRoom(room string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[room]
}

func (h *host) Busy(room string) bool { return false }

func (h *host) Define(d cluster.Definition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms[d.Room] = true
	h.defined = append(h.defined, d)
}

func (h *host) Undefine(room string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms, room)
	h.deleted = append(h.deleted, room)
}

func (h *host) Overdue() {
	if h.overdue != nil {
		h.overdue()
	}
}

func (h *host) Lapsed() {}

func (h *host) NodeGone(uint64) {}

func (h *host) Load() cluster.Load { return cluster.Load{Clients: 1} }

func (h *host) heardIn(room string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.heard[room])
}

func (h *host) historyOf(room string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.history[room])
}

func (h *host) seenIn(room string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen[room])
}

func (h *host) gapsIn(room string) []cluster.Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.gaps[room])
}

// testNode is one node of a cluster under test.
type testNode struct {
	*cluster.Cluster
	*host
	name string
	bus  bus.Bus
}

// world is nodes on one broker, in a bubble where time is faked.
type world struct {
	t      *testing.T
	broker *memory.Broker
	nodes  []*testNode
	keep   bus.Retention

	scatter bool // of the nodes to come, see plain
}

// inWorld runs f with n nodes that know each other.
func inWorld(t *testing.T, n int, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, broker: memory.NewBroker(), keep: bus.Retention{Size: 10}}
		for range n {
			w.add()
		}
		w.pass(5 * time.Second)
		f(t, w)
		w.broker.Resume()
		w.broker.Start()
		for _, x := range w.nodes {
			w.stop(x)
		}
	})
}

// plain hides what a broker can do besides carrying messages.
type plain struct {
	bus.Bus
	scatter bool // each message of a room is delivered on a goroutine of its own
}

func (b plain) Subscribe(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
	if b.scatter && subject[0] == 'r' {
		return b.Bus.Subscribe(subject, func(m bus.Message) { go deliver(m) })
	}
	return b.Bus.Subscribe(subject, deliver)
}

// add starts a node.
func (w *world) add() *testNode {
	w.t.Helper()
	x := &testNode{host: newHost(), name: fmt.Sprintf("node-%d", len(w.nodes)+1)}
	b, err := w.broker.Connect(bus.Options{Node: x.name, Notify: func(n bus.Notice) {
		if n.Kind == bus.Connected && x.Cluster != nil {
			x.Notice(n)
		}
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	x.bus = b
	x.Cluster = cluster.New(cluster.Config{
		Bus: plain{b, w.scatter}, Host: x.host, Node: x.name, Address: func() string { return "" }, Version: "test", Retention: w.keep, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	w.nodes = append(w.nodes, x)
	if err := x.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return x
}

// stop ends a node in good order; kill has it vanish.
func (w *world) stop(x *testNode) {
	if x.Cluster == nil {
		return
	}
	if err := x.Close(context.Background()); err != nil {
		w.t.Errorf("close %s: %v", x.name, err)
	}
	w.nodes[w.index(x)] = &testNode{host: newHost()}
}

func (w *world) kill(x *testNode) {
	w.broker.Cut(x.name)
	w.stop(x)
}

func (w *world) index(x *testNode) int { return slices.Index(w.nodes, x) }

// pass lets time pass, and everything come to rest.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) hold(x *testNode, room string) cluster.Presence {
	w.t.Helper()
	p, err := x.Hold(w.t.Context(), room)
	if err != nil {
		w.t.Fatalf("hold %q on %s: %v", room, x.name, err)
	}
	x.host.mu.Lock()
	x.rooms[room] = true
	x.host.mu.Unlock()
	return p
}

func say(x *testNode, room, text string) bool {
	return x.Publish(cluster.Message{Room: room, Frame: []byte(text)})
}
