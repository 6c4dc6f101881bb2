package history

import "time"

// checkExpiry checks that behind the end of its token a session gets nothing of
// what was sent then, and is closed.
func (c *checker) checkExpiry() {
	for _, s := range c.h.Sessions {
		end, closed := s.TokenEnd, time.Duration(0)
		for _, e := range s.Events {
			switch e.Kind {
			case Renewed:
				end = e.Until
			case Closed, Hangup:
				if closed == 0 {
					closed = e.At
				}
			case Received:
				if p := c.published[e.ID]; end > 0 && p != nil && p.Begin > end+expiryWithin {
					c.violate(Expiry, "%v: %v came, its token ended at %v", s, p, round(end))
				}
			}
		}
		if end > 0 && closed == 0 && c.due(end, stallsOf(s, c.h.End)) < c.h.End {
			c.violate(Expiry, "%v: still open, its token ended at %v", s, round(end))
		}
	}
}

// Close codes (docs/protocol.md).
const (
	closeAbnormal = 1006 // RFC 6455, section 7.4.1: there was no close frame
	closeRestart  = 1012
	closeExpired  = 4001
	closeSlow     = 4008
	closeReplaced = 4009
)

// checkCloses checks that each connection that the hub ended has a reason, and
// that those of a drain keep to their slots.
func (c *checker) checkCloses() {
	opened := make(map[string][]*Session)
	for _, s := range c.h.Sessions {
		opened[s.Client] = append(opened[s.Client], s)
	}
	for _, s := range c.h.Sessions {
		end, left := s.TokenEnd, false
		var told *Event
		for i, e := range s.Events {
			switch e.Kind {
			case Renewed:
				end = e.Until
			case Hangup:
				left = true
			case Reconnect:
				told = &s.Events[i]
			case Closed:
				if !left {
					c.checkClose(s, e, end, told, opened[s.Client])
				}
			}
		}
	}
}

func (c *checker) checkClose(s *Session, e Event, tokenEnd time.Duration, told *Event, same []*Session) {
	reason := false
	since := min(e.At, c.heardUntil(s)) - Patience // a slow reader reads of it late
	switch e.Code {
	case closeRestart:
		reason = c.during(s.Node, since, e.At, func(f Fault) bool { return f.Drain })
		c.checkSlot(s, e, told)
	case closeAbnormal:
		// Of a connection that is not read the hub takes leave without a word.
		slow := len(stallsOf(s, c.h.End)) > 0
		reason = c.during(s.Node, since, e.At, func(f Fault) bool { return f.Killed || f.Drain && slow })
	case closeExpired:
		reason = tokenEnd > 0 && e.At > tokenEnd-time.Second
	case closeSlow:
		reason = len(stallsOf(s, c.h.End)) > 0
	case closeReplaced:
		for _, other := range same {
			reason = reason || other != s && other.Opened > s.Opened-Patience
		}
	}
	if !reason {
		c.violate(CloseCode, "%v: closed with %d (%s) at %v, without a reason", s, e.Code, e.Reason, round(e.At))
	}
}

func (c *checker) checkSlot(s *Session, e Event, told *Event) {
	switch {
	case !s.V1, len(stallsOf(s, c.h.End)) > 0: // a slow reader reads of its slot late
	case late(s, told): // it has read of its slot when that was near
	case told == nil:
		c.violate(DrainSlots, "%v: closed at %v without a notice", s, round(e.At))
	case e.At < told.At+told.After-slotEarly:
		c.violate(DrainSlots, "%v: closed at %v, its slot was %v", s, round(e.At), round(told.At+told.After))
	}
}

// late tells whether a session had stopped reading when it was told of its slot.
func late(s *Session, told *Event) bool {
	if told == nil {
		return false
	}
	for _, w := range stallsOf(s, told.At) {
		if w.end > told.At-Patience {
			return true
		}
	}
	return false
}
