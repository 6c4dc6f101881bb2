package memory

import (
	"errors"
	"maps"

	"github.com/chenxilol/gohub/pkg/bus"
)

// What nodes are told.
var (
	errGone = errors.New("the broker is gone")
	errSlow = errors.New("too much waits to be delivered")
)

// Stop ends the broker as a crash would: every node loses its connection, and what
// a paused broker has not done yet is lost. The logs are kept.
func (b *Broker) Stop() { b.change(func() { b.stopped = true }) }

// Start has a stopped broker run again, with its logs.
func (b *Broker) Start() { b.change(func() { b.stopped = false }) }

// Wipe empties the logs, which then have another epoch.
func (b *Broker) Wipe() { b.change(func() { b.logs = newLogs() }) }

// Pause has the broker do nothing until Resume, without closing a connection.
// Publish still succeeds, up to a bound; what waits for an answer waits. All that
// has been sent meanwhile happens with Resume.
func (b *Broker) Pause() { b.change(func() { b.paused = true }) }

// Resume ends Pause.
func (b *Broker) Resume() { b.change(func() { b.paused = false }) }

// Cut takes the broker away from the nodes of a name, present and future, as if it
// were stopped for them alone.
func (b *Broker) Cut(node string) { b.change(func() { b.cut[node] = true }) }

// Heal ends Cut for a name.
func (b *Broker) Heal(node string) { b.change(func() { delete(b.cut, node) }) }

// Partition splits the broker as a cluster of brokers is split: nodes of different
// groups do not hear each other, and none is told. Nodes that are in no group are
// in the first. The first group holds the majority: the logs and leases are there,
// and the other groups cannot reach them. Without arguments all are together again.
func (b *Broker) Partition(groups ...[]string) {
	b.change(func() {
		b.groups = map[string]int{}
		for i, nodes := range groups {
			for _, node := range nodes {
				b.groups[node] = i
			}
		}
	})
}

// Drop loses every delivery for which lose returns true, in silence: neither the
// node nor Stats are told. It is asked for each message and each node that has
// subscribed to it, live copies of a log included, by several goroutines at a
// time; it must not wait, call the broker or one of its buses, or change or keep
// the payload. Nil loses nothing.
func (b *Broker) Drop(lose func(node string, m bus.Message) bool) {
	b.change(func() { b.lose = lose })
}

// change changes the state and does what follows from it: nodes are told, what a
// paused broker was asked for is done or lost, and those who wait look again.
func (b *Broker) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	for c := range maps.Keys(b.nodes) {
		c.group = b.groups[c.options.Node]
		if up := !b.stopped && !b.cut[c.options.Node]; up != c.up {
			c.turn(up)
		}
	}
	switch {
	case b.stopped:
		b.settle(false)
	case !b.paused:
		b.settle(true)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// settle does what has been asked for during a pause, or loses it. The caller
// holds b.mu.
func (b *Broker) settle(do bool) {
	for _, r := range b.pending {
		r.from.waiting -= r.size
		r.done = do
		if do {
			r.run()
		}
		if r.settled != nil {
			close(r.settled)
		}
	}
	b.pending = nil
}
