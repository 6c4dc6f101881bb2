package conn

import (
	"sync/atomic"
	"time"
)

const (
	// maxIdleWorkers is how many goroutines may wait for messages to handle.
	maxIdleWorkers = 128
	// workerIdle is about how long one waits before it goes: the goroutines of
	// an idle engine do not depend on what it has done.
	workerIdle = time.Second
)

// workers are goroutines that handle messages, used again while there is work:
// a fresh one has to grow its stack under nearly every handler, which costs
// more than all the rest of a small message. Whatever happens in one handler,
// there is a goroutine for the next connection.
type workers struct {
	work chan *Conn    // unbuffered: received by idle workers only
	quit chan struct{} // unbuffered: makes one idle worker end
	stop chan struct{} // closed when the engine ends
	idle atomic.Int32
	used atomic.Bool // since the last trim
}

func (w *workers) init(stop chan struct{}) {
	w.work, w.quit, w.stop = make(chan *Conn), make(chan struct{}), stop
}

// run has a goroutine handle c's messages. It never blocks.
func (w *workers) run(c *Conn) {
	select {
	case w.work <- c:
	default:
		go w.worker(c)
	}
}

func (w *workers) worker(c *Conn) {
	for {
		c.work()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case c = <-w.work:
			w.idle.Add(-1)
			w.used.Store(true)
		case <-w.quit:
			w.idle.Add(-1)
			return
		case <-w.stop:
			return
		}
	}
}

// trim ends idle workers: half of them while there is work, all of them when
// there was none since the last time.
func (w *workers) trim() {
	n := int(w.idle.Load())
	if w.used.Swap(false) {
		n /= 2
	}
	for range n {
		select {
		case w.quit <- struct{}{}:
		default:
			return
		}
	}
}
