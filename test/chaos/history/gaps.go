package history

import (
	"slices"
	"time"
)

const (
	// gapSlow is the reason of a gap that the client has brought upon itself.
	gapSlow = "slow"
	// gapsAllowed is the part of room-seconds that may be told as gaps outside
	// faults.
	gapsAllowed = 0.01
	// sameGap is how close two notices of a node are that tell of the same gap,
	// but for readers that are slow: those are told of it since the same time.
	sameGap = 100 * time.Millisecond
)

// checkGaps counts the gaps that were told, and checks that outside faults there
// are next to none: a hub that told of a gap all the time would lose nothing in
// silence.
func (c *checker) checkGaps() {
	type key struct{ node, room string }
	members, gaps := make(map[key][]window), make(map[key][]window)
	for _, x := range c.spans {
		if !x.session.V1 {
			continue
		}
		k := key{x.session.Node, x.room}
		members[k] = append(members[k], window{x.begin, x.end})
		for _, e := range x.events {
			if e.Kind == GapTold && !(e.Reason == gapSlow && x.session.slow()) {
				gaps[k] = append(gaps[k], window{max(e.Since, x.begin), e.At})
			}
		}
	}
	for _, list := range gaps {
		slices.SortFunc(list, func(a, b window) int { return int(a.end - b.end) })
		last, known := -sameGap, make(map[time.Duration]bool)
		for _, g := range list {
			if g.end-last < sameGap || known[g.begin] {
				continue
			}
			last, known[g.begin] = g.end, true
			if c.anyFault(g.begin, g.end) {
				c.report.GapsInside++
				continue
			}
			c.report.GapsOutside++
			c.report.GapSeconds += (g.end - g.begin).Seconds()
		}
	}
	for _, list := range members {
		c.report.RoomSeconds += union(list).Seconds()
	}
	if c.report.GapSeconds > gapsAllowed*c.report.RoomSeconds {
		c.violate(GapBudget, "%.1f of %.0f room-seconds outside faults", c.report.GapSeconds, c.report.RoomSeconds)
	}
}

// union is how long at least one of the windows lasts.
func union(list []window) time.Duration {
	slices.SortFunc(list, func(a, b window) int { return int(a.begin - b.begin) })
	var total, end time.Duration
	for _, w := range list {
		if begin := max(w.begin, end); w.end > begin {
			total += w.end - begin
			end = w.end
		}
	}
	return total
}
