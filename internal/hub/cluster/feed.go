package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// feed is a room's history as it comes to this node: every entry once, in the
// log's order, without holes. A hole is read from the log.
type feed struct {
	state   feedState
	tail    bus.Tail  // the last entry delivered
	at      time.Time // the latest that any entry delivered was appended, by the clock of the node that did
	left    time.Time // at, when the log was changed for another; zero: never
	before  string    // the epoch of the log that was left
	wanted  bool      // members wait for it
	missed  time.Time // since when there are members who joined without the history; zero: none
	waiting []entry   // arrived while the log is read
	loaded  chan struct{}

	deliver sync.Mutex // held while the host is given entries; taken under the channel's lock
	refused *behind    // guarded by deliver: tail and at before an entry that the host did not take; nil: none
}

// behind is where members are who have not had all that came.
type behind struct {
	offset uint64
	at     time.Time
}

// reading tells whether the log is being read; the caller holds the lock.
func (f *feed) reading() bool { return f != nil && f.state == feedReading }

type feedState uint8

const (
	feedCold    feedState = iota // nothing is known
	feedReading                  // the log is being read
	feedLive
)

// entry is a live copy from the log.
type entry struct {
	place   bus.Place
	payload []byte
}

const (
	// maxFeedWaiting bounds the entries that wait while the log is read; more
	// are read from it.
	maxFeedWaiting = 1024
	// feedPage is how many entries are read at once.
	feedPage = 512
	// readWithin bounds reading the log once.
	readWithin = 2 * time.Second
)

func (f *feed) reset() {
	f.left, f.before, f.state, f.tail, f.at, f.wanted, f.missed, f.waiting = time.Time{}, "", feedCold, bus.Tail{}, time.Time{}, false, time.Time{}, nil
}

// Append adds an entry to a room's history, for all nodes: each delivers it
// when it comes back from the log, this one included. id makes an append that
// is repeated count once. Errors are those of [bus.Log].
func (c *Cluster) Append(ctx context.Context, room, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	if _, degraded := c.Degraded(); degraded {
		return bus.Place{}, fmt.Errorf("append to the history: %w", bus.ErrRefused)
	}
	w := make(writer, 0, len(room)+len(payload)+12)
	w.string(room)
	w.uint(uint64(c.cfg.Now().UnixMilli()))
	w = append(w, payload...)
	place, err := c.log.Append(ctx, KeyOf(room).subject(), id, w, keep)
	if err != nil {
		return bus.Place{}, fmt.Errorf("append to the history: %w", err)
	}
	return place, nil
}

// Follow makes this node follow the history of a room that it holds: when it
// returns, the host has what the log keeps, and gets what is added. since is a
// position that a client has seen: the log is read where this node has not come
// as far. Where the log cannot be read until ctx ends, or the bus is away, the
// error says so; the room is followed when it can be, and its members are told
// that they missed what came meanwhile, unless a position was given: who has one
// is not to become a member then.
func (c *Cluster) Follow(ctx context.Context, room string, since bus.Tail) error {
	resumes := since.Epoch != ""
	for {
		ch := c.rooms.find(room)
		if ch == nil {
			return nil
		}
		if ch.feed == nil {
			ch.feed = new(feed)
		}
		f := ch.feed
		f.wanted = true
		behind := since.Epoch != "" && (since.Epoch != f.tail.Epoch || since.Offset > f.tail.Offset)
		if f.state == feedLive && !behind {
			ch.mu.Unlock()
			return nil
		}
		loaded := c.readLocked(ch)
		ch.mu.Unlock()
		select {
		case <-loaded:
		case <-ctx.Done():
		}
		ch.mu.Lock()
		live := f.state == feedLive
		_, degraded := c.Degraded()
		if !live && (degraded || ctx.Err() != nil) {
			if f.missed.IsZero() && !resumes {
				f.missed = c.cfg.Now()
			}
			ch.mu.Unlock()
			return errAway
		}
		ch.mu.Unlock()
		if live {
			since = bus.Tail{} // what is further than the log is of another one
		} else {
			_ = pause(ctx, askAgainAfter) // looked at above
		}
	}
}

// Unfollow forgets where the room's history has come to: the host has none of
// it any more.
func (c *Cluster) Unfollow(room string) {
	ch := c.rooms.find(room)
	if ch == nil {
		return
	}
	if f := ch.feed; f != nil && f.state == feedLive {
		f.reset()
	}
	ch.mu.Unlock()
}

// readLocked begins to read the log, unless it is being read; the result is
// closed in the end. The caller holds the channel's lock.
func (c *Cluster) readLocked(ch *channel) <-chan struct{} {
	f := ch.feed
	if f.state != feedReading {
		cold := f.state == feedCold
		loaded := make(chan struct{})
		f.state, f.loaded = feedReading, loaded
		c.spawn(func() {
			defer close(loaded)
			c.read(ch, f, cold)
		})
	}
	return f.loaded
}

// receiveEntry takes a live copy.
func (c *Cluster) receiveEntry(place bus.Place, payload []byte) {
	r := reader{b: payload}
	room, at := r.string(), time.UnixMilli(int64(r.uint()))
	if r.bad {
		return
	}
	c.checkAge(at)
	ch := c.rooms.find(room)
	if ch == nil {
		return
	}
	f := ch.feed
	if f == nil || f.state == feedCold && !f.wanted {
		ch.mu.Unlock()
		return
	}
	if f.state == feedReading {
		if len(f.waiting) < maxFeedWaiting {
			f.waiting = append(f.waiting, entry{place, payload})
		}
		ch.mu.Unlock()
		return
	}
	switch {
	case f.state == feedLive && place.Epoch == f.tail.Epoch && place.Offset <= f.tail.Offset:
		ch.mu.Unlock()
	case f.state == feedLive && place.Epoch == f.tail.Epoch && place.Prev == f.tail.Offset:
		stood := behind{place.Prev, f.at}
		f.passed(place.Offset, at)
		f.deliver.Lock() // free: what reads the log and delivers from it is not at work
		ch.mu.Unlock()
		// The bus must not wait for one room: others' messages come behind.
		taken := f.refused == nil && c.cfg.Host.Entry(room, bus.Entry{Place: place, Payload: r.rest()}, false)
		if !taken && f.refused == nil {
			f.refused = &stood
		}
		f.deliver.Unlock()
		if !taken { // the log is read at the pace of the members
			ch.mu.Lock()
			c.readLocked(ch)
			ch.mu.Unlock()
		}
	default:
		f.waiting = append(f.waiting, entry{place, payload})
		c.readLocked(ch)
		ch.mu.Unlock()
	}
}

// passed notes that an entry is delivered; the caller holds the channel's lock.
// Of two appended at once the later may have begun earlier.
func (f *feed) passed(offset uint64, at time.Time) {
	f.tail.Offset = offset
	if at.After(f.at) {
		f.at = at
	}
}

// Position writes a place as clients see it.
func Position(t bus.Tail) string { return t.Epoch + ":" + strconv.FormatUint(t.Offset, 10) }

var errPosition = errors.New("not a position")

// ParsePosition reads what Position has written.
func ParsePosition(s string) (bus.Tail, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return bus.Tail{}, errPosition
	}
	offset, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return bus.Tail{}, errPosition
	}
	return bus.Tail{Epoch: s[:i], Offset: offset}, nil
}
