package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// node is one Redis node that owns partitions: a master. Its connections are
// apart, so that none waits for another: for messages out, for messages in, and
// where a log or leases are wanted for commands that write and for those that
// read.
type node struct {
	bus     *Bus
	addr    string
	sharded bool // it is part of a Redis Cluster

	publisher  *publisher
	subscriber *subscriber
	writes     *requester
	reads      *requester

	// Replicas that must have a write before it counts: whether there are any.
	replicated atomic.Bool

	fresh bool   // guarded by bus.mu: made by the apply that is under way
	end   func() // stops its lanes
}

// lane is the kind of a connection.
type lane interface {
	// session uses one connection until it fails or ctx ends.
	session(ctx context.Context, l *link) error
	// lost is told of every attempt and connection that has failed, and with
	// errGone of the end.
	lost(err error)
}

// newNode starts the connections of a node.
func (b *Bus) newNode(addr string, sharded bool) *node {
	ctx, cancel := context.WithCancel(b.ctx)
	n := &node{bus: b, addr: addr, sharded: sharded, fresh: true}
	n.publisher, n.subscriber = newPublisher(n), newSubscriber(n)
	n.writes, n.reads = newRequester(n), newRequester(n)
	b.state.lost(n.publisher, errConnecting)
	b.state.lost(n.subscriber, errConnecting)

	var lanes sync.WaitGroup
	for _, l := range []lane{n.publisher, n.subscriber, n.writes, n.reads} {
		lanes.Go(func() { b.run(ctx, addr, l) })
	}
	n.end = func() {
		cancel()
		n.subscriber.end()
		n.writes.end()
		n.reads.end()
	}
	b.running.Go(func() {
		lanes.Wait()
		b.state.found(n.publisher)
		b.state.found(n.subscriber)
	})
	return n
}

// run keeps one connection of a node.
func (b *Bus) run(ctx context.Context, addr string, l lane) {
	var pause backoff
	for {
		began := time.Now()
		err := b.connect(ctx, addr, l)
		if ctx.Err() != nil {
			l.lost(errGone)
			return
		}
		l.lost(err)
		b.poke() // perhaps it is no longer the one to talk to
		if time.Since(began) > dialWithin+answerWithin {
			pause = 0
		}
		if !pause.sleep(ctx) {
			l.lost(errGone)
			return
		}
	}
}

func (b *Bus) connect(ctx context.Context, addr string, l lane) error {
	link, err := b.dialer.open(ctx, addr)
	if err != nil {
		return err
	}
	defer link.close()
	if err = l.session(ctx, link); err != nil {
		return fmt.Errorf("redis %s: %w", addr, err)
	}
	return nil
}

// backoff is the pause between two attempts. It doubles up to a limit that lets
// a bus that is back be found within a second.
type backoff time.Duration

const (
	firstPause = 10 * time.Millisecond
	lastPause  = 300 * time.Millisecond
)

// sleep reports whether it waited to its end.
func (b *backoff) sleep(ctx context.Context) bool {
	*b = min(max(backoff(firstPause), *b*2), backoff(lastPause))
	timer := time.NewTimer(time.Duration(*b)/2 + rand.N(time.Duration(*b)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
