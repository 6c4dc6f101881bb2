package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

// session is one connection of the library, from its making to its end.
type session struct {
	b        *Bus
	nc       *nats.Conn
	requests requests
	once     sync.Once
	ended    chan struct{}
	// denied is the first complaint of the server that this user may not do
	// something. The message that it refused was lost in silence.
	denied atomic.Pointer[error]

	flushes rounds[struct{}]
}

// dial makes a connection.
func (b *Bus) dial(discovered []string) (*session, error) {
	s := &session{b: b, ended: make(chan struct{})}
	opts := b.opts
	if opts.InProcessServer == nil {
		opts.Servers = b.servers(discovered)
	}
	opts.ClosedCB = func(*nats.Conn) { s.end() }
	opts.AsyncErrorCB = func(_ *nats.Conn, sub *nats.Subscription, err error) { s.trouble(sub, err) }
	nc, err := opts.Connect()
	if err != nil {
		return nil, err
	}
	s.nc = nc
	return s, nil
}

// end is called when the connection is gone.
func (s *session) end() {
	s.once.Do(func() {
		s.b.ready.CompareAndSwap(s, nil)
		close(s.ended)
	})
}

// trouble is what the library or the server complains of without an end of the
// connection.
func (s *session) trouble(sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer) && sub != nil:
		s.b.drops.slow(sub)
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrMaxSubscriptionsExceeded):
		if s.denied.CompareAndSwap(nil, &err) {
			s.b.log.Error("the NATS server forbids what the hub needs", "error", err)
		}
		s.b.drops.count.Add(1)
	default:
		s.b.log.Warn("trouble with NATS", "error", err)
	}
}

// install brings everything in force on a new connection. The round trips in
// between keep the server's answers to pings from waiting behind a million
// subscriptions.
func (b *Bus) install(s *session) error {
	if err := s.requests.start(b, s); err != nil {
		return err
	}
	for batch := range b.takeOver(s) {
		for _, sub := range batch {
			if err := sub.attach(s); err != nil {
				return err
			}
		}
		if err := s.nc.FlushTimeout(flushTimeout); err != nil {
			return err
		}
	}
	return s.nc.FlushTimeout(flushTimeout)
}

// Probe makes a round trip to the server: see [bus.Bus]. It fails as well while
// the server forbids this user something that the bus needs.
func (b *Bus) Probe(ctx context.Context) error {
	s, err := b.connection()
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if denied := s.denied.Load(); denied != nil {
		return fmt.Errorf("probe: %w", *denied)
	}
	if err := s.flush(ctx); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// flush waits for a round trip that begins after it was called. The library's
// own does not keep to a context while a write hangs.
func (s *session) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := s.flushes.join(s.b.tasks.run, func() (struct{}, error) {
		err := s.nc.FlushTimeout(flushTimeout)
		if err == nil {
			s.b.maxPayload.Store(s.nc.MaxPayload())
		}
		return struct{}{}, err
	})
	if r == nil {
		return bus.ErrClosed
	}
	_, err := r.wait(ctx)
	return err
}
