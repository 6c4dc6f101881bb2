package cluster

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/fault"
	"github.com/chenxilol/gohub/pkg/bus"
)

// channel is a room as this node sees it from the bus: what it publishes there,
// and what it hears. It costs no goroutine.
type channel struct {
	key  Key
	room string

	mu sync.Mutex // guards all below

	// Publishing: messages are numbered within a stream, which this node begins
	// anew when it has forgotten the channel in between.
	stream, seq uint64
	dirty       bool // is in the next digest

	// Hearing.
	refs      int              // members on this node, and joins under way
	sub       bus.Subscription // nil: not subscribed
	idleSince time.Time        // when refs became 0
	joined    bool             // every node knows of the subscription
	unsure    bool             // members have joined before it was
	since     time.Time        // when it was subscribed
	joining   *joining         // nil: no join is under way
	heard     []publisher      // whose messages have come, or would be expected
	feed      *feed            // nil: no history

	existsUntil time.Time // some node has said that it has the room: good for a while
}

// channels are the channels of this node, by room.
type channels struct {
	seed    maphash.Seed
	streams atomic.Uint64
	shards  [channelShards]channelShard
}

const channelShards = 64

type channelShard struct {
	mu    sync.Mutex // guards rooms
	rooms map[string]*channel
}

// idleFor is how long a channel without members stays: somebody often comes
// again, and a stream that goes on is checked more tightly than a new one.
const idleFor = 10 * time.Second

func (s *channels) init() {
	s.seed = maphash.MakeSeed()
	for i := range s.shards {
		s.shards[i].rooms = make(map[string]*channel)
	}
}

func (s *channels) shard(room string) *channelShard {
	return &s.shards[maphash.String(s.seed, room)%channelShards]
}

// locked returns the channel of a room, made if there is none, with its lock
// held: it is in the table until that is released.
func (s *channels) locked(c *Cluster, room string) *channel {
	shard := s.shard(room)
	shard.mu.Lock()
	ch := shard.rooms[room]
	if ch == nil {
		ch = &channel{key: KeyOf(room), room: room, idleSince: c.cfg.Now()}
		shard.rooms[room] = ch
	}
	ch.mu.Lock()
	shard.mu.Unlock()
	return ch
}

// find returns the channel of a room with its lock held, nil if there is none.
func (s *channels) find(room string) *channel {
	shard := s.shard(room)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	ch := shard.rooms[room]
	if ch != nil {
		ch.mu.Lock()
	}
	return ch
}

// all returns every channel.
func (s *channels) all() []*channel {
	var all []*channel
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for _, ch := range shard.rooms {
			all = append(all, ch)
		}
		shard.mu.Unlock()
	}
	return all
}

// sweep forgets the channels that nobody has used for a while, and tries again
// for those whose join did not reach the others.
func (s *channels) sweep(c *Cluster) {
	var again []*channel
	defer func() { c.barrier.add(again...) }()
	old := c.cfg.Now().Add(-idleFor)
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for room, ch := range shard.rooms {
			ch.mu.Lock()
			if ch.refs == 0 && ch.joining == nil && !ch.dirty && ch.idleSince.Before(old) && !ch.feed.reading() {
				delete(shard.rooms, room)
				ch.unsubscribe(c)
			}
			if ch.refs > 0 && !ch.joined && ch.joining == nil {
				again = append(again, ch)
			}
			ch.mu.Unlock()
		}
		shard.mu.Unlock()
	}
}

func (ch *channel) unsubscribe(c *Cluster) {
	if ch.sub == nil {
		return
	}
	if err := ch.sub.Unsubscribe(); err != nil {
		c.cfg.Logger.Debug("unsubscribe failed", "error", err)
	}
	ch.sub, ch.joined, ch.unsure, ch.heard = nil, false, false, nil
	if ch.feed != nil {
		ch.feed.reset()
	}
}

