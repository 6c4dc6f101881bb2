package history

import (
	"fmt"
	"slices"
	"time"
)

// checkRooms checks, in rooms without a history, that what was acknowledged
// arrives at every member that was in all the time, or that a gap says it may
// not have.
func (c *checker) checkRooms() {
	for _, x := range c.spans {
		if !x.session.V1 || c.h.Rooms[x.room].History {
			continue // nobody else is told of gaps
		}
		heard := c.heardUntil(x.session)
		for _, p := range c.byRoom[x.room] {
			if !c.owed(x, p) || c.due(p.End, nil) > heard || c.due(p.End, x.stalls) > x.end || c.untold(p, x.session.Node) {
				continue
			}
			c.report.Owed++
			switch {
			case x.received[p.ID]:
			case told(x.events, p):
				c.report.Excused++
			default:
				c.violate(SilentLoss, "%v: %v (scope %s) never came%s", x, p, p.Scope, nearest(x.events, p))
			}
		}
	}
}

// owed tells whether a member has to hear of a message at all: it was in when
// the call began, and is not the one that sent it. One that went no further
// than its node has to be told of as a gap on the others.
func (c *checker) owed(x *span, p *Publish) bool {
	return p.Outcome == Sent && p.Client != x.session.Client && p.Begin >= x.begin && p.End <= x.end
}

// recoveredWithin is how long after it was cut off a hub has told the others what
// it published meanwhile.
const recoveredWithin = 5 * time.Second

// instant is how long what a hub has published may be on its way out of it.
const instant = time.Second

// lastWords tells whether a message is the first of its node into its room, and
// the node was killed the next instant: the others do not know that there was any.
func (c *checker) lastWords(p *Publish) bool {
	if !c.during(p.Node, p.Begin, p.End+instant, func(f Fault) bool { return f.Killed }) {
		return false
	}
	var started time.Duration // this run of the hub
	for _, f := range c.faults {
		if f.Ended && f.Touches(p.Node) && f.End < p.Begin {
			started = max(started, f.Begin)
		}
	}
	return !slices.ContainsFunc(c.byRoom[p.Room], func(q *Publish) bool {
		return q.Node == p.Node && q.Outcome == Sent && q.Begin > started && q.End < p.Begin-instant
	})
}

// untold tells whether nobody is left who could tell another node of a message:
// the one it was published on was cut off, and ended before that was over.
func (c *checker) untold(p *Publish, node string) bool {
	if p.Node == node {
		return false
	}
	if c.lastWords(p) {
		return true
	}
	return slices.ContainsFunc(c.faults, func(cut Fault) bool {
		off := cut.divides(p.Node, node) || p.Scope == "node" && cut.Away && cut.Touches(p.Node)
		return off && cut.Begin <= p.End && p.Begin <= cut.End+recoveredWithin &&
			c.during(p.Node, p.Begin, cut.End+recoveredWithin, func(f Fault) bool { return f.Ended })
	})
}

// told tells whether a gap covers a message.
func told(events []Event, p *Publish) bool {
	return slices.ContainsFunc(events, func(e Event) bool {
		return e.Kind == GapTold && e.Since <= p.End+clockError && p.Begin <= e.At
	})
}

// nearest is the first gap told after a message that does not cover it.
func nearest(events []Event, p *Publish) string {
	for _, e := range events {
		if e.Kind == GapTold && e.At >= p.Begin {
			return fmt.Sprintf("; a gap (%s) was told at %v, since %v only", e.Reason, round(e.At), round(e.Since))
		}
	}
	return ""
}

// checkHistories checks the same in histories, where it arrives after a resume
// at the latest.
func (c *checker) checkHistories() {
	for _, t := range c.timelines {
		first, last := t.spans[0], t.spans[len(t.spans)-1]
		if !first.session.V1 {
			continue
		}
		received := make(map[ID]bool)
		var events []Event
		for _, x := range t.spans {
			for id := range x.received {
				received[id] = true
			}
			events = append(events, x.events...)
		}
		heard := c.heardUntil(last.session)
		for _, p := range c.byRoom[t.room] {
			whole := span{session: last.session, begin: first.begin, end: last.end}
			if !c.owed(&whole, p) || c.due(p.End, nil) > heard || c.due(p.End, last.stalls) > last.end || c.due(last.begin, last.stalls) > last.end {
				continue
			}
			if slices.ContainsFunc(t.spans, func(x *span) bool { return c.untold(p, x.session.Node) }) {
				continue
			}
			c.report.Owed++
			switch {
			case received[p.ID]:
			case told(events, p):
				c.report.Excused++
			default:
				c.violate(SilentLoss, "%v, in since %v: %v at %s never came%s", last, round(first.begin), p, p.Position, nearest(events, p))
			}
		}
	}
}
