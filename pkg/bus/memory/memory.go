package memory

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// Bus is one node's connection to a [Broker]. It implements [bus.Bus]; a node does
// not hear what it publishes itself, except for the live copies of what it appends
// to a log.
type Bus struct {
	broker  *Broker
	options bus.Options
	queue   *queue

	// The broker's mu guards these.
	group   int  // of a partition
	up      bool // the broker is there
	wasLost bool // it has been gone after it was there
	waiting int  // bytes in the broker's pending

	published, publishedBytes, reconnects atomic.Uint64

	closing sync.Once
	closed  chan struct{}
}

var _ bus.Bus = (*Bus)(nil)

// Publish implements [bus.Bus]. While the broker is paused it takes as many bytes
// as wait for a slow connection, and refuses more.
func (c *Bus) Publish(subject string, payload []byte) error {
	if err := checkMessage(subject, payload); err != nil {
		return err
	}
	b := c.broker
	b.mu.RLock()
	err := c.refusal(toBroker)
	paused := b.paused
	if err == nil && !paused {
		b.publish(c.group, c, bus.Message{Subject: subject, Payload: payload})
	}
	b.mu.RUnlock()
	if err == nil && paused {
		err = c.publishPaused(bus.Message{Subject: subject, Payload: bytes.Clone(payload)})
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	c.published.Add(1)
	c.publishedBytes.Add(uint64(len(payload)))
	return nil
}

// publishPaused leaves a message with a broker that was paused a moment ago.
func (c *Bus) publishPaused(m bus.Message) error {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.refusal(toBroker); err != nil {
		return err
	}
	run := func() { b.publish(c.group, c, m) }
	if !b.paused {
		run()
		return nil
	}
	size := len(m.Payload) + overhead
	if c.waiting+size > c.queue.limit {
		return fmt.Errorf("%w: %d bytes wait for a broker that does not answer", bus.ErrRefused, c.waiting)
	}
	b.post(&request{from: c, size: size, run: run})
	return nil
}

// Subscribe implements [bus.Bus]. All subscriptions share one goroutine.
func (c *Bus) Subscribe(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.closed:
		return nil, fmt.Errorf("subscribe: %w", bus.ErrClosed)
	default:
	}
	s := &subscription{bus: c, subject: subject, deliver: deliver}
	if !b.subscribe(s) {
		return nil, fmt.Errorf("subscribe: subject %q is subscribed to already", subject)
	}
	return s, nil
}

// subscription is one subject of one bus.
type subscription struct {
	bus     *Bus
	subject string
	deliver func(bus.Message)
	ended   atomic.Bool
}

// Unsubscribe implements [bus.Subscription]. A second time does nothing.
func (s *subscription) Unsubscribe() error {
	s.ended.Store(true)
	b := s.bus.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsubscribe(s)
	return nil
}

// Probe implements [bus.Bus]. It fails at once with [bus.ErrRefused] while the
// broker is away.
func (c *Bus) Probe(ctx context.Context) error {
	if err := c.try(ctx, toBroker, 0, func() {}); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// MaxPayload implements [bus.Bus]; it is always [MaxPayload].
func (c *Bus) MaxPayload() int { return MaxPayload }

// Stats implements [bus.Bus]. A message is received when it waits to be delivered.
func (c *Bus) Stats() bus.Stats {
	s := c.queue.stats()
	s.PublishedMessages, s.PublishedBytes = c.published.Load(), c.publishedBytes.Load()
	s.Reconnects = c.reconnects.Load()
	return s
}

// Close implements [bus.Bus]. It waits until a paused broker has taken what was
// published, or ctx ends, and in any case until a message that is being delivered
// has been. What this node has received and not delivered is thrown away.
func (c *Bus) Close(ctx context.Context) error {
	err := c.flush(ctx)
	c.shut()
	<-c.queue.ended
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// flush waits until nothing of this node waits at a paused broker.
func (c *Bus) flush(ctx context.Context) error {
	for {
		c.broker.mu.RLock()
		waiting, changed := c.waiting, c.broker.changed
		c.broker.mu.RUnlock()
		if waiting == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-c.closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%d bytes wait for a broker that does not answer: %w", waiting, ctx.Err())
		}
	}
}

// shut ends everything that goes on.
func (c *Bus) shut() {
	c.closing.Do(func() {
		c.broker.mu.Lock()
		close(c.closed)
		c.broker.mu.Unlock()
		c.broker.disconnect(c)
		c.queue.close()
	})
}

// turn tells the node that the broker is gone or back. The caller holds the
// broker's mu.
func (c *Bus) turn(up bool) {
	c.up = up
	if !up {
		c.queue.notify(bus.Notice{Kind: bus.Disconnected, Err: errGone})
		c.wasLost = true
		return
	}
	if c.wasLost {
		c.reconnects.Add(1)
	}
	c.queue.notify(bus.Notice{Kind: bus.Connected})
}

// Log returns the log, nil if Options.History keeps no entries.
func (c *Bus) Log() bus.Log {
	if c.options.History.Size == 0 {
		return nil
	}
	return (*log)(c)
}

// Leaser returns the leaser: the broker vouches for every node that it hears.
func (c *Bus) Leaser() bus.Leaser { return leaser{c} }

// leaser confirms leases through a bus.
type leaser struct{ bus *Bus }

// Confirm implements [bus.Leaser].
func (l leaser) Confirm(ctx context.Context, node string, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("confirm %q: ttl is %v; it must be over 0", node, ttl)
	}
	if err := l.bus.try(ctx, toMajority, 0, func() {}); err != nil {
		return fmt.Errorf("confirm %q: %w", node, err)
	}
	return nil
}
