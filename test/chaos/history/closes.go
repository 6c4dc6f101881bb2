package history

import "time"

// checkExpiry checks that behind the end of its token a session gets nothing of
// what was sent then, and is closed.
func (c *checker) checkExpiry() {
	for _, s := range c.h.Sessions {
		closed := false
		for _, e := range s.Events {
			switch e.Kind {
			case Closed, Hangup:
				closed = true
			case Received:
				end, p := s.tokenEnd(e.At), c.published[e.ID]
				if end > 0 && p != nil && p.Begin > end+expiryWithin {
					c.violate(Expiry, "%v: %v came, its token ended at %v", s, p, round(end))
				}
			}
		}
		if end := s.tokenEnd(c.h.End); end > 0 && !closed && c.due(end, stallsOf(s, c.h.End)) < c.h.End {
			c.violate(Expiry, "%v: still open, its token ended at %v", s, round(end))
		}
	}
}

// tokenEnd is when the token ends that a session has at a time. A new one that
// the client was still waiting to be told of may count already.
func (s *Session) tokenEnd(at time.Duration) time.Duration {
	end := s.TokenEnd
	if end == 0 {
		return 0
	}
	for _, e := range s.Events {
		switch {
		case e.Kind == Renewed && e.At <= at:
			end = e.Until
		case e.Kind == Renewed && e.Since <= at:
			end = max(end, e.Until)
		}
	}
	return end
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
		slow := s.slow()
		reason = c.during(s.Node, since, e.At, func(f Fault) bool { return f.Killed || f.Drain && slow })
	case closeExpired:
		reason = tokenEnd > 0 && e.At > tokenEnd-time.Second
	case closeSlow:
		reason = s.slow()
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
	case !s.V1, s.slow(): // a slow reader reads of its slot late
	case told == nil:
		c.violate(DrainSlots, "%v: closed at %v without a notice", s, round(e.At))
	case e.At < told.At+told.After-slotEarly:
		c.violate(DrainSlots, "%v: closed at %v, its slot was %v", s, round(e.At), round(told.At+told.After))
	}
}