// Publish sends a room's message to the members on other nodes; the caller
// delivers it on this one. It keeps the order of calls for a room. It tells
// whether the message is on its way: false means that it goes no further than
// this node, which the members of others are told of when the bus is back.
func (c *Cluster) Publish(m Message) (sent bool) {
	_, degraded := c.Degraded()
	ch := c.rooms.locked(c, m.Room)
	defer ch.mu.Unlock()
	if ch.stream == 0 {
		ch.stream = c.rooms.streams.Add(1)
	}
	ch.seq++
	if !ch.dirty {
		ch.dirty = true
		c.digest.add(ch)
	}
	if ch.refs == 0 {
		ch.idleSince = c.cfg.Now()
	}
	if degraded {
		c.Metrics.Withheld.Add(1)
		return fault.On("acknowledged-degraded")
	}
	w := make(writer, 0, 48+len(m.Room)+len(m.Frame))
	w.byte(kindRoom)
	w.fixed(c.boot)
	w.uint(ch.stream)
	w.uint(ch.seq)
	w.uint(uint64(c.cfg.Now().UnixMilli()))
	w.byte(byte(m.Kind))
	w.string(m.Room)
	w.strings(m.Exclude)
	w = append(w, m.Frame...)
	if err := c.bus.Publish(ch.key.subject(), w); err != nil {
		if !errors.Is(err, bus.ErrRefused) {
			c.cfg.Logger.Warn("message not published", "error", err)
		}
		c.Metrics.Withheld.Add(1)
		return false
	}
	return true
}

// receiveRoom takes a message of a room from the bus.
func (c *Cluster) receiveRoom(m bus.Message) {
	if m.Entry.Epoch != "" {
		c.receiveEntry(m.Entry, m.Payload)
		return
	}
	r := reader{b: m.Payload}
	kind, from := r.byte(), r.fixed()
	if r.bad || from == c.boot {
		return
	}
	switch kind {
	case kindRoom:
		stream, seq, at := r.uint(), r.uint(), time.UnixMilli(int64(r.uint()))
		msg := Message{From: from, Kind: Kind(r.byte()), Room: r.string(), Exclude: r.strings()}
		msg.Frame = r.rest()
		if r.bad {
			return
		}
		ch := c.rooms.find(msg.Room)
		if ch == nil {
			return // the last member has left
		}
		if ch.key.subject() != m.Subject {
			ch.mu.Unlock()
			return // not this room's
		}
		fresh, h := ch.arrived(from, stream, seq, at)
		ch.mu.Unlock()
		c.checkAge(at)
		if h.found {
			c.tellGap(msg.Room, Gap{Reason: ReasonLost, Since: h.since})
		}
		if fresh && !c.misdeliver(msg, seq) {
			c.cfg.Host.Message(msg)
		}
	case kindEntry:
		place := bus.Place{Epoch: r.string(), Offset: r.uint(), Prev: r.uint()}
		if !r.bad {
			c.receiveEntry(place, r.rest())
		}
	}
}

// oldAfter is the age from which a message shows that somebody was asleep.
const oldAfter = 500 * time.Millisecond

// overdue is when the host was told of old messages last.
type overdue struct {
	mu sync.Mutex // guards at; held while the host is told
	at time.Time
}

// checkAge has the host end what is overdue, where a message is old. Whoever
// brings another meanwhile waits for that: it must not come first.
func (c *Cluster) checkAge(at time.Time) {
	now := c.cfg.Now()
	if now.Sub(at) < oldAfter {
		return
	}
	c.overdue.mu.Lock()
	defer c.overdue.mu.Unlock()
	if now.Sub(c.overdue.at) > oldAfter {
		c.overdue.at = now
		c.cfg.Host.Overdue()
	}
}

func (c *Cluster) tellGap(room string, g Gap) {
	if fault.On("gap-not-told") {
		return
	}
	c.Metrics.Gaps.Add(1)
	c.cfg.Host.Gap(room, g)
}
