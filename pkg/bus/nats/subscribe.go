package nats

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

// installBatch is how many subscriptions are sent between two round trips.
const installBatch = 10_000

// subscription is one Subscribe. It outlives the sessions.
type subscription struct {
	b       *Bus
	subject string
	deliver func(bus.Message)
	shard   *shard

	mu    sync.Mutex // guards in, and is held while the library writes
	in    *session   // where it was attached last
	ended atomic.Bool
	// at is the library's subscription of the newest session. A message that
	// came for another one is not delivered: for a moment there may be two.
	at atomic.Pointer[nats.Subscription]
}

// Subscribe has deliver called with each message of subject: see [bus.Bus].
func (b *Bus) Subscribe(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, err
	}
	if deliver == nil {
		return nil, fmt.Errorf("subscribe to %q: deliver is nil", subject)
	}
	if b.closed.Load() {
		return nil, fmt.Errorf("subscribe: %w", bus.ErrClosed)
	}
	sub := &subscription{b: b, subject: subject, deliver: deliver, shard: b.shardOf(subject)}
	b.mu.Lock()
	if b.subs[subject] != nil {
		b.mu.Unlock()
		return nil, fmt.Errorf("subscribe to %q: there is a subscription already", subject)
	}
	b.subs[subject] = sub
	s := b.session
	b.mu.Unlock()
	if s != nil {
		// An error means that the session has ended: the next one takes it over.
		_ = sub.attach(s)
	}
	return sub, nil
}

// attach subscribes in a session, unless it has done so or has ended.
func (sub *subscription) attach(s *session) error {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.ended.Load() || sub.in == s {
		return nil
	}
	at, err := s.nc.ChanSubscribe(sub.b.names.listen+sub.subject, sub.b.inbound)
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", sub.subject, err)
	}
	sub.in = s
	sub.at.Store(at)
	return nil
}

// Unsubscribe ends the subscription: see [bus.Subscription].
func (sub *subscription) Unsubscribe() error {
	b := sub.b
	b.mu.Lock()
	if b.subs[sub.subject] == sub {
		delete(b.subs, sub.subject)
	}
	b.mu.Unlock()
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.ended.Swap(true) {
		return nil
	}
	if at := sub.at.Swap(nil); at != nil {
		// An error means that the session has ended, and the subscription too.
		_ = at.Unsubscribe()
	}
	return nil
}

// takeOver makes s the session that new subscriptions go to, and returns those
// that there are.
func (b *Bus) takeOver(s *session) iter.Seq[[]*subscription] {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session = s
	return slices.Chunk(slices.AppendSeq(make([]*subscription, 0, len(b.subs)), maps.Values(b.subs)), installBatch)
}
