package client

import (
	"hash/maphash"
	"slices"
)

const (
	// maxSeen is how many of a room's last positions are remembered to tell a
	// message that comes twice from one that comes after a gap.
	maxSeen = 256
	// maxOwn is how many positions of the client's own messages are remembered
	// until another member's message follows on them.
	maxOwn = 256
	// maxSuspects is how many broken links wait for answers that may explain
	// them.
	maxSuspects = 64
)

// chain follows the positions of one room, where it has a history.
//
// The client gets no message of its own, only its position with the answer,
// and that may come before messages that precede it, or behind messages that
// follow on it. So a link that leads to no known position is only suspect
// while a publish to the room is under way.
type chain struct {
	last     string // of the messages seen, what to resume from; "": not known
	seen     []uint64
	next     int      // in seen, when that is full
	own      []string // in the order of the answers
	suspects []Gap
	told     bool // the hub has announced a gap: the next broken link is that
	sending  int  // publishes under way
}

// link is what a message's position says about it.
type link uint8

const (
	linkGood      link = iota
	linkDuplicate      // seen before
	linkBroken         // something is missing before it
	linkSuspect        // perhaps: it may follow on a message of the client's own
)

// start begins anew behind a position.
func (c *chain) start(position string) {
	c.last = position
	c.own, c.suspects, c.told = nil, nil, false
}

// follow takes the next message's position. own says that the message is the
// client's own, as a history returns them.
func (c *chain) follow(seed maphash.Seed, position, prev string) (kind link, own bool) {
	if position == "" {
		return linkGood, false
	}
	before, hash := c.last, maphash.String(seed, position)
	known := c.last == "" || prev == c.last || c.dropOwn(prev)
	own = c.dropOwn(position)
	switch {
	case known:
	case slices.Contains(c.seen, hash):
		return linkDuplicate, own
	case c.told:
	case c.sending > 0 && len(c.suspects) < maxSuspects:
		kind = linkSuspect
		c.suspects = append(c.suspects, Gap{From: before, To: prev, Reason: ReasonChain})
	default:
		kind = linkBroken
	}
	c.last, c.told = position, false
	c.remember(hash)
	return kind, own
}

// dropOwn tells whether position is of an own message, and forgets it with
// those before it.
func (c *chain) dropOwn(position string) bool {
	i := slices.Index(c.own, position)
	if i < 0 {
		return false
	}
	c.own = slices.Delete(c.own, 0, i+1)
	return true
}

// remember notes a position as seen.
func (c *chain) remember(hash uint64) {
	if len(c.seen) < maxSeen {
		c.seen = append(c.seen, hash)
		return
	}
	c.seen[c.next] = hash
	c.next = (c.next + 1) % maxSeen
}

// sent takes the position of a message that the client has published.
func (c *chain) sent(seed maphash.Seed, position string) {
	if position == "" || c.last == position || slices.Contains(c.seen, maphash.String(seed, position)) {
		return
	}
	if i := slices.IndexFunc(c.suspects, func(g Gap) bool { return g.To == position }); i >= 0 {
		// It is seen by what follows on it, and so are the ones before.
		c.suspects = slices.Delete(c.suspects, i, i+1)
		c.own = nil
		return
	}
	if len(c.own) == maxOwn {
		c.own = slices.Delete(c.own, 0, 1)
	}
	c.own = append(c.own, position)
}

// settled ends a publish. It returns the gaps that no answer has explained,
// when none is outstanding.
func (c *chain) settled() []Gap {
	c.sending--
	if c.sending > 0 {
		return nil
	}
	gaps := c.suspects
	c.suspects = nil
	return gaps
}
