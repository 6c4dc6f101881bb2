package history

import (
	"strings"
	"time"
)

// checkOrder checks that what one publisher sent comes in its order, and in a
// history also what was sent after the acknowledgement of something else.
func (c *checker) checkOrder() {
	for _, x := range c.spans {
		last := make(map[string]uint64)
		var latest *Publish // of those received, the one that began last
		history := c.h.Rooms[x.room].History
		for _, e := range x.events {
			p := c.published[e.ID]
			if e.Kind != Received || p == nil || p.Attempts > 1 || p.Outcome == Unknown {
				continue
			}
			if before := last[e.ID.Publisher]; e.ID.Seq < before {
				c.violate(Order, "%v: %v came behind %d", x, e.ID, before)
			}
			last[e.ID.Publisher] = max(last[e.ID.Publisher], e.ID.Seq)
			if history && latest != nil && p.End < latest.Begin {
				c.violate(Order, "%v: %v came behind %v", x, p, latest)
			}
			if latest == nil || p.Begin > latest.Begin {
				latest = p
			}
		}
	}
}

// epoch is the part of a position that changes when a history begins anew.
func epoch(position string) string {
	if i := strings.LastIndexByte(position, ':'); i >= 0 {
		return position[:i]
	}
	return position
}

// none tells whether a position stands for no message.
func none(position string) bool { return position == "" || strings.HasSuffix(position, ":0") }

// checkOneOrder checks that everybody sees the same message at a position, and
// the same one before it; so does who published it.
func (c *checker) checkOneOrder() {
	for _, x := range c.spans {
		if !c.h.Rooms[x.room].History {
			continue
		}
		at := c.positions[x.room]
		if at == nil {
			at = make(map[string]*placed)
			c.positions[x.room] = at
		}
		for _, e := range x.events {
			if e.Kind != Received {
				continue
			}
			if e.Position == "" {
				c.violate(OneOrder, "%v: %v has no position", x, e.ID)
				continue
			}
			first := at[e.Position]
			switch {
			case first == nil:
				at[e.Position] = &placed{e.ID, e.Prev, x.session.Client}
			case first.id != e.ID:
				c.violate(OneOrder, "%v: %v is at %s, for %s %v is there", x, e.ID, e.Position, first.by, first.id)
			case none(first.prev):
				first.prev = e.Prev
			case !none(e.Prev) && first.prev != e.Prev:
				c.violate(OneOrder, "%v: before %s is %s, for %s it is %s", x, e.Position, e.Prev, first.by, first.prev)
			}
		}
	}
	for i := range c.h.Publishes {
		p := &c.h.Publishes[i]
		if p.Position == "" || p.Outcome != Sent {
			continue
		}
		if first := c.positions[p.Room][p.Position]; first != nil && first.id != p.ID {
			c.violate(OneOrder, "%v was acknowledged at %s, for %s %v is there", p, p.Position, first.by, first.id)
		}
	}
}

// checkChains checks that each message of a history names the one that the
// client got before it, or that a gap was told in between. A client that is not
// told of gaps sees them just so.
func (c *checker) checkChains() {
	for _, t := range c.timelines {
		at := "" // the position the client has come to; "" where it does not know
		for _, x := range t.spans {
			resumed := x.join.Resumed == Recovered
			if !resumed {
				at = x.join.Position
			} else if x.since != "" {
				at = x.since
			}
			first := resumed
			for _, e := range x.events {
				switch e.Kind {
				case GapTold:
					at = ""
				case Received:
					if at != "" && !c.linked(x, at, e.Prev) {
						c.broken(x, first, e, at)
					}
					at, first = e.Position, false
				}
			}
			// A client that was told it has all again must get to where the
			// history was when it joined.
			if first && at != "" && x.session.V1 && x.join.Position != at && x.end > c.due(x.begin, x.stalls) && !c.linked(x, at, x.join.Position) {
				c.violate(Resume, "%v: resumed from %s, the history is at %s, and nothing came", x, at, x.join.Position)
			}
		}
	}
}

// broken takes a message that is not the next one for a client.
func (c *checker) broken(x *span, first bool, e Event, at string) {
	if !x.session.V1 {
		return
	}
	p := Chain
	if first {
		p = Resume
	}
	c.violate(p, "%v: before %v at %s is %s, the client has %s", x, e.ID, e.Position, e.Prev, at)
}

// linked tells whether only the client's own messages, which it does not get,
// are between a position and a later one.
func (c *checker) linked(x *span, from, to string) bool {
	if none(from) && none(to) {
		return true
	}
	for range 10000 {
		if to == from {
			return true
		}
		p := c.positions[x.room][to]
		if p == nil {
			return c.ownUnseen(x, to)
		}
		if own := c.published[p.id]; own == nil || own.Client != x.session.Client {
			return false
		}
		to = p.prev
	}
	return false
}

// ownUnseen tells whether a position that nobody has seen can be the client's
// own message.
func (c *checker) ownUnseen(x *span, position string) bool {
	for _, p := range c.byRoom[x.room] {
		if p.Client == x.session.Client && (p.Position == position || p.Outcome == Unknown) && p.Begin < x.end+Patience {
			return true
		}
	}
	return false
}

// round makes a time readable.
func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
