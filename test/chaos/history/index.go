package history

import (
	"fmt"
	"slices"
	"time"
)

// checker is a history with what the checks look up.
type checker struct {
	h         *History
	report    *Report
	published map[ID]*Publish
	byRoom    map[string][]*Publish
	positions map[string]map[string]*placed // by room and position
	spans     []*span
	timelines []*timeline
	faults    []Fault // by begin
}

// span is a session's membership of a room.
type span struct {
	session  *Session
	room     string
	join     Event // Joined
	since    string
	begin    time.Duration
	end      time.Duration // asked to leave, gone, or the end of the run
	open     bool          // at the end of the run
	events   []Event       // Received and GapTold of this room, in order
	stalls   []window
	received map[ID]bool
}

// window is a part of the run.
type window struct{ begin, end time.Duration }

func (w window) overlaps(begin, end time.Duration) bool { return w.begin <= end && begin <= w.end }

// timeline is what a client saw of a history without being told of a loss:
// spans that were resumed one from the other.
type timeline struct {
	client string
	room   string
	spans  []*span
}

// placed is a position of a history, as everybody sees it.
type placed struct {
	id   ID
	prev string
	by   string // client that saw it first, for texts
}

func newChecker(h *History) *checker {
	c := &checker{
		h:         h,
		report:    &Report{Faults: make(map[string]int), Broken: make(map[Property]int)},
		published: make(map[ID]*Publish, len(h.Publishes)),
		byRoom:    make(map[string][]*Publish),
		positions: make(map[string]map[string]*placed),
		faults:    slices.Clone(h.Faults),
	}
	slices.SortFunc(c.faults, func(a, b Fault) int { return int(a.Begin - b.Begin) })
	for i := range h.Publishes {
		p := &h.Publishes[i]
		c.published[p.ID] = p
		c.byRoom[p.Room] = append(c.byRoom[p.Room], p)
	}
	for _, s := range h.Sessions {
		c.spans = append(c.spans, spansOf(s, h.End)...)
	}
	c.timelines = c.timelinesOf()
	return c
}

// spansOf splits a session into its memberships.
func spansOf(s *Session, end time.Duration) []*span {
	var done []*span
	current := make(map[string]*span)
	since := make(map[string]string)
	stalls := stallsOf(s, end)
	finish := func(x *span, at time.Duration) {
		x.end, x.open = min(x.end, at), false
	}
	for _, e := range s.Events {
		x := current[e.Room]
		switch e.Kind {
		case JoinSent:
			since[e.Room] = e.Position
		case Joined:
			x = &span{
				session: s, room: e.Room, join: e, since: since[e.Room], begin: e.At, end: end, open: true,
				stalls: stalls, received: make(map[ID]bool),
			}
			current[e.Room] = x
			done = append(done, x)
		case LeaveSent:
			if x != nil {
				finish(x, e.At)
			}
		case Left:
			if x != nil {
				finish(x, e.At)
				delete(current, e.Room)
			}
		case Received, GapTold:
			if x != nil {
				x.events = append(x.events, e)
				if e.Kind == Received {
					x.received[e.ID] = true
				}
			}
		case Hangup, Closed:
			for _, x := range current {
				finish(x, e.At)
			}
			if e.Kind == Closed {
				clear(current)
			}
		}
	}
	return done
}

func stallsOf(s *Session, end time.Duration) []window {
	var stalls []window
	for _, e := range s.Events {
		switch e.Kind {
		case Stalled:
			stalls = append(stalls, window{e.At, end})
		case Flowing:
			if n := len(stalls); n > 0 {
				stalls[n-1].end = e.At
			}
		}
	}
	return stalls
}

func (c *checker) timelinesOf() []*timeline {
	type key struct{ client, room string }
	last := make(map[key]*timeline)
	var all []*timeline
	spans := slices.Clone(c.spans)
	slices.SortStableFunc(spans, func(a, b *span) int { return int(a.begin - b.begin) })
	for _, x := range spans {
		if !c.h.Rooms[x.room].History {
			continue
		}
		k := key{x.session.Client, x.room}
		t := last[k]
		if t == nil || x.join.Resumed != Recovered {
			t = &timeline{client: k.client, room: k.room}
			last[k] = t
			all = append(all, t)
		}
		t.spans = append(t.spans, x)
	}
	return all
}

// heardUntil is when the newest message was published that a session heard: a
// slow reader may not have come further, and reads of its end only behind all
// that was sent before. It is the end of the run for others. What was due by
// then has come before that message, or never: what is published at about the
// same time may come in any order.
func (c *checker) heardUntil(s *Session) time.Duration {
	if !s.slow() {
		return c.h.End
	}
	var newest time.Duration
	for _, e := range s.Events {
		if p := c.published[e.ID]; e.Kind == Received && p != nil {
			newest = max(newest, p.Begin)
		}
	}
	return newest
}

// slow tells whether a session may read what it is sent, and of its end, late.
func (s *Session) slow() bool {
	return s.Slow || slices.ContainsFunc(s.Events, func(e Event) bool { return e.Kind == Stalled })
}

// due is when what was done at a time has to have happened, whatever faults it
// fell into.
func (c *checker) due(at time.Duration, own []window) time.Duration {
	due := at + Patience
	for changed := true; changed; {
		changed = false
		for _, f := range c.faults {
			if f.Begin <= due && at <= f.End && f.End+Patience > due {
				due, changed = f.End+Patience, true
			}
		}
		for _, w := range own {
			if w.overlaps(at, due) && w.end+Patience > due {
				due, changed = w.end+Patience, true
			}
		}
	}
	return due
}

// during tells whether a fault of a kind touches a node in a part of the run.
func (c *checker) during(node string, begin, end time.Duration, is func(Fault) bool) bool {
	return slices.ContainsFunc(c.faults, func(f Fault) bool {
		return is(f) && f.Touches(node) && f.Begin <= end && begin <= f.End
	})
}

func (s *Session) String() string { return fmt.Sprintf("%s on %s", s.Client, s.Node) }

func (x *span) String() string {
	return fmt.Sprintf("%v in %q from %v to %v", x.session, x.room, round(x.begin), round(x.end))
}

func (i ID) String() string { return fmt.Sprintf("%s/%d", i.Publisher, i.Seq) }

func (p *Publish) String() string {
	return fmt.Sprintf("%v into %q at %v to %v", p.ID, p.Room, round(p.Begin), round(p.End))
}
