package cluster

import (
	"sync"
	"sync/atomic"
)

// calls are the questions and answers under way.
type calls struct {
	handlers map[string]registered // not changed after Start
	next     atomic.Uint64
	serving  chan struct{}

	mu      sync.Mutex // guards all below
	pending map[uint64]*call
	closed  bool
}

type registered struct {
	f     Handler
	quick bool
}

// call is a question and who has yet to answer it.
type call struct {
	number  uint64
	waiting map[uint64]struct{}        // guarded by calls.mu
	each    func(from uint64, r reply) // called under calls.mu
	done    chan struct{}              // closed when nobody is waited for
}

type reply struct {
	data []byte
	err  error
}

func (c *calls) init() {
	c.handlers = make(map[string]registered)
	c.pending = make(map[uint64]*call)
	c.serving = make(chan struct{}, maxServing)
}

// add begins a call; false after close.
func (c *calls) add(nodes []uint64, each func(uint64, reply)) (*call, bool) {
	k := &call{number: c.next.Add(1), waiting: make(map[uint64]struct{}, len(nodes)), each: each, done: make(chan struct{})}
	for _, n := range nodes {
		k.waiting[n] = struct{}{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[k.number] = k
	return k, !c.closed
}

// remove ends a call: its answers are not taken any more. It tells whether all
// have come.
func (c *calls) remove(k *call) (complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, k.number)
	return len(k.waiting) == 0
}

// take takes an answer.
func (c *calls) take(from, number uint64, r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.pending[number]
	if k == nil {
		return
	}
	if _, ok := k.waiting[from]; !ok {
		return
	}
	k.each(from, r)
	k.answered(from)
}

// gone has nobody wait for a node any more that is dead.
func (c *calls) gone(node uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.pending {
		if _, ok := k.waiting[node]; ok {
			k.each(node, reply{err: errNoAnswer})
			k.answered(node)
		}
	}
}

func (k *call) answered(node uint64) {
	if delete(k.waiting, node); len(k.waiting) == 0 {
		close(k.done)
	}
}

// close refuses further calls.
func (c *calls) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}
