package history

import (
	"maps"
	"slices"
	"sort"
	"time"
)

// checkMembers checks that at the end every node names those who are in.
func (c *checker) checkMembers() {
	in := make(map[string][]string)
	for _, x := range c.spans {
		if x.open {
			in[x.room] = append(in[x.room], x.session.Client)
		}
	}
	for _, l := range c.h.Lists {
		if len(l.Missing) > 0 {
			c.violate(Membership, "%s: members of %q without those on %v", l.Node, l.Room, l.Missing)
			continue
		}
		ghosts, missing := difference(l.Members, in[l.Room])
		if len(ghosts)+len(missing) > 0 {
			c.violate(Membership, "%s: members of %q: not there %v, not named %v", l.Node, l.Room, ghosts, missing)
		}
	}
}

// difference returns what only a, and what only b has.
func difference(a, b []string) (onlyA, onlyB []string) {
	count := make(map[string]int)
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		if count[x]--; count[x] < 0 {
			onlyB = append(onlyB, x)
		}
	}
	for x, n := range count {
		for range n {
			onlyA = append(onlyA, x)
		}
	}
	slices.Sort(onlyA)
	return onlyA, onlyB
}

// checkLimits checks that at no time more are in a room than its limit. A member
// counts from room_joined on until it asks to leave or is gone, and not while
// its node is cut off from the others, who have buried it.
func (c *checker) checkLimits() {
	for room, r := range c.h.Rooms {
		if r.Max > 0 {
			c.checkLimit(room, r.Max)
		}
	}
}

func (c *checker) checkLimit(room string, limit int) {
	type step struct {
		at  time.Duration
		by  int
		who *Session
	}
	var steps []step
	for _, x := range c.spans {
		if x.room != room {
			continue
		}
		for _, w := range c.counted(x) {
			steps = append(steps, step{w.begin, 1, x.session}, step{w.end, -1, x.session})
		}
	}
	sort.Slice(steps, func(i, j int) bool {
		if steps[i].at != steps[j].at {
			return steps[i].at < steps[j].at
		}
		return steps[i].by < steps[j].by
	})
	in := make(map[*Session]int)
	for _, s := range steps {
		if in[s.who] += s.by; in[s.who] == 0 {
			delete(in, s.who)
		}
		if s.by > 0 && len(in) > limit && !c.splitBefore(s.at) {
			c.violate(Limit, "%q holds %d at %v, its limit is %d: %v", room, len(in), round(s.at), limit, slices.Collect(maps.Keys(in)))
		}
	}
}

// counted are the parts of a span that count towards a limit.
func (c *checker) counted(x *span) []window {
	parts := []window{{x.begin, x.end}}
	for _, f := range c.faults {
		if len(f.Nodes) == 0 || !f.Touches(x.session.Node) || !f.Away && !f.Stopped {
			continue
		}
		var left []window
		for _, w := range parts {
			if !w.overlaps(f.Begin, f.End+Patience) {
				left = append(left, w)
				continue
			}
			if w.begin < f.Begin {
				left = append(left, window{w.begin, f.Begin})
			}
			if w.end > f.End+Patience {
				left = append(left, window{f.End + Patience, w.end})
			}
		}
		parts = left
	}
	return parts
}

// splitBefore tells whether a split excuses what is over a limit: each side may
// have filled the room, and who is in stays in.
func (c *checker) splitBefore(at time.Duration) bool {
	return slices.ContainsFunc(c.faults, func(f Fault) bool { return f.Split && f.Begin <= at })
}
