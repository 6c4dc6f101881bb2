package cluster

import (
	"context"
	"slices"
	"time"
)

// sweepDefinitions deletes the rooms this node owns that were to stay for a time
// only and have had no members anywhere for that long.
func (c *Cluster) sweepDefinitions(ctx context.Context) {
	d := &c.defined
	var rooms []string
	d.mu.Lock()
	for room, x := range d.rooms {
		if !x.deleted && x.Grace > 0 {
			rooms = append(rooms, room)
		}
	}
	d.mu.Unlock()
	rooms = slices.DeleteFunc(rooms, func(room string) bool { return !c.mayDecideNow(room) })
	for len(rooms) > 0 {
		n, size := 0, 0
		for n < len(rooms) && size < joinBytes {
			size += len(rooms[n])
			n++
		}
		c.sweepIdle(ctx, rooms[:n])
		rooms = rooms[n:]
	}
}

// sweepIdle deletes those of some rooms that have had no members for long enough.
func (c *Cluster) sweepIdle(ctx context.Context, rooms []string) {
	d := &c.defined
	busy := make(map[string]bool)
	for _, room := range c.busyHere(rooms) {
		busy[room] = true
	}
	var w writer
	w.strings(rooms)
	missing := c.AskAll(ctx, "busy", w, func(_ NodeInfo, answer []byte) {
		r := reader{b: answer}
		for _, room := range r.strings() {
			busy[room] = true
		}
	})
	if len(missing) > 0 {
		return
	}
	for _, room := range rooms {
		if d.idle(room, busy[room], c.cfg.Now()) {
			x := definition{Definition: Definition{Room: room}, version: d.draw(c.cfg.Now()), deleted: true}
			if d.merge(x, c.cfg.Now()) {
				c.announce(x)
			}
		}
	}
}

// idle notes whether a room has members, and tells whether its time is up.
func (d *definitions) idle(room string, busy bool, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.rooms[room]
	if !ok || x.deleted {
		return false
	}
	if busy || x.idleSince.IsZero() {
		x.idleSince = now
		d.rooms[room] = x
	}
	return now.Sub(x.idleSince) >= x.Grace
}

func (c *Cluster) busyHere(rooms []string) []string {
	return slices.DeleteFunc(slices.Clone(rooms), func(room string) bool { return !c.cfg.Host.Busy(room) })
}

// answerBusy tells which of some rooms have members here.
func (c *Cluster) answerBusy(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	var w writer
	w.strings(c.busyHere(r.strings()))
	return w, r.err()
}
