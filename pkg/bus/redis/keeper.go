package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Times of looking for the topology.
const (
	findEvery = 2 * time.Second        // unasked
	findPause = 100 * time.Millisecond // at least between two
)

// The part of the state that is missing while no topology is known, or while a
// Redis Cluster is down.
const partTopology = "topology"

var errDown = errors.New("a part of the redis cluster is missing")

// poke has the topology looked at again, soon.
func (b *Bus) poke() { signal(b.poked) }

// keep follows the topology until ctx ends.
func (b *Bus) keep(ctx context.Context) {
	f := newFinder(b.dialer, b.names)
	defer f.close()
	tick := time.NewTicker(findEvery)
	defer tick.Stop()
	known, final := false, false
	for {
		t, err := f.find(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			known, final = true, t.final
			b.apply(t)
		case !known:
			b.state.lost(partTopology, err)
		}
		pause := time.NewTimer(findPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		if final {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-b.poked:
		case <-tick.C:
		}
	}
}

// apply has the connections and subscriptions follow a topology.
func (b *Bus) apply(t topology) {
	b.mu.Lock()
	defer b.mu.Unlock()
	owners := *b.owners.Load()
	unowned := false
	for p, addr := range t.owners {
		old := owners[p]
		if addr == "" {
			owners[p], unowned = nil, true
			continue
		}
		n, known := b.nodes[addr]
		if !known {
			n = b.newNode(addr, t.sharded)
			b.nodes[addr] = n
		}
		n.replicated.Store(t.replicated[addr])
		owners[p] = n
		switch loose := b.loose[p]; {
		case n.fresh:
			// Its first connection subscribes to everything and is told of.
			delete(b.loose, p)
			b.state.fasten(p)
		case loose > 0 || old != n:
			b.follow(p, n)
		}
	}
	if owners != *b.owners.Load() {
		b.generation++
		b.owners.Store(&owners)
	}
	for _, n := range b.nodes {
		n.fresh = false
	}
	for addr, n := range b.nodes {
		if !slices.Contains(owners[:], n) {
			delete(b.nodes, addr)
			n.end()
		}
	}
	if unowned || t.down {
		b.state.lost(partTopology, errDown)
	} else {
		b.state.found(partTopology)
	}
}

// follow subscribes to the subjects of a partition at its new owner, or anew at
// its old one, and tells of what may have been missed. It is called with mu held.
func (b *Bus) follow(partition int, n *node) {
	if b.loose[partition] == 0 {
		b.loose[partition] = 1
		b.state.loosen(partition)
	}
	turn := b.loose[partition]
	subjects := b.subjects(func(p int) bool { return p == partition })
	for _, s := range subjects {
		n.subscriber.want(s, true)
	}
	n.subscriber.settled(func(err error) {
		if err != nil {
			return // the node's end; it may be told with mu held
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.loose[partition] == turn { // and has not moved again
			delete(b.loose, partition)
			b.notices.dropped(errMoved, subjects...)
			b.state.fasten(partition)
		}
	})
}

// moved says that a Redis node does not have a slot (any more).
func (b *Bus) moved(slot int) {
	b.mu.Lock()
	for _, p := range b.names.inSlot(slot) {
		b.loose[p]++
		b.state.loosen(p)
	}
	b.mu.Unlock()
	b.poke()
}

// adopt has a new connection subscribe to everything that is its node's.
func (b *Bus) adopt(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	owners := b.owners.Load()
	s.reset(b.subjects(func(p int) bool { return owners[p] == s.node }))
}

// subjects returns those of some partitions. It is called with mu held.
func (b *Bus) subjects(of func(partition int) bool) []string {
	return slices.DeleteFunc(slices.Collect(maps.Keys(b.subscriptions)), func(s string) bool {
		return !of(partitionOf(s))
	})
}
