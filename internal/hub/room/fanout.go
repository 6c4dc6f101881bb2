package room

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

const (
	// maxBatch bounds what one pass writes to each member at once.
	maxBatch = 48 << 10
	// minGather and maxGather bound the time that gather waits.
	minGather, maxGather = 100 * time.Microsecond, 4 * time.Millisecond
	// maxPending bounds what a room has accepted and not begun to deliver:
	// publishers wait beyond it, and their sockets with them.
	maxPending = 4 << 20
	// inlineMembers is the room size up to which a publisher delivers its own
	// message: starting a goroutine would cost more than the writes.
	inlineMembers = 16
	// inlinePasses is how many passes a publisher does.
	inlinePasses = 4
)

// FanOut is what the fan-out of all rooms of a hub shares, and its counters.
type FanOut struct {
	Deflater  wire.Deflater
	Delivered atomic.Uint64 // messages written or queued, counted per member
	Dropped   atomic.Uint64 // messages not delivered because the member was too slow
	Passes    atomic.Uint64
	Observe   func(latency time.Duration) // publish to end of pass; nil: not wanted
	Notice    Notice
	Share     Share // of shared rooms
	Now       func() time.Time
	start     time.Time
}

// NewFanOut returns a FanOut.
func NewFanOut(now func() time.Time, observe func(time.Duration)) *FanOut {
	return &FanOut{Now: now, Observe: observe, start: now()}
}

// Publish sends the message that make returns to the members. make is called
// under the room's lock with the position of the message and the one before
// it, both "" in a room without history. Publish waits while the room has too
// much to deliver; it returns false where the room has been deleted.
func (r *Room) Publish(now time.Time, key Key, make func(position, prev string) *Message) (position string, ok bool) {
	r.mu.Lock()
	if !r.waitForSpace() {
		r.mu.Unlock()
		return "", false
	}
	if key.Text != "" {
		if r.dedup == nil {
			r.dedup = newDedup()
		}
		if position, seen := r.dedup.look(key, now); seen {
			r.mu.Unlock()
			return position, true
		}
	}
	prev := ""
	if r.history != nil {
		prev, position = r.history.next()
	}
	m := make(position, prev)
	if r.history != nil {
		r.history.add(m.Record)
	}
	if key.Text != "" {
		r.dedup.add(key, position, now)
	}
	inline := r.enqueue(m, true)
	r.mu.Unlock()
	if inline {
		r.run(inlinePasses)
	}
	return position, true
}

// Broadcast sends m to the members as it is; history does not keep it. Waiting
// and the result are those of Publish.
func (r *Room) Broadcast(m *Message) (ok bool) {
	r.mu.Lock()
	if !r.waitForSpace() {
		r.mu.Unlock()
		return false
	}
	inline := r.enqueue(m, true)
	r.mu.Unlock()
	if inline {
		r.run(inlinePasses)
	}
	return true
}

// Offer is Broadcast that does not wait: full tells that the room has too much to
// deliver, and m was not taken.
func (r *Room) Offer(m *Message) (full bool) {
	r.mu.Lock()
	if r.deleted || r.bytes > maxPending {
		full = !r.deleted
		r.mu.Unlock()
		return full
	}
	inline := r.enqueue(m, true)
	r.mu.Unlock()
	if inline {
		r.run(inlinePasses)
	}
	return false
}

// waitForSpace waits while too much is pending; false where the room is gone.
func (r *Room) waitForSpace() bool {
	for r.bytes > maxPending && !r.deleted {
		if r.space == nil {
			r.space = sync.NewCond(&r.mu)
		}
		r.space.Wait()
	}
	return !r.deleted
}

// enqueue adds m to what is to be delivered, and starts a pass unless one is
// running. It tells whether the caller is to run it.
// A caller that holds a connection's lock must not.
func (r *Room) enqueue(m *Message, mayRun bool) (inline bool) {
	r.seq++
	m.seq = r.seq
	m.stamp = r.fan.Now().Sub(r.fan.start)
	r.pending = append(r.pending, m)
	r.bytes += len(m.Frame)
	if r.running {
		return false
	}
	r.running = true
	if mayRun && r.members.count <= inlineMembers {
		return true
	}
	go r.run(0)
	return false
}

// run delivers what is pending until nothing is. Messages that come while a
// pass is under way go out together in the next one, joined once for all
// members: it delays nobody, and acts only under load. After so many passes
// (0: any number) it leaves the rest to a goroutine, so that a publisher does
// not deliver for the others for ever.
func (r *Room) run(passes int) {
	for n := 1; ; n++ {
		r.mu.Lock()
		if n == 1 && passes == 0 {
			r.gather()
		}
		batch := r.takeBatch()
		if len(batch) == 0 {
			r.running = false
			r.mu.Unlock()
			return
		}
		blocks := r.members.snapshot()
		r.mu.Unlock()

		begin := r.fan.Now()
		p := pass{fan: r.fan, batch: batch}
		p.deliver(blocks)

		r.mu.Lock()
		r.members.thaw()
		r.passTime = r.fan.Now().Sub(begin)
		r.crowded = len(batch) > 1 || len(r.pending) > 0
		r.mu.Unlock()
		p.finish()
		if n == passes {
			go r.run(0)
			return
		}
	}
}

// gather gives more publishers a moment to queue their messages before the
// first pass, where the last passes had several to deliver: for a sixteenth of
// what a pass takes, a burst from many members then goes out in one pass
// instead of two. A room whose messages come one at a time never waits. The
// caller holds the lock, which is released meanwhile.
func (r *Room) gather() {
	d := min(r.passTime/16, maxGather)
	if !r.crowded || d < minGather || r.bytes >= maxBatch {
		return
	}
	r.mu.Unlock()
	time.Sleep(d)
	r.mu.Lock()
}

// takeBatch takes the messages of the next pass.
func (r *Room) takeBatch() []*Message {
	n, size := 0, 0
	for n < len(r.pending) && (n == 0 || size+len(r.pending[n].Frame) <= maxBatch) {
		size += len(r.pending[n].Frame)
		n++
	}
	batch := r.pending[:n:n]
	if r.pending = r.pending[n:]; len(r.pending) == 0 {
		r.pending = nil
	}
	r.bytes -= size
	if r.space != nil && r.bytes <= maxPending {
		r.space.Broadcast()
	}
	return batch
}
