package conn

import "sync"

// wheelSlots times the tick is the longest wait the wheel tells apart;
// a connection due later comes by early and is put back. With 100 ms ticks
// that is 51 s, so that an idle connection is touched about as often as it is
// pinged.
const wheelSlots = 512

// wheel is a timer wheel of intrusive lists: scheduling costs two pointer
// writes and no allocation, and a tick touches only what is due. Every
// connection of a shard that is not closed is in it.
type wheel struct {
	mu    sync.Mutex // guards all below, and next, prev and slot of the connections in it
	slots [wheelSlots]*Conn
	last  uint32 // the tick that was served last
	count int
}

// schedule puts c, or moves it, to where it will be looked at by tick at, or
// earlier where at is further than the wheel reaches.
func (w *wheel) schedule(c *Conn, at uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at = max(at, w.last+1)
	at = min(at, w.last+wheelSlots-1)
	slot := int32(at % wheelSlots)
	if c.slot != 0 {
		w.unlink(c)
	}
	c.slot = slot + 1
	c.prev = nil
	c.next = w.slots[slot]
	if c.next != nil {
		c.next.prev = c
	}
	w.slots[slot] = c
	w.count++
}

func (w *wheel) remove(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.slot != 0 {
		w.unlink(c)
	}
}

func (w *wheel) unlink(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[c.slot-1] = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev, c.slot = nil, nil, 0
	w.count--
}

// advance appends the connections due by tick now to due and takes them out
// of the wheel.
func (w *wheel) advance(now uint32, due []*Conn) []*Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now-w.last > wheelSlots {
		w.last = now - wheelSlots
	}
	for w.last < now {
		w.last++
		slot := w.last % wheelSlots
		for c := w.slots[slot]; c != nil; c = w.slots[slot] {
			w.unlink(c)
			due = append(due, c)
		}
	}
	return due
}

// all returns every connection in the wheel.
func (w *wheel) all() []*Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	conns := make([]*Conn, 0, w.count)
	for _, c := range w.slots {
		for ; c != nil; c = c.next {
			conns = append(conns, c)
		}
	}
	return conns
}
