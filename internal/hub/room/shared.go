package room

import (
	"strconv"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// A shared room has members on several nodes. Its history is a log of the
// cluster, of which each node with members holds the newest part: entries come
// with the offsets that the log gave them.

// Place is where an entry stands in the log.
type Place struct {
	Epoch        string // without ':'
	Offset, Prev uint64
}

// Position returns the place as clients see it, and that before it.
func (p Place) Position() (position, prev string) {
	return p.Epoch + ":" + strconv.FormatUint(p.Offset, 10), p.Epoch + ":" + strconv.FormatUint(p.Prev, 10)
}

// Add delivers the next entry of the room's log to the members and keeps it. Where
// the room has too much to deliver it waits, or else returns false and takes
// nothing.
func (r *Room) Add(m *Message, p Place, wait bool) (taken bool) {
	r.mu.Lock()
	if !wait && r.bytes > maxPending && !r.deleted {
		r.mu.Unlock()
		return false
	}
	if !r.waitForSpace() {
		r.mu.Unlock()
		return true
	}
	if h := r.history; h != nil {
		if h.epoch != p.Epoch {
			r.history = newHistory(p.Epoch, h.size, h.ttl)
			r.history.offset = p.Prev
		}
		r.history.put(m.Record, p.Offset)
	}
	inline := r.enqueue(m, true)
	r.mu.Unlock()
	if inline {
		r.run(inlinePasses)
	}
	return true
}

// Load replaces what the room keeps of its log; nobody is told. records are
// oldest first, places theirs; tail is the end of the log.
func (r *Room) Load(records []*Record, places []Place, tail Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.history
	if h == nil {
		return
	}
	r.history = newHistory(tail.Epoch, h.size, h.ttl)
	for i, m := range records {
		r.history.offset = places[i].Prev
		r.history.put(m, places[i].Offset)
	}
	r.history.offset = tail.Offset
}

// Notify sends a frame to the members that speak gohub.v1.
func (r *Room) Notify(frame []byte) {
	r.mu.Lock()
	if r.deleted || r.members.count == 0 {
		r.mu.Unlock()
		return
	}
	inline := r.enqueue(&Message{Frame: frame, Op: wire.Text, V1Only: true}, true)
	r.mu.Unlock()
	if inline {
		r.run(inlinePasses)
	}
}
