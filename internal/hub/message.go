package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/hub"
)

// handler handles one message of a type.
type handler func(m *message) error

// message is one message from a client, and the context of its handling: it
// ends with the connection and carries the message's id. Being both, it costs
// one allocation.
type message struct {
	dispatch.Envelope
	s  *Session
	op wire.Opcode
}

var _ context.Context = (*message)(nil)

func (m *message) Deadline() (time.Time, bool) { return time.Time{}, false }
func (m *message) Done() <-chan struct{}       { return m.s.more().done }

func (m *message) Err() error {
	if m.s.over.Load() {
		return context.Canceled
	}
	return nil
}

// RequestID implements hub.Requester.
func (m *message) RequestID() int64 { return m.MessageID }

func (m *message) Value(key any) any {
	if _, ok := key.(hub.RequestKey); ok {
		return m.MessageID
	}
	return nil
}

// Message handles one message from the client.
func (s *Session) Message(op wire.Opcode, payload []byte) {
	h := s.hub
	now := h.now()
	switch s.rate.take(int64(now.Sub(h.started)), h.metrics.messageInterval, h.cfg.MessageBurst) {
	case refused:
		h.metrics.dropped.WithLabelValues("rate").Inc()
		s.fail(hub.NewError(hub.CodeRateLimited, "too many messages: at most %g a second", h.cfg.MessagesPerSecond), s.requestID(op, payload))
		return
	case flooding:
		s.Close(hub.CloseRate, "too many messages")
		return
	}
	h.events.message(s, payload)
	if h.raw != nil {
		h.raw.run(&message{Envelope: dispatch.Envelope{Data: payload}, s: s, op: op}, now)
	} else {
		s.dispatch(op, payload, now)
	}
	h.events.throttle(s)
}

// askedCost is how many messages a question counts as that went to every hub, for
// a name that nobody has: names are easily made up.
const askedCost = 10

// asked counts what it cost to find that nobody has a room or a client.
func (m *message) asked(err error) error {
	h := m.s.hub
	if h.cluster != nil && (errors.Is(err, errNoRoom) || errors.Is(err, errNoClient)) {
		m.s.rate.charge(askedCost-1, int64(h.now().Sub(h.started)), h.metrics.messageInterval, h.cfg.MessageBurst)
	}
	return err
}

// requestID returns the id of a message that is not handled, so that whoever
// waits for an answer gets one; 0 where it has none.
func (s *Session) requestID(op wire.Opcode, payload []byte) int64 {
	if s.hub.raw != nil || op != wire.Text {
		return 0
	}
	e, _ := dispatch.ParseEnvelope(payload, s.hub.handlers.Intern) // half of it will do
	return e.MessageID
}

func (s *Session) dispatch(op wire.Opcode, payload []byte, now time.Time) {
	if op == wire.Binary {
		s.fail(hub.NewError(hub.CodeFormat, "messages are JSON in text frames"), 0)
		return
	}
	h := s.hub
	e, bad := dispatch.ParseEnvelope(payload, h.handlers.Intern)
	if bad != nil {
		s.fail(bad, e.MessageID)
		return
	}
	if e.RequestID != 0 {
		if x := s.extra.Load(); x != nil && x.answered(e.RequestID, answer{e.Type, e.Data}) {
			return
		}
	}
	f, ok := h.handlers.Find(e.Type)
	if !ok {
		s.fail(hub.NewError(hub.CodeFormat, "unknown message_type"), e.MessageID)
		return
	}
	f.run(&message{Envelope: e, s: s, op: op}, now)
}

// registered is a handler with what is measured of it.
type registered struct {
	handle handler
	name   string
	took   prometheus.Observer
}

// run calls the handler, measures it from begin, and answers with its error.
func (f *registered) run(m *message, begin time.Time) {
	h := m.s.hub
	err := f.call(m)
	f.took.Observe(h.now().Sub(begin).Seconds())
	if err != nil {
		m.s.fail(err, m.MessageID)
	}
}

// call contains a panic: it ends the message, not the process.
func (f *registered) call(m *message) (err error) {
	panicked := true
	defer func() {
		if panicked {
			err = fmt.Errorf("handler of %q panicked", f.name)
			m.s.hub.panicked("handler", f.name, recover())
		}
	}()
	err = f.handle(m)
	panicked = false
	return err
}

// fail answers a message with an error.
func (s *Session) fail(err error, requestID int64) {
	defer s.hub.contain("error details", "") // encoding them is the application's code
	e := dispatch.AsError(err)
	if e.Code == hub.CodeServer && !s.endedBy(err) {
		s.hub.warn("message handler failed", "client", s.id, "error", err)
	}
	if s.SendError(err, requestID) != nil {
		return // a client that is gone needs no answer
	}
	s.hub.metrics.errors.WithLabelValues(errorLabel(e.Code)).Inc()
	s.hub.events.clientError(s, e.Code, err)
}

// endedBy tells whether err says no more than that the client is gone.
func (s *Session) endedBy(err error) bool {
	return s.over.Load() && (errors.Is(err, context.Canceled) || errors.Is(err, hub.ErrClosed))
}

// panicked counts and logs a panic in the application's code.
func (h *Hub) panicked(where, name string, value any) {
	h.metrics.panics.Inc()
	h.warn("panic contained", "in", where, "name", name, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// contain is deferred around calls of the application's code that answer to
// nobody.
func (h *Hub) contain(where, name string) {
	if value := recover(); value != nil {
		h.panicked(where, name, value)
	}
}
