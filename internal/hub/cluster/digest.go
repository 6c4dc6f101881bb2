package cluster

import (
	"sync"
	"time"
)

// digest tells the other nodes how far this node's streams have come, and
// compares what they tell with what has arrived: a lost message is found when
// the next one comes, the last one only so.
type digest struct {
	mu       sync.Mutex // guards all below
	touched  []*channel // published to since the last digest
	previous []stream   // what the last digest said, which the next repeats
	checked  time.Time  // when late was looked through
	late     []*channel // some node says it has published more than has come
}

// stream is how far a stream has come.
type stream struct {
	room    string
	id, seq uint64
}

// lateAfter is how long what a node says it has published may take to come.
const lateAfter = 400 * time.Millisecond

// digestBytes bounds one message of a digest.
const digestBytes = 128 << 10

// add notes that a channel was published to; its dirty flag says that it is
// noted.
func (d *digest) add(ch *channel) {
	d.mu.Lock()
	d.touched = append(d.touched, ch)
	d.mu.Unlock()
}

// suspect notes that something may not have come.
func (d *digest) suspect(ch *channel) {
	d.mu.Lock()
	d.late = append(d.late, ch)
	d.mu.Unlock()
}

// sendDigest tells how far the streams have come that were used since the last
// digest but one. While the bus is away they are kept for when it is back.
func (c *Cluster) sendDigest() {
	d := &c.digest
	d.mu.Lock()
	touched, previous := d.touched, d.previous
	d.touched = nil
	d.mu.Unlock()
	now := make([]stream, 0, len(touched))
	for _, ch := range touched {
		ch.mu.Lock()
		ch.dirty = false
		now = append(now, stream{ch.room, ch.stream, ch.seq})
		ch.mu.Unlock()
	}
	sent := true
	if _, degraded := c.Degraded(); degraded {
		sent = false
	}
	for list := append(now, previous...); sent && len(list) > 0; {
		w := c.message(kindDigest)
		for len(list) > 0 && len(w) < digestBytes {
			w.string(list[0].room)
			w.uint(list[0].id)
			w.uint(list[0].seq)
			list = list[1:]
		}
		if err := c.bus.Publish(everyone, w); err != nil {
			c.cfg.Logger.Debug("digest not sent", "error", err)
			sent = false
		}
	}
	if !sent {
		now = latest(append(previous, now...))
	}
	d.mu.Lock()
	d.previous = now
	d.mu.Unlock()
}

// latest returns the last of each room's streams.
func latest(list []stream) []stream {
	last := make(map[string]stream, len(list))
	for _, s := range list {
		if old, ok := last[s.room]; !ok || s.id > old.id || s.id == old.id && s.seq > old.seq {
			last[s.room] = s
		}
	}
	list = list[:0]
	for _, s := range last {
		list = append(list, s)
	}
	return list
}

// compare takes another node's digest.
func (c *Cluster) compare(from uint64, r *reader) {
	for len(r.b) > 0 {
		room, id, seq := r.string(), r.uint(), r.uint()
		if r.bad {
			return
		}
		ch := c.rooms.find(room)
		if ch == nil {
			continue
		}
		late := false
		if ch.joined && ch.refs > 0 {
			ch.expect(from, id, seq)
			p := ch.publisher(from)
			late = p.behind >= p.next
		}
		ch.mu.Unlock()
		if late {
			c.digest.suspect(ch)
		}
	}
}

// checkLate finds the messages that a node says it has published and that have
// not come between two calls, half a second apart: they were sent before the
// node said so, and are lost.
func (c *Cluster) checkLate() {
	d := &c.digest
	d.mu.Lock()
	now := c.cfg.Now()
	if now.Sub(d.checked) < lateAfter {
		d.mu.Unlock()
		return
	}
	late := d.late
	d.late, d.checked = nil, now
	d.mu.Unlock()
	for _, ch := range late {
		ch.mu.Lock()
		h, again := ch.overdue()
		told := h.found && ch.refs > 0
		ch.mu.Unlock()
		if again {
			d.suspect(ch)
		}
		if told {
			c.tellGap(ch.room, Gap{Reason: ReasonLost, Since: h.since})
		}
	}
}
