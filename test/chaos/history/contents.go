package history

// checkContents checks each message for itself.
func (c *checker) checkContents() {
	for _, s := range c.h.Sessions {
		for _, e := range s.Events {
			switch e.Kind {
			case Received:
				c.report.Deliveries++
				c.checkContent(s, e)
			case DirectIn:
				c.report.Deliveries++
				if e.Damaged {
					c.violate(Integrity, "%v: direct message %v has other bytes", s, e.ID)
				}
			}
		}
	}
}

func (c *checker) checkContent(s *Session, e Event) {
	p := c.published[e.ID]
	switch {
	case e.Damaged || p == nil:
		c.violate(Integrity, "%v: nobody has sent %v into %q like this", s, e.ID, e.Room)
	case p.Room != e.Room:
		c.violate(Isolation, "%v: %v came in room %q", s, p, e.Room)
	case p.Client != e.Sender:
		c.violate(Integrity, "%v: %v has the sender %q", s, p, e.Sender)
	}
}

// checkSpans checks that nothing of a room comes before room_joined or behind
// room_left.
func (c *checker) checkSpans() {
	for _, s := range c.h.Sessions {
		in := make(map[string]bool)
		for _, e := range s.Events {
			switch e.Kind {
			case Joined:
				in[e.Room] = true
			case Left:
				delete(in, e.Room)
			case Received:
				if !in[e.Room] {
					c.violate(Isolation, "%v: %v came at %v while not in room %q", s, e.ID, round(e.At), e.Room)
				}
			}
		}
	}
}

// checkDuplicates checks that a message comes once: to a member, and in a
// history to a client that resumes.
func (c *checker) checkDuplicates() {
	for _, x := range c.spans {
		if !c.h.Rooms[x.room].History {
			c.checkOnce([]*span{x})
		}
	}
	for _, t := range c.timelines {
		c.checkOnce(t.spans)
	}
}

func (c *checker) checkOnce(spans []*span) {
	at := make(map[ID]string)
	for _, x := range spans {
		for _, e := range x.events {
			if e.Kind != Received {
				continue
			}
			first, again := at[e.ID]
			at[e.ID] = e.Position
			if again && !c.repeated(e.ID, first, e.Position) {
				c.violate(Duplicate, "%v: %v came again at %v", x, e.ID, round(e.At))
			}
		}
	}
}

// repeated tells whether a message may be there twice: it was sent again, since
// nobody knew what had become of it, and the history had begun anew meanwhile,
// with all that it knew of keys.
func (c *checker) repeated(id ID, first, second string) bool {
	p := c.published[id]
	return p != nil && p.Attempts > 1 && first != "" && epoch(first) != epoch(second)
}

// checkOutcomes checks what publishers were told.
func (c *checker) checkOutcomes() {
	for _, s := range c.h.Sessions {
		for _, e := range s.Events {
			p := c.published[e.ID]
			if e.Kind != Received || p == nil {
				continue
			}
			switch {
			case p.Outcome == Refused:
				c.violate(Refusal, "%v: %v was refused and came", s, p)
			case p.Outcome == Sent && p.Scope == "node" && s.Node != p.Node:
				c.violate(Scope, "%v: %v was to stay on node %s", s, p, p.Node)
			}
		}
	}
	for i := range c.h.Publishes {
		p := &c.h.Publishes[i]
		if p.Outcome != Sent || p.Scope == "node" || p.Attempts > 1 {
			continue
		}
		for _, f := range c.faults {
			if f.Away && f.Touches(p.Node) && p.Begin > f.Begin+ackWithin && p.End < f.End {
				c.violate(Acknowledged, "%v was acknowledged on %s, %v into %s", p, p.Node, round(p.Begin-f.Begin), f.Kind)
				break
			}
		}
	}
}
