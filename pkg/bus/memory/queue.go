package memory

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/chenxilol/gohub/pkg/bus"
)

// queue holds what waits to be delivered to one node, bounded by bytes, and has the
// goroutine that delivers it. Notices stand in it where what they tell of happened.
type queue struct {
	limit  int              // bytes
	told   func(bus.Notice) // nil: nobody listens
	ended  chan struct{}    // closed when nothing is delivered any more
	closed atomic.Bool      // set with mu held

	// bytes is what waits. It grows with mu held, shrinks without.
	bytes atomic.Int64

	mu    sync.Mutex // guards what is below
	wake  sync.Cond  // items has become longer than 0, or closed is set
	items []item
	count bus.Stats
}

// item is a message for a subscription, or a notice, or what has been dropped here.
type item struct {
	to      *subscription
	message bus.Message
	notice  *bus.Notice
	dropped map[string]struct{} // subjects
}

func newQueue(limit int, told func(bus.Notice)) *queue {
	q := &queue{limit: limit, told: told, ended: make(chan struct{})}
	q.wake.L = &q.mu
	return q
}

// put queues a message, whose payload it copies, or drops it if there is no room.
func (q *queue) put(to *subscription, m bus.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed.Load() {
		return
	}
	size := int64(len(m.Payload) + overhead)
	if waiting := q.bytes.Load(); waiting > 0 && waiting+size > int64(q.limit) {
		q.drop(m.Subject)
		return
	}
	q.bytes.Add(size)
	q.count.ReceivedMessages++
	q.count.ReceivedBytes += uint64(len(m.Payload))
	m.Payload = bytes.Clone(m.Payload)
	q.add(item{to: to, message: m})
}

// drop counts a message that is lost, and has the node told at this place of the
// queue. The caller holds mu.
func (q *queue) drop(subject string) {
	q.count.Dropped++
	if q.told == nil {
		return
	}
	if n := len(q.items); n > 0 && q.items[n-1].dropped != nil {
		q.items[n-1].dropped[subject] = struct{}{}
		return
	}
	q.add(item{dropped: map[string]struct{}{subject: {}}})
}

// notify queues a notice.
func (q *queue) notify(n bus.Notice) {
	if q.told == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed.Load() {
		q.add(item{notice: &n})
	}
}

// add appends an item. The caller holds mu.
func (q *queue) add(i item) {
	q.items = append(q.items, i)
	if len(q.items) == 1 {
		q.wake.Signal()
	}
}

func (q *queue) stats() bus.Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// close throws away what waits. What is being delivered still is: ended tells when
// that is over.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed.Store(true)
	q.items = nil
	q.wake.Signal()
}

// maxSpare is how many items' memory an idle queue may hold on to.
const maxSpare = 1024

// run delivers until the queue is closed.
func (q *queue) run() {
	defer close(q.ended)
	var batch []item
	for {
		q.mu.Lock()
		for len(q.items) == 0 && !q.closed.Load() {
			q.wake.Wait()
		}
		batch, q.items = q.items, batch[:0]
		q.mu.Unlock()
		for _, i := range batch {
			if q.closed.Load() {
				return
			}
			q.deliver(i)
		}
		clear(batch)
		if cap(batch) > maxSpare {
			batch = nil
		}
		if q.closed.Load() {
			return
		}
	}
}

// deliver calls whom an item is for.
func (q *queue) deliver(i item) {
	switch {
	case i.notice != nil:
		q.told(*i.notice)
	case i.dropped != nil:
		q.told(bus.Notice{
			Kind:     bus.Dropped,
			Subjects: slices.Sorted(maps.Keys(i.dropped)),
			Err:      errSlow,
		})
	default:
		size := int64(len(i.message.Payload) + overhead)
		if !i.to.ended.Load() {
			i.to.deliver(i.message)
		}
		q.bytes.Add(-size)
	}
}
