package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/chenxilol/gohub/pkg/sdk"
)

// maxEvents is how many events of one client may wait for their handlers
// before its messages wait, too.
const maxEvents = 256

// maxHubEvents is how many events that no client caused may wait; room
// messages beyond it are not told of, since no sender's reading could stop.
const maxHubEvents = 1 << 16

// events passes events to listeners, in order for each client, on goroutines
// that live while events wait. Without a listener for its type an event is one
// atomic load.
type events struct {
	hub    *Hub
	ctx    context.Context // of the calls; ends with the hub
	cancel context.CancelFunc
	own    eventQueue // events that no client caused

	mu        sync.Mutex // guards changes of listeners
	listeners atomic.Pointer[map[sdk.EventType][]*sdk.Handler]
	passes    passes
}

// eventQueue is the events of one client that wait for their handlers.
type eventQueue struct {
	mu      sync.Mutex // guards all below
	waiting []sdk.Event
	running bool // a goroutine is passing them on
	held    bool // the client's messages wait for it
	ended   bool // client_disconnected has been queued
}

func (e *events) init(h *Hub) {
	e.hub = h
	e.ctx, e.cancel = context.WithCancel(context.WithValue(context.Background(), listenerOf{}, e))
	e.listeners.Store(&map[sdk.EventType][]*sdk.Handler{})
}

// listenerOf is the key of a listener's context, by which the hub knows one
// that ends the hub.
type listenerOf struct{}

// close waits until every event has been handled, or until ctx ends. A listener
// that calls it, with its context, is not waited for.
func (e *events) close(ctx context.Context) {
	if ctx.Value(listenerOf{}) == e {
		e.passes.close(ctx, 1)
		return // it still needs its context
	}
	e.passes.close(ctx, 0)
	e.cancel()
}

// On adds a listener and returns the function that removes it.
func (h *Hub) On(t sdk.EventType, f sdk.Handler) (remove func()) {
	e := &h.events
	f2 := &f
	e.change(func(m map[sdk.EventType][]*sdk.Handler) { m[t] = append(slices.Clip(m[t]), f2) })
	return func() {
		e.change(func(m map[sdk.EventType][]*sdk.Handler) {
			m[t] = slices.DeleteFunc(slices.Clone(m[t]), func(x *sdk.Handler) bool { return x == f2 })
		})
	}
}

func (e *events) change(f func(map[sdk.EventType][]*sdk.Handler)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := make(map[sdk.EventType][]*sdk.Handler)
	for t, l := range *e.listeners.Load() {
		next[t] = l
	}
	f(next)
	e.listeners.Store(&next)
}

func (e *events) wanted(t sdk.EventType) bool { return len((*e.listeners.Load())[t]) > 0 }

// emit queues an event. s is the client it belongs to, nil for none; its lock
// may be held.
func (e *events) emit(s *Session, ev sdk.Event) {
	if !e.wanted(ev.Type) {
		return
	}
	ev.Time = e.hub.now()
	q := &e.own
	if s != nil {
		ev.ClientID, ev.Claims = s.id, s.Claims()
		q = &s.more().events
	}
	if e.put(q, s, ev) || ev.Type == sdk.EventClientMessage || ev.Type == sdk.EventClientError {
		return
	}
	// Of a message that was under way when the client was disconnected: the
	// rooms are changed, but nothing of a client is told behind that.
	ev.ClientID, ev.Claims = "", nil
	e.put(&e.own, nil, ev)
}

// put adds an event to a queue, s being the client whose queue it is. It returns
// false where the client's last event is in there already.
func (e *events) put(q *eventQueue, s *Session, ev sdk.Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended:
		return false
	case s == nil && ev.Type == sdk.EventRoomMessage && len(q.waiting) >= maxHubEvents:
		e.hub.metrics.dropped.WithLabelValues("event").Inc()
		return true
	case ev.Type == sdk.EventClientDisconnected:
		q.ended = true
	}
	if !q.running {
		if !e.passes.begin() {
			return true // the hub has ended
		}
		q.running = true
		go e.pass(q, s)
	}
	q.waiting = append(q.waiting, ev)
	return true
}

// pass calls the listeners with what waits in q until nothing does.
func (e *events) pass(q *eventQueue, s *Session) {
	defer e.passes.end()
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.waiting, q.running = nil, false
			q.mu.Unlock()
			return
		}
		ev := q.waiting[0]
		q.waiting = q.waiting[1:]
		resume := q.held && len(q.waiting) <= maxEvents/2
		if resume {
			q.held = false
		}
		q.mu.Unlock()
		if resume {
			s.Resume()
		}
		for _, f := range (*e.listeners.Load())[ev.Type] {
			e.call(*f, ev)
		}
	}
}

func (e *events) call(f sdk.Handler, ev sdk.Event) {
	defer e.hub.contain("event handler", string(ev.Type))
	if err := f(e.ctx, ev); err != nil {
		e.hub.warn("event handler failed", "event", ev.Type, "error", err)
	}
}

// throttle makes the messages of s wait while too many of its events do. It is
// called from the goroutine that handles them.
func (e *events) throttle(s *Session) {
	x := s.extra.Load()
	if x == nil {
		return
	}
	q := &x.events
	q.mu.Lock()
	full := len(q.waiting) >= maxEvents
	if full {
		q.held = true
	}
	q.mu.Unlock()
	if !full {
		return
	}
	s.Hold()
	q.mu.Lock()
	held := q.held
	q.mu.Unlock()
	if !held { // pass came by in between
		s.Resume()
	}
}

func (e *events) connected(s *Session) { e.emit(s, sdk.Event{Type: sdk.EventClientConnected}) }

func (e *events) disconnected(s *Session, rooms []string, code int, reason string) {
	e.emit(s, sdk.Event{Type: sdk.EventClientDisconnected, Rooms: rooms, Code: code, Reason: reason})
}

func (e *events) message(s *Session, payload []byte) {
	if e.wanted(sdk.EventClientMessage) {
		e.emit(s, sdk.Event{Type: sdk.EventClientMessage, Message: slices.Clone(payload)})
	}
}

func (e *events) clientError(s *Session, code int, err error) {
	e.emit(s, sdk.Event{Type: sdk.EventClientError, Code: code, Err: err})
}

func (e *events) room(t sdk.EventType, s *Session, id string) {
	e.emit(s, sdk.Event{Type: t, RoomID: id})
}

// roomMessage tells of a message whose room, sender and position ev has.
func (e *events) roomMessage(s *Session, ev sdk.Event, content []byte) {
	if e.wanted(sdk.EventRoomMessage) {
		ev.Type, ev.Message = sdk.EventRoomMessage, slices.Clone(content)
		e.emit(s, ev)
	}
}
