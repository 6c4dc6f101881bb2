package cluster

import (
	"slices"
	"sync"
	"time"
)

// Definition is a room that was created by a call, with what was said of it.
// Every node holds it; it lives until it is deleted.
type Definition struct {
	Room, Name string
	Max        int           // members; 0: no limit
	Grace      time.Duration // how long it stays without members; 0: for ever
	CreatedAt  time.Time
}

// definition is a Definition or, for a while, the memory of one deleted.
type definition struct {
	Definition
	version uint64 // the higher wins
	deleted bool

	idleSince time.Time // since when the owner has seen no members, where there is a grace
}

// definitions are all that this node knows of.
type definitions struct {
	mu     sync.Mutex // guards all below
	rooms  map[string]definition
	live   digestOfDefinitions // of those not deleted
	last   uint64              // the last version drawn
	behind map[uint64]int      // heartbeats in a row in which a node said it knows others
}

// digestOfDefinitions is the same on two nodes that know the same definitions.
type digestOfDefinitions struct{ count, sum uint64 }

// deletedFor is how long a deletion is remembered: longer than any node that
// does not know of it stays away and comes back.
const deletedFor = time.Hour

func (d *definitions) init() {
	d.rooms = make(map[string]definition)
	d.behind = make(map[uint64]int)
}

func (d *definitions) digest() digestOfDefinitions {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live
}

// fingerprint is what a definition adds to the sum.
func (x definition) fingerprint() uint64 {
	k := KeyOf(x.Room)
	var sum uint64
	for _, b := range k {
		sum = sum<<8 | sum>>56 ^ uint64(b)
	}
	return mix(sum ^ mix(x.version))
}

// merge takes a definition in, and tells whether it is news.
func (d *definitions) merge(x definition, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, known := d.rooms[x.Room]
	if known && (old.version > x.version || old.version == x.version && (old.deleted || !x.deleted)) {
		return false
	}
	if known && !old.deleted {
		d.live.count--
		d.live.sum -= old.fingerprint()
	}
	if !x.deleted {
		d.live.count++
		d.live.sum += x.fingerprint()
	}
	d.rooms[x.Room] = x
	d.last = max(d.last, x.version)
	if x.deleted {
		d.forgetDeleted(now)
	}
	return true
}

// create takes a definition in where there is none of its room.
func (d *definitions) create(x definition) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, known := d.rooms[x.Room]; known && !old.deleted {
		return false
	}
	d.live.count++
	d.live.sum += x.fingerprint()
	d.rooms[x.Room] = x
	return true
}

// forgetDeleted drops deletions that are old.
func (d *definitions) forgetDeleted(now time.Time) {
	old := version(now.Add(-deletedFor))
	for room, x := range d.rooms {
		if x.deleted && x.version < old {
			delete(d.rooms, room)
		}
	}
}

// draw returns a version above all that this node has seen, so that clocks which
// differ do not break the order.
func (d *definitions) draw(now time.Time) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = max(d.last+1, version(now))
	return d.last
}

// version is the lowest of a millisecond.
func version(t time.Time) uint64 { return uint64(t.UnixMilli()) << 16 }

// get returns the definition of a room that is not deleted.
func (d *definitions) get(room string) (Definition, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.rooms[room]
	return x.Definition, ok && !x.deleted
}

// page returns the definitions whose rooms' names come behind after, as many as
// go into one answer.
func (d *definitions) page(after string) (list writer, last string) {
	d.mu.Lock()
	names := make([]string, 0, len(d.rooms))
	for room := range d.rooms {
		if room > after {
			names = append(names, room)
		}
	}
	d.mu.Unlock()
	slices.Sort(names)
	for i, room := range names {
		d.mu.Lock()
		x, ok := d.rooms[room]
		d.mu.Unlock()
		if ok {
			list.definition(x)
		}
		if len(list) > definitionBytes && i < len(names)-1 {
			return list, room
		}
	}
	return list, ""
}

func (w *writer) definition(x definition) {
	w.string(x.Room)
	w.string(x.Name)
	w.uint(uint64(x.Max))
	w.uint(uint64(max(x.CreatedAt.UnixMilli(), 0)))
	w.uint(uint64(x.Grace))
	w.fixed(x.version)
	w.bool(x.deleted)
}

func (r *reader) definition() definition {
	x := definition{Definition: Definition{Room: r.string(), Name: r.string(), Max: int(r.uint())}}
	x.CreatedAt, x.Grace = time.UnixMilli(int64(r.uint())), time.Duration(r.uint())
	x.version, x.deleted = r.fixed(), r.bool()
	return x
}
