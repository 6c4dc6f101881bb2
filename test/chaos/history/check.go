package history

import (
	"fmt"
	"sort"
	"time"
)

// Property is a promise that is checked.
type Property string

// The properties.
const (
	Integrity    Property = "integrity"    // content arrives as it was sent, from who sent it
	Isolation    Property = "isolation"    // nothing of a room outside one's span in it
	Duplicate    Property = "duplicate"    // a message arrives once
	Order        Property = "order"        // of one publisher, and of calls that follow each other
	OneOrder     Property = "one order"    // a history is the same for everybody
	Chain        Property = "chain"        // prev is the message before, or a gap was told
	Resume       Property = "resume"       // recovered:true means that all that was missed follows
	SilentLoss   Property = "silent loss"  // what was acknowledged arrives, or a gap is told
	Refusal      Property = "refusal"      // what was refused never arrives
	Scope        Property = "scope"        // scope "node" stays on the node
	Acknowledged Property = "acknowledged" // nothing is said to be sent while the bus is away
	Membership   Property = "membership"   // all nodes name the members there are
	Limit        Property = "limit"        // a room holds no more than its limit
	Expiry       Property = "expiry"       // nothing after the token's end
	DrainSlots   Property = "drain"        // closed with 1012, told before, not before the slot
	CloseCode    Property = "close"        // every close has its reason
	DirectMsg    Property = "direct"       // a direct message arrives, and finds whoever is there
	GapBudget    Property = "gap budget"   // gaps outside faults: at most 1% of room-seconds
)

// Violation is a broken promise.
type Violation struct {
	Property Property
	Text     string
}

func (v Violation) String() string { return string(v.Property) + ": " + v.Text }

// Report is the judgement on a history.
type Report struct {
	Violations              []Violation      // the first maxOfProperty of each property
	Broken                  map[Property]int // all of them
	Deliveries              int              // messages that arrived and were checked
	Owed                    int              // deliveries that had to happen
	Excused                 int              // of those, made up for by a gap that was told
	Faults                  map[string]int   // by kind
	GapsInside, GapsOutside int              // told to a node's members of a room, during and outside faults
	RoomSeconds, GapSeconds float64          // the latter outside faults
}

// maxOfProperty bounds the violations that are told of one property: one cause
// often has thousands of them.
const maxOfProperty = 10

const (
	// Patience is how long after a publish, or after the end of a fault that it
	// fell into, a message may be on its way: an outage is over within 5 s, and a
	// loss is known two heartbeats later.
	Patience = 8 * time.Second
	// ackWithin is how long a hub may take a bus for there that is not.
	ackWithin = 3 * time.Second
	// expiryWithin is how late a token's end may be noticed: hubs look every
	// second.
	expiryWithin = 2 * time.Second
	// slotEarly is how much before its slot a client may see its close: the
	// notice may have been read late.
	slotEarly = 500 * time.Millisecond
	// clockError is how far a hub's clock may be off the recorder's: they are of
	// one machine, rounded to milliseconds.
	clockError = 20 * time.Millisecond
)

// Check judges a history.
func Check(h *History) *Report {
	c := newChecker(h)
	for _, check := range []func(){
		c.checkContents, c.checkSpans, c.checkDuplicates, c.checkOrder,
		c.checkOneOrder, c.checkChains, c.checkRooms, c.checkHistories, c.checkOutcomes,
		c.checkMembers, c.checkLimits, c.checkExpiry, c.checkCloses, c.checkDirects, c.checkGaps,
	} {
		check()
	}
	for _, f := range h.Faults {
		c.report.Faults[f.Kind]++
	}
	sort.SliceStable(c.report.Violations, func(i, j int) bool {
		return c.report.Violations[i].Property < c.report.Violations[j].Property
	})
	return c.report
}

func (c *checker) violate(p Property, format string, args ...any) {
	if c.report.Broken[p]++; c.report.Broken[p] <= maxOfProperty {
		c.report.Violations = append(c.report.Violations, Violation{p, fmt.Sprintf(format, args...)})
	}
}
