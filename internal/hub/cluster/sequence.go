package cluster

import "time"

// publisher is how far a node's stream has been heard.
type publisher struct {
	boot   uint64
	stream uint64
	first  uint64    // of the first message that came before the node said where it stands; 0: it has said
	next   uint64    // the number expected
	behind uint64    // the number the node says it has come to, where that is next or more
	at     time.Time // when the last message that came was published, by that node's clock
	told   uint64    // up to which members have been told that messages may be lost
	due    uint64    // what behind was half a second ago, where that was next or more
}

// lacks tells whether messages that the node says it has published have not come,
// and nobody has been told so.
func (p *publisher) lacks() bool { return p.behind >= p.next && p.behind > p.told }

// hole is what has not come: nothing that was published before since.
type hole struct {
	found bool
	since time.Time
}

// arrived notes that a message has come that was published at a time: fresh is
// false for one that has come before; hole is where one before it has not.
func (ch *channel) arrived(boot, stream, seq uint64, at time.Time) (fresh bool, h hole) {
	p := ch.publisher(boot)
	switch {
	case p == nil:
		// Its answer to the join is still to come, or it has not answered, or
		// it had no stream yet: that begins with 1.
		ch.heard = append(ch.heard, publisher{boot: boot, stream: stream, first: seq, next: seq + 1, at: at})
		return true, hole{ch.joined && seq != 1, ch.since}
	case stream < p.stream || stream == p.stream && seq < p.next:
		return false, h
	case stream > p.stream:
		h = hole{seq != 1 || p.lacks(), p.at}
		*p = publisher{boot: boot, stream: stream, next: seq + 1, at: at}
		return true, h
	default:
		h = hole{seq > max(p.next, p.told+1), p.at}
		p.next, p.at = seq+1, at
		return true, h
	}
}

func (ch *channel) publisher(boot uint64) *publisher {
	for i := range ch.heard {
		if ch.heard[i].boot == boot {
			return &ch.heard[i]
		}
	}
	return nil
}

// expect notes where a node's stream stood when it answered a join: what comes
// is behind that. There is a hole where some of it has not come though later
// messages have.
func (ch *channel) expect(boot, stream, seq uint64) (h hole) {
	p := ch.publisher(boot)
	switch {
	case p == nil && ch.joined:
		// The node had no stream when this one joined, so all of it is due.
		ch.heard = append(ch.heard, publisher{boot: boot, stream: stream, next: 1, behind: seq, at: ch.since})
	case p == nil:
		ch.heard = append(ch.heard, publisher{boot: boot, stream: stream, next: seq + 1, at: ch.since})
	case p.first > 0 && p.stream == stream && !ch.joined:
		h = hole{p.first > seq+1, ch.since}
		p.first = 0
		p.named(stream, seq)
	default:
		p.named(stream, seq)
	}
	return h
}

// named notes that the node says its stream has come this far.
func (p *publisher) named(stream, seq uint64) {
	switch {
	case stream > p.stream:
		// All of it is still to come.
		*p = publisher{boot: p.boot, stream: stream, next: 1, behind: seq, at: p.at}
	case stream == p.stream && seq >= p.next && seq > p.behind:
		p.behind = seq
	}
}

// overdue gives up waiting for what nodes said before the last call that they
// had published. again is true where the next call may find something.
func (ch *channel) overdue() (h hole, again bool) {
	for i := range ch.heard {
		p := &ch.heard[i]
		if p.due >= p.next && p.due > p.told {
			p.told = p.due // it may still come, late
			if !h.found || p.at.Before(h.since) {
				h = hole{true, p.at}
			}
		}
		if p.due = 0; p.lacks() {
			p.due, again = p.behind, true
		}
	}
	return h, again
}

// publisherGone forgets the streams of a dead node. Where it died without a
// word, the last it published may be lost, and nobody is left who could say.
func (s *channels) publisherGone(c *Cluster, boot uint64, died bool) {
	for _, ch := range s.all() {
		ch.mu.Lock()
		p := ch.publisher(boot)
		lost, since := false, ch.since
		if p != nil {
			since = p.at
			lost = p.next > 1 && (died || p.lacks())
			*p = ch.heard[len(ch.heard)-1]
			ch.heard = ch.heard[:len(ch.heard)-1]
		}
		lost = lost && ch.refs > 0
		ch.mu.Unlock()
		if lost {
			c.tellGap(ch.room, Gap{Reason: ReasonNode, Since: since})
		}
	}
}
