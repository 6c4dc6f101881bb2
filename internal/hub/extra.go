package hub

import (
	"encoding/json"
	"sync"
)

// extra is what only some sessions need, made when first asked for.
type extra struct {
	done   chan struct{} // closed with the session: the Done of handlers' contexts
	events eventQueue

	mu      sync.Mutex // guards all below
	closed  bool
	values  map[string]any
	pending map[int64]chan answer // requests of the hub that wait
}

// answer is a client's answer to a request of the hub.
type answer struct {
	messageType string
	data        json.RawMessage
}

// more returns the session's extra.
func (s *Session) more() *extra {
	if x := s.extra.Load(); x != nil {
		return x
	}
	x := &extra{done: make(chan struct{})}
	if !s.extra.CompareAndSwap(nil, x) {
		return s.extra.Load()
	}
	if s.over.Load() { // Closed may have looked before the swap
		x.close()
	}
	return x
}

// close ends what waits for the client.
func (x *extra) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return
	}
	x.closed = true
	close(x.done)
	for id, c := range x.pending {
		close(c)
		delete(x.pending, id)
	}
}

// Value returns what SetValue stored.
func (s *Session) Value(key string) (any, bool) {
	x := s.extra.Load()
	if x == nil {
		return nil, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	v, ok := x.values[key]
	return v, ok
}

// SetValue stores a value with the session; nil removes it.
func (s *Session) SetValue(key string, value any) {
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	if value == nil {
		delete(x.values, key)
		return
	}
	if x.values == nil {
		x.values = make(map[string]any)
	}
	x.values[key] = value
}

// expect notes that an answer to request id will come.
func (x *extra) expect(id int64) (chan answer, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, false
	}
	if x.pending == nil {
		x.pending = make(map[int64]chan answer)
	}
	c := make(chan answer, 1)
	x.pending[id] = c
	return c, true
}

func (x *extra) forget(id int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.pending, id)
}

// answered passes an answer on; false where nobody waits for it.
func (x *extra) answered(id int64, a answer) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	c, ok := x.pending[id]
	if ok {
		c <- a
		delete(x.pending, id)
	}
	return ok
}
