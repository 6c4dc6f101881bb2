package hub

import (
	"context"
	"sync"
)

// passes counts the goroutines that pass events on. Unlike a sync.WaitGroup it
// may be waited for while others begin, and none begins behind the end.
type passes struct {
	mu     sync.Mutex // guards all below
	count  int
	closed bool
	ended  chan struct{} // closed when the next one ends; nil: nobody waits
}

// begin counts a goroutine; false where close has returned.
func (p *passes) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.count++
	return true
}

func (p *passes) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count--
	if p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
}

// close waits until at most so many goroutines are left, or until ctx ends.
func (p *passes) close(ctx context.Context, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.count > left && ctx.Err() == nil {
		if p.ended == nil {
			p.ended = make(chan struct{})
		}
		ended := p.ended
		p.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		p.mu.Lock()
	}
	p.closed = true
}
