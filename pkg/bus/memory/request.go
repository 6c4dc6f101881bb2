package memory

import (
	"context"
	"fmt"

	"github.com/chenxilol/gohub/pkg/bus"
)

// request is what a node has sent to a paused broker.
type request struct {
	from    *Bus
	size    int
	run     func()        // called with the broker's mu held
	done    bool          // read after settled is closed: it was run, not lost
	settled chan struct{} // nil if nobody waits
}

// post queues a request at a paused broker. The caller holds b.mu.
func (b *Broker) post(r *request) {
	r.from.waiting += r.size
	b.pending = append(b.pending, r)
}

// reach says which broker a call needs.
type reach uint8

const (
	toBroker   reach = iota // the one of the node's own group
	toMajority              // the one that has the logs and leases
)

// try runs f at the broker, with its mu held, or says why it could not:
// [bus.ErrRefused] if the broker is away or ctx had ended, [bus.ErrUnknown] if it was paused and ctx
// ended before it went on, in which case it may still run f later.
func (c *Bus) try(ctx context.Context, needs reach, size int, f func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", bus.ErrRefused, err)
	}
	b := c.broker
	b.mu.Lock()
	if err := c.refusal(needs); err != nil {
		b.mu.Unlock()
		return err
	}
	if !b.paused {
		defer b.mu.Unlock()
		f()
		return nil
	}
	r := &request{from: c, size: size + overhead, run: f, settled: make(chan struct{})}
	b.post(r)
	b.mu.Unlock()
	select {
	case <-r.settled:
		if !r.done {
			return fmt.Errorf("%w: %w", bus.ErrRefused, errGone)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: the broker does not answer: %w", bus.ErrUnknown, ctx.Err())
	case <-c.closed:
		return fmt.Errorf("%w: the bus was closed meanwhile", bus.ErrUnknown)
	}
}

// refusal returns why the broker takes nothing from c now. The caller holds the
// broker's mu.
func (c *Bus) refusal(needs reach) error {
	select {
	case <-c.closed:
		return bus.ErrClosed
	default:
	}
	if !c.up {
		return fmt.Errorf("%w: %w", bus.ErrRefused, errGone)
	}
	if needs == toMajority && c.group != 0 {
		return fmt.Errorf("%w: the majority of the brokers is out of reach", bus.ErrRefused)
	}
	return nil
}
