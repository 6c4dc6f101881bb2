package client

import (
	"context"
	"sync"
)

// patientFactor is how much more may wait for handlers while calls wait for
// answers: a handler that makes a call would wait for ever if the answer was
// not read because the handler is not done.
const patientFactor = 4

// delivery is a call of a handler to come.
type delivery struct {
	call func(ctx context.Context)
	size int
}

// inbox calls handlers one at a time, in order, on a goroutine that runs while
// there is something to do.
type inbox struct {
	ctx    context.Context // of the handlers
	cancel context.CancelFunc
	limit  int // bytes

	mu       sync.Mutex // guards all below
	queue    []delivery
	bytes    int
	running  bool
	closed   bool          // takes nothing more
	finished bool          // and nothing else of the client runs
	space    chan struct{} // closed when there may be space; nil: nobody waits
	idle     chan struct{} // closed when finished and not running
}

// newInbox returns an inbox whose handlers get ctx; it calls cancel when the
// last one has returned.
func newInbox(ctx context.Context, cancel context.CancelFunc, limit int) *inbox {
	return &inbox{ctx: ctx, cancel: cancel, limit: limit, idle: make(chan struct{})}
}

// put queues a delivery. It waits while there is no space, unless patient says
// that it must not.
func (b *inbox) put(d delivery, patient func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.fullLocked(patient) {
		if b.space == nil {
			b.space = make(chan struct{})
		}
		space := b.space
		b.mu.Unlock()
		<-space
		b.mu.Lock()
	}
	b.putLocked(d)
}

// fullLocked tells whether there is no space. An empty inbox takes anything.
func (b *inbox) fullLocked(patient func() bool) bool {
	if b.closed || b.bytes < b.limit {
		return false
	}
	return b.bytes >= patientFactor*b.limit || !patient()
}

// force queues a delivery however full the inbox is.
func (b *inbox) force(d delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.putLocked(d)
}

func (b *inbox) putLocked(d delivery) {
	if b.closed {
		return
	}
	b.queue = append(b.queue, d)
	b.bytes += d.size
	if !b.running {
		b.running = true
		go b.run()
	}
}

// wake has put ask again whether it must wait.
func (b *inbox) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeLocked()
}

func (b *inbox) wakeLocked() {
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
}

func (b *inbox) run() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) > 0 {
		d := b.queue[0]
		b.queue[0] = delivery{}
		b.queue = b.queue[1:]
		b.mu.Unlock()
		d.call(b.ctx)
		b.mu.Lock()
		b.bytes -= d.size
		b.wakeLocked()
	}
	b.queue = nil // an idle client keeps no buffer
	b.running = false
	b.idleLocked()
}

func (b *inbox) idleLocked() {
	if b.finished && !b.running {
		close(b.idle)
		b.cancel()
	}
}

// discard takes nothing more, and forgets what is queued.
func (b *inbox) discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.queue, b.bytes = nil, 0
	b.wakeLocked()
}

// finish takes nothing more; what is queued is still delivered. It is called
// once, when nothing else of the client runs.
func (b *inbox) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.finished = true, true
	b.idleLocked()
}
