package redis

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/chenxilol/gohub/pkg/bus"
)

// A shard holds at most this many bytes that were received and not delivered.
const shardBytes = 16 << 20

// What a waiting message costs besides its payload, about.
const messageCost = 128

// subscription is one Subscribe.
type subscription struct {
	bus     *Bus
	subject string
	deliver func(bus.Message)
	ended   atomic.Bool
}

// Unsubscribe implements [bus.Subscription].
func (s *subscription) Unsubscribe() error {
	if !s.ended.Swap(true) {
		s.bus.unsubscribe(s)
	}
	return nil
}

// delivery is a message on its way to a deliver function.
type delivery struct {
	to      *subscription
	message bus.Message
}

func (d delivery) cost() int { return len(d.message.Payload) + messageCost }

// shard delivers the messages of its share of the subjects, one at a time.
type shard struct {
	wake chan struct{}

	mu    sync.Mutex
	queue []delivery // guarded by mu
	bytes int        // guarded by mu: of what is queued and being delivered
}

func newShard() *shard { return &shard{wake: make(chan struct{}, 1)} }

// push reports whether there was room for a message.
func (s *shard) push(d delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes > 0 && s.bytes+d.cost() > shardBytes {
		return false
	}
	s.bytes += d.cost()
	s.queue = append(s.queue, d)
	signal(s.wake)
	return true
}

func (s *shard) run(ctx context.Context) {
	var batch []delivery
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		batch, s.queue = s.queue, batch[:0]
		s.mu.Unlock()
		for i, d := range batch {
			if ctx.Err() != nil {
				return
			}
			if !d.to.ended.Load() {
				d.to.deliver(d.message)
			}
			batch[i] = delivery{} // as the next batch uses the array again
			s.mu.Lock()
			s.bytes -= d.cost()
			s.mu.Unlock()
		}
		if cap(batch) > 1<<14 {
			batch = nil // a burst is over
		}
	}
}
