package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// read brings the feed from where it is to the end of the log, and on through
// what has arrived meanwhile. While it runs nothing else delivers.
func (c *Cluster) read(ch *channel, f *feed, cold bool) {
	f.deliver.Lock()
	defer f.deliver.Unlock()
	if f.refused != nil && !cold {
		ch.mu.Lock()
		f.tail.Offset, f.at = f.refused.offset, f.refused.at
		ch.mu.Unlock()
	}
	f.refused = nil
	ctx, cancel := context.WithTimeout(c.ctx, readWithin)
	defer cancel()
	var err error
	if cold {
		err = c.load(ctx, ch)
	} else {
		err = c.repair(ctx, ch)
	}
	for err == nil {
		next, done := ch.nextWaiting()
		if done {
			return
		}
		if next == nil {
			err = c.repair(ctx, ch)
			continue
		}
		c.cfg.Host.Entry(ch.room, bus.Entry{Place: next.place, Payload: next.payload}, true)
	}
	if c.ctx.Err() == nil {
		c.cfg.Logger.Warn("history not read", "error", err)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	f.state, f.waiting = feedCold, nil // the next copy or join reads again
	if !cold {
		f.state = feedLive // with the hole: the next copy finds it
	}
}

// nextWaiting takes the next entry of those that arrived while the log was
// read: nil where there is a hole before it. done is true where there is none,
// and the feed is live from then on.
func (ch *channel) nextWaiting() (next *entry, done bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	f := ch.feed
	for len(f.waiting) > 0 {
		e := f.waiting[0]
		switch {
		case e.place.Epoch == f.tail.Epoch && e.place.Offset <= f.tail.Offset:
			f.waiting = f.waiting[1:]
		case e.place.Epoch == f.tail.Epoch && e.place.Prev == f.tail.Offset:
			f.waiting = f.waiting[1:]
			r := reader{b: e.payload}
			r.string()
			f.passed(e.place.Offset, time.UnixMilli(int64(r.uint())))
			e.payload = r.rest()
			return &e, false
		default:
			f.waiting = nil // the log has them
			return nil, false
		}
	}
	f.waiting, f.state = nil, feedLive
	return nil, true
}

// load reads the whole log.
func (c *Cluster) load(ctx context.Context, ch *channel) error {
	entries, tail, err := c.readAll(ctx, ch.key.subject(), 0)
	if err != nil {
		return err
	}
	c.cfg.Host.History(ch.room, plainEntries(entries), tail)
	ch.mu.Lock()
	f := ch.feed
	missed := f.missed
	f.tail, f.at, f.missed = tail, newest(entries, c.cfg.Now()), time.Time{}
	ch.mu.Unlock()
	if !missed.IsZero() {
		c.tellGap(ch.room, Gap{Reason: ReasonHistory, Since: missed, To: bus.Place{Epoch: tail.Epoch, Offset: tail.Offset}})
	}
	return nil
}

// repair reads what is behind the last entry delivered. It reads that one, too:
// where it is not there any more, there may have been others behind it.
func (c *Cluster) repair(ctx context.Context, ch *channel) error {
	ch.mu.Lock()
	had, at, begin := ch.feed.tail, ch.feed.at, c.cfg.Now()
	ch.mu.Unlock()
	after := had.Offset
	if after > 0 {
		after--
	}
	entries, tail, err := c.readAll(ctx, ch.key.subject(), after)
	if err != nil {
		return err
	}
	switch {
	case tail.Epoch != had.Epoch:
		if entries, tail, err = c.readAll(ctx, ch.key.subject(), 0); err != nil {
			return err
		}
		had, entries = c.switchEpoch(ch, had, at, entries, tail)
	case had.Offset > 0 && len(entries) > 0 && entries[0].Offset == had.Offset:
		entries = entries[1:]
	case had.Offset > 0 && tail.Offset > had.Offset:
		c.tellGap(ch.room, Gap{Reason: ReasonHistory, Since: at,
			From: bus.Place{Epoch: had.Epoch, Offset: had.Offset}})
	}
	if tail.Epoch == had.Epoch {
		prev := had.Offset
		for _, e := range entries {
			if e.Offset <= had.Offset {
				continue
			}
			e.Place = bus.Place{Epoch: tail.Epoch, Offset: e.Offset, Prev: prev}
			c.checkAge(e.at)
			c.cfg.Host.Entry(ch.room, e.Entry, true)
			prev = e.Offset
		}
		c.Metrics.Repaired.Add(uint64(len(entries)))
	}
	ch.mu.Lock()
	ch.feed.passed(tail.Offset, newest(entries, begin))
	ch.feed.tail = tail
	ch.mu.Unlock()
	return nil
}

// switchEpoch goes on with a log that has begun anew, or with one that this node
// had left for another while brokers were cut off from each other. What was
// appended before the last entry that members here have had they may have had,
// too, and are told that they may not, from the first of it on, unless it is
// what they had before they left this log; the rest is returned to be delivered
// behind where the log stood then.
func (c *Cluster) switchEpoch(ch *channel, had bus.Tail, at time.Time, entries []logEntry, tail bus.Tail) (bus.Tail, []logEntry) {
	start := bus.Tail{Epoch: tail.Epoch}
	if len(entries) > 0 {
		start.Offset = entries[0].Prev
	}
	old := 0
	for old < len(entries) && !entries[old].at.After(at) {
		start.Offset = entries[old].Offset
		old++
	}
	c.cfg.Host.History(ch.room, plainEntries(entries[:old]), start)
	ch.mu.Lock()
	since, f := at, ch.feed
	switch {
	case old > 0 && f.before != tail.Epoch:
		if since = ch.since; entries[0].Prev == 0 { // all that there was
			since = earliest(entries[:old])
		}
	case !f.left.IsZero() && f.left.Before(since):
		since = f.left
	}
	f.left, f.before = at, had.Epoch
	ch.mu.Unlock()
	c.tellGap(ch.room, Gap{Reason: ReasonHistory, Since: since,
		From: bus.Place{Epoch: had.Epoch, Offset: had.Offset}, To: bus.Place{Epoch: start.Epoch, Offset: start.Offset}})
	return start, entries[old:]
}

// logEntry is an entry and when it was appended.
type logEntry struct {
	bus.Entry
	at time.Time
}

func plainEntries(list []logEntry) []bus.Entry {
	entries := make([]bus.Entry, len(list))
	for i, e := range list {
		entries[i] = e.Entry
	}
	return entries
}

// newest is the latest that one of some entries was appended; otherwise where
// there is none.
func newest(list []logEntry, otherwise time.Time) time.Time {
	if len(list) == 0 {
		return otherwise
	}
	return slices.MaxFunc(list, byTime).at
}

// earliest is when the first of some entries was appended.
func earliest(list []logEntry) time.Time { return slices.MinFunc(list, byTime).at }

func byTime(a, b logEntry) int { return a.at.Compare(b.at) }

// readAll reads the log behind an offset to its end. The payloads are those of
// Append.
func (c *Cluster) readAll(ctx context.Context, subject string, after uint64) ([]logEntry, bus.Tail, error) {
	var all []logEntry
	for {
		page, tail, err := c.log.Read(ctx, subject, after, feedPage)
		if err != nil {
			return nil, bus.Tail{}, fmt.Errorf("read the history: %w", err)
		}
		prev := after
		for _, e := range page {
			r := reader{b: e.Payload}
			r.string() // the room's name
			at := time.UnixMilli(int64(r.uint()))
			e.Payload, e.Epoch = r.rest(), tail.Epoch
			if e.Prev == 0 && len(all) > 0 {
				e.Prev = prev
			}
			prev = e.Offset
			all = append(all, logEntry{e, at})
		}
		if len(page) == 0 || prev >= tail.Offset {
			return all, tail, nil
		}
		after = prev
	}
}

// checkFeeds compares the feeds of channels with the ends of their logs.
func (c *Cluster) checkFeeds(list []*channel) {
	if c.log == nil {
		return
	}
	for len(list) > 0 {
		var part []*channel
		var subjects []string
		for len(list) > 0 && len(part) < feedPage {
			ch := list[0]
			list = list[1:]
			ch.mu.Lock()
			if ch.feed != nil && ch.feed.state == feedCold && ch.feed.wanted && ch.refs > 0 {
				c.readLocked(ch)
			}
			if ch.feed != nil && ch.feed.state == feedLive {
				part = append(part, ch)
				subjects = append(subjects, ch.key.subject())
			}
			ch.mu.Unlock()
		}
		if len(part) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, readWithin)
		tails, err := c.log.Tails(ctx, subjects)
		cancel()
		if err != nil {
			c.cfg.Logger.Debug("ends of histories not read", "error", err)
			return
		}
		for i, ch := range part {
			ch.mu.Lock()
			f := ch.feed
			if f.state == feedLive && (tails[i].Epoch != f.tail.Epoch || tails[i].Offset > f.tail.Offset) {
				c.readLocked(ch)
			}
			ch.mu.Unlock()
		}
	}
}

// tailsEvery is how often the ends of histories are compared: the last entry
// can be lost like any other, and no next one shows it.
const tailsEvery = 5 * time.Second

func (c *Cluster) tails() {
	ticker := time.NewTicker(tailsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
			if _, degraded := c.Degraded(); !degraded {
				c.checkFeeds(c.rooms.all())
				c.sweepDefinitions(c.ctx)
				if c.ownLog != nil {
					c.ownLog.sweep()
					ctx, cancel := context.WithTimeout(c.ctx, tailsEvery)
					c.ownLog.handOver(ctx) // where it failed before
					cancel()
				}
			}
		}
	}
}
