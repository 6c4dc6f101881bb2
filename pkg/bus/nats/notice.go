package nats

import (
	"sync"

	"github.com/chenxilol/gohub/pkg/bus"
)

// notices gives one notice at a time, and none after close.
type notices struct {
	mu     sync.Mutex // guards closed, and is held while notify runs
	closed bool
	notify func(bus.Notice) // nil: nobody listens
}

func (n *notices) give(notice bus.Notice) {
	if n.notify == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.notify(notice)
	}
}

func (n *notices) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}
