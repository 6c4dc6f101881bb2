package history

import "time"

// foundWithin is how long after a client has come a message must find it, where
// there is no fault.
const foundWithin = time.Second

// checkDirects checks that a direct message that was acknowledged arrives, once,
// and that who is connected is found.
func (c *checker) checkDirects() {
	got := make(map[ID]int)
	sessions := make(map[string][]*Session)
	for _, s := range c.h.Sessions {
		sessions[s.Client] = append(sessions[s.Client], s)
		for _, e := range s.Events {
			if e.Kind == DirectIn {
				got[e.ID]++
			}
		}
	}
	for i := range c.h.Directs {
		d := &c.h.Directs[i]
		if got[d.ID] > 1 {
			c.violate(Duplicate, "direct message %v to %s at %v came %d times", d.ID, d.Target, round(d.Begin), got[d.ID])
		}
		if d.Outcome == Refused && got[d.ID] > 0 {
			c.violate(Refusal, "direct message %v to %s at %v was refused (no such client: %v) and came", d.ID, d.Target, round(d.Begin), d.NoClient)
		}
		var there *Session // throughout
		for _, s := range sessions[d.Target] {
			if s.Opened < d.Begin-foundWithin && s.until(c.h.End) >= c.due(d.End, stallsOf(s, c.h.End)) && c.due(d.End, nil) <= c.heardUntil(s) {
				there = s
			}
		}
		if there == nil {
			continue
		}
		switch {
		case d.Outcome == Sent && got[d.ID] == 0:
			c.violate(DirectMsg, "%v to %v at %v was acknowledged and did not come", d.ID, there, round(d.Begin))
		case d.NoClient && !c.anyFault(d.Begin, d.End):
			c.violate(DirectMsg, "%v at %v: %v was not found", d.ID, round(d.Begin), there)
		}
	}
}

// anyFault tells whether there was any fault in a part of the run, or less than
// Patience before.
func (c *checker) anyFault(begin, end time.Duration) bool {
	for _, f := range c.faults {
		if f.Begin <= end && begin <= f.End+Patience {
			return true
		}
	}
	return false
}

// until is when a session ended, by whomever.
func (s *Session) until(end time.Duration) time.Duration {
	for _, e := range s.Events {
		if e.Kind == Closed || e.Kind == Hangup {
			return e.At
		}
	}
	return end
}
