package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Probe implements [bus.Bus]. While connections are missing it waits for them.
// It goes behind all messages that were published before.
func (b *Bus) Probe(ctx context.Context) error {
	var pause backoff
	for {
		if b.closed.Load() {
			return fmt.Errorf("probe: %w", errClosed)
		}
		err := b.state.wait(ctx)
		if err == nil {
			var sure bool
			if sure, err = b.roundTrip(ctx); sure {
				return nil
			}
		}
		if !pause.sleep(ctx) {
			return fmt.Errorf("probe redis: %w: %w", context.Cause(ctx), err)
		}
	}
}

// roundTrip asks all nodes on all connections. Sure is false if they were not
// the right ones, or not all have answered.
func (b *Bus) roundTrip(ctx context.Context) (sure bool, err error) {
	b.mu.RLock()
	generation := b.generation
	nodes := slices.Collect(maps.Values(b.nodes))
	b.mu.RUnlock()

	answers := make(chan error, 2*len(nodes)) // for all, also when nobody listens any more
	for _, n := range nodes {
		n.subscriber.settled(func(err error) { answers <- err })
		if err := n.publisher.push(outgoing{answer: answers}); err != nil {
			answers <- err
		}
	}
	for range 2 * len(nodes) {
		select {
		case err = <-answers:
		case <-ctx.Done():
			err = ctx.Err()
		case <-b.ctx.Done():
			err = errClosed
		}
		if err != nil {
			return false, err
		}
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	whole, _, missing := b.state.now()
	if whole && generation == b.generation {
		return true, nil
	}
	return false, missing
}

// Close implements [bus.Bus].
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock() // no Subscribe is under way
	first := !b.closed.Swap(true)
	nodes := slices.Collect(maps.Values(b.nodes))
	b.mu.Unlock()
	var err error
	if first {
		err = b.drain(ctx, nodes)
	}
	b.cancel()
	b.running.Wait()
	return err
}

// drain waits until everything that was taken is with Redis.
func (b *Bus) drain(ctx context.Context, nodes []*node) error {
	var answers []<-chan error
	for _, n := range nodes {
		answers = append(answers, n.publisher.finish())
	}
	// A node that does not answer has its connection given up in this time.
	ctx, cancel := context.WithTimeout(ctx, 2*answerWithin+time.Second)
	defer cancel()
	for _, answer := range answers {
		select {
		case err := <-answer:
			if err != nil {
				return fmt.Errorf("close: messages may be lost: %w", err)
			}
		case <-ctx.Done():
			return fmt.Errorf("close: messages may be lost: %w", ctx.Err())
		}
	}
	return nil
}
