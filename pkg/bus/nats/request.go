package nats

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/chenxilol/gohub/pkg/bus"
)

// errNoResponders says that nobody has taken a request.
var errNoResponders = fmt.Errorf("%w: %w", bus.ErrRefused, nats.ErrNoResponders)

// errSessionEnded says that the connection went away before the answer came.
var errSessionEnded = fmt.Errorf("%w: the connection to NATS is gone", bus.ErrUnknown)

// requests matches answers to what was asked in one session, any number at a
// time. The library's own requests end with their context only, not with the
// connection, and take one answer.
type requests struct {
	inbox string // what the subjects of answers begin with, ending with a dot
	sub   *nats.Subscription
	ended chan struct{}

	mu    sync.Mutex       // guards what follows
	calls map[string]*call // by the last token of the answers' subject; nil: ended
	count uint64
}

// call is one request that waits for its answers.
type call struct {
	answers []*nats.Msg
	// last says whether an answer is the last one; nil: the first is.
	last func(*nats.Msg) bool
	done chan struct{}
	err  error // set before done is closed
}

// start subscribes to the answers.
func (r *requests) start(b *Bus, s *session) error {
	r.inbox = b.names.inbox + "." + nuid.Next() + "."
	r.ended = make(chan struct{})
	r.calls = make(map[string]*call)
	answers := make(chan *nats.Msg, inboundMessages)
	sub, err := s.nc.ChanSubscribe(r.inbox+"*", answers)
	if err != nil {
		return fmt.Errorf("subscribe to answers: %w", err)
	}
	r.sub = sub
	b.tasks.run(func() {
		for {
			select {
			case m := <-answers:
				r.answered(m)
			case <-s.ended:
				r.stop()
				return
			}
		}
	})
	return nil
}

func (r *requests) answered(m *nats.Msg) {
	token := strings.TrimPrefix(m.Subject, r.inbox)
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[token]
	if c == nil {
		return // its caller waits no more
	}
	c.answers = append(c.answers, m)
	if len(m.Data) == 0 && m.Header.Get(statusHeader) == statusNoResponders {
		c.err = errNoResponders
	} else if c.last != nil && !c.last(m) {
		return
	}
	delete(r.calls, token)
	close(c.done)
}

// stop fails all that wait, and all that come.
func (r *requests) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		c.err = errSessionEnded
		close(c.done)
	}
	r.calls = nil
}

// do sends a message and waits for the answers. The error is one of package bus
// that says what became of the message, or of the message itself.
func (s *session) do(ctx context.Context, m *nats.Msg, last func(*nats.Msg) bool) ([]*nats.Msg, error) {
	r := &s.requests
	c := &call{last: last, done: make(chan struct{})}
	r.mu.Lock()
	if r.calls == nil {
		r.mu.Unlock()
		return nil, fmt.Errorf("%w: the connection to NATS is gone", bus.ErrRefused)
	}
	r.count++
	token := strconv.FormatUint(r.count, 36)
	r.calls[token] = c
	r.mu.Unlock()
	m.Reply = r.inbox + token
	if err := s.nc.PublishMsg(m); err != nil {
		r.forget(token)
		return nil, outcome(err)
	}
	select {
	case <-c.done:
		return c.answers, c.err
	case <-ctx.Done():
		r.forget(token)
		return nil, fmt.Errorf("%w: no answer: %w", bus.ErrUnknown, ctx.Err())
	}
}

func (r *requests) forget(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, token)
}
