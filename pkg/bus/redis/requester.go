package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	goredis "github.com/redis/go-redis/v9"
)

// Bounds of a requester: a batch holds up Redis for a few milliseconds.
const (
	batchRequests = 128
	// How long a replica may take for what it must have.
	replicaWithin = 500 * time.Millisecond
)

// errNoReplica says that a write is with the master alone.
var errNoReplica = fmt.Errorf("no replica has it within %v", replicaWithin)

// request is one command whose answer is waited for.
type request struct {
	args   command
	size   int // of args, about, in bytes
	writes bool
	state  atomic.Int32
	done   chan reply // of capacity 1
}

// command makes the words of a command for a server.
type command func(server) []any

// States of a request: whoever moves it out of the queue decides its outcome.
const (
	requestQueued = iota
	requestSent
	requestWithdrawn
)

// reply is the outcome of a request.
type reply struct {
	value any
	err   error
	// Unknown means that an error does not say whether it was done.
	unknown bool
}

// requester is the connection for commands to one Redis node that are waited
// for. What waits while a batch is on its way is the next batch.
type requester struct {
	node *node
	wake chan struct{}

	mu    sync.Mutex
	queue []*request // guarded by mu
	gone  bool       // guarded by mu
}

func newRequester(n *node) *requester {
	return &requester{node: n, wake: make(chan struct{}, 1)}
}

// do makes a request and waits for its reply, or for ctx to end.
func (r *requester) do(ctx context.Context, args command, size int, writes bool) reply {
	q := &request{args: args, size: size + messageCost, writes: writes, done: make(chan reply, 1)}
	r.mu.Lock()
	if r.gone {
		r.mu.Unlock()
		return reply{err: errGone}
	}
	r.queue = append(r.queue, q)
	signal(r.wake)
	r.mu.Unlock()
	select {
	case got := <-q.done:
		return got
	case <-ctx.Done():
		return reply{err: ctx.Err(), unknown: !q.state.CompareAndSwap(requestQueued, requestWithdrawn)}
	}
}

// take returns the next batch, and whether there is another.
func (r *requester) take() (batch []*request, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes := 0
	for len(r.queue) > 0 && len(batch) < batchRequests && bytes < batchBytes {
		q := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		if q.state.CompareAndSwap(requestQueued, requestSent) {
			batch = append(batch, q)
			bytes += q.size
		}
	}
	return batch, len(r.queue) > 0
}

// session is the life of one connection.
func (r *requester) session(ctx context.Context, l *link) error {
	s, err := r.greet(ctx, l)
	if err != nil {
		return err
	}
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	signal(r.wake) // for what waits since before
	loaded := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if s, err = r.greet(ctx, l); err != nil {
				return err
			}
		case <-r.wake:
			if scripts := r.node.bus.scripts; scripts != nil && !loaded {
				if err := scripts.load(ctx, l.conn); err != nil {
					return err
				}
			}
			batch, more := r.take()
			if loaded, err = r.send(ctx, l.conn, s, batch); err != nil {
				return err
			}
			if more {
				signal(r.wake) // so that a flood does not keep off the tick
			}
		}
	}
}

func (r *requester) greet(ctx context.Context, l *link) (server, error) {
	s, err := greet(ctx, l.conn)
	s.sharded = r.node.sharded
	return s, err
}

// send makes the round trip of one batch. Loaded is false when Redis has
// forgotten the scripts.
func (r *requester) send(ctx context.Context, conn *goredis.Conn, s server, batch []*request) (loaded bool, err error) {
	if len(batch) == 0 {
		return true, nil
	}
	pipe := conn.Pipeline()
	cmds := make([]*goredis.Cmd, len(batch))
	writes := false
	for i, q := range batch {
		cmds[i] = pipe.Do(ctx, q.args(s)...)
		writes = writes || q.writes
	}
	var wait *goredis.Cmd
	if writes && (s.replicas > 0 || r.node.replicated.Load()) {
		wait = pipe.Do(ctx, "WAIT", 1, replicaWithin.Milliseconds())
	}
	_, err = pipe.Exec(ctx)
	if isReply(err) {
		err = nil // it is that of one of the commands
	}
	alone := false
	if wait != nil && err == nil {
		replicas, waitErr := wait.Int()
		alone = waitErr != nil || replicas < 1
	}
	loaded = true
	for i, q := range batch {
		got := reply{value: cmds[i].Val(), err: cmds[i].Err()}
		switch {
		case err != nil && !isReply(got.err):
			got.err, got.unknown = err, true
		case got.err != nil:
			got.unknown = !isNotNow(got.err)
			loaded = loaded && !goredis.HasErrorPrefix(got.err, "NOSCRIPT")
			if slot, ok := movedSlot(got.err); ok {
				r.node.bus.moved(slot)
			}
		case q.writes && alone:
			got.err, got.unknown = errNoReplica, true
		}
		q.done <- got
	}
	return loaded, err
}

// lost leaves what waits to the next connection, unless there is none.
func (r *requester) lost(err error) {
	if errors.Is(err, errGone) {
		r.end()
	}
}

// end is called when the node is no longer used.
func (r *requester) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	for _, q := range r.queue {
		if q.state.CompareAndSwap(requestQueued, requestSent) {
			q.done <- reply{err: errGone}
		}
	}
	r.queue = nil
}

// request makes a request to the owner of a partition, again and again until it
// has an answer or ctx ends. Size is that of args, about. The error is ErrClosed,
// ErrRefused or ErrUnknown.
func (b *Bus) request(ctx context.Context, partition int, writes bool, size int, args command) (any, error) {
	var pause backoff
	var last reply
	unknown := false
	for {
		if b.closed.Load() {
			return nil, failed(errClosed, unknown, last.err)
		}
		n := b.owners.Load()[partition]
		switch {
		case n == nil:
			_, _, last.err = b.state.now()
		case writes:
			last = n.writes.do(ctx, args, size, true)
		default:
			last = n.reads.do(ctx, args, size, false)
		}
		if n != nil && last.err == nil {
			return last.value, nil
		}
		unknown = unknown || last.unknown
		permanent := isReply(last.err) && !isNotNow(last.err)
		if permanent || !pause.sleep(ctx) {
			if b.closed.Load() {
				return nil, failed(errClosed, unknown, last.err)
			}
			return nil, failed(bus.ErrRefused, unknown, last.err)
		}
	}
}

// failed makes the error of a request that was given up.
func failed(refused error, unknown bool, last error) error {
	switch {
	case unknown && errors.Is(refused, bus.ErrClosed):
		refused = fmt.Errorf("%w: %w", bus.ErrUnknown, bus.ErrClosed)
	case unknown:
		refused = bus.ErrUnknown
	}
	if last == nil {
		return refused
	}
	return fmt.Errorf("%w: %w", refused, last)
}
