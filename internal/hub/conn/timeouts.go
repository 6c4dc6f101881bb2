package conn

import (
	"math"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// timeouts are the engine's time limits in ticks; 0 is off.
type timeouts struct {
	read  uint32 // no frame at all for so long ends the connection
	ping  uint32 // so much silence makes the hub ask
	write uint32 // a send queue that did not move for so long ends it
}

// action is what a connection is due for.
type action uint8

const (
	actNone action = iota
	actPing
	actReadTimeout
	actPartialTimeout
	actWriteTimeout
	actExpire
)

// times is when things last happened to an open connection, in ticks.
type times struct {
	lastRead uint32
	pinged   uint32
	partial  uint32 // 0: no unfinished message
	moved    uint32 // 0: nothing queued
	expire   uint32 // 0: never
}

const never = math.MaxUint32

// due decides, at tick now, what a connection is due for, and when to look
// again: now where there is something to do.
func (t timeouts) due(now uint32, s times) (action, uint32) {
	next := uint32(never)
	// reached tells whether limit ticks have passed since from, and else
	// notes when they will have.
	reached := func(from, limit uint32) bool {
		if limit == 0 {
			return false
		}
		if at := from + min(limit, never-from); now < at {
			next = min(next, at)
			return false
		}
		return true
	}
	switch {
	case s.expire != 0 && reached(0, s.expire):
		return actExpire, now
	case reached(s.lastRead, t.read):
		return actReadTimeout, now
	case s.partial != 0 && reached(s.partial, t.read):
		return actPartialTimeout, now
	case s.moved != 0 && reached(s.moved, t.write):
		return actWriteTimeout, now
	case reached(max(s.lastRead, s.pinged), t.ping):
		return actPing, now
	}
	return actNone, next
}

func (c *Conn) times() times {
	s := times{lastRead: c.lastRead.Load(), pinged: c.pingAt, partial: c.partial.Load(), expire: c.expireAt}
	if c.out != nil {
		s.moved = c.out.moved
	}
	return s
}

// nextCheck returns the tick at which c must be looked at again.
func (c *Conn) nextCheck(now uint32) uint32 {
	switch {
	case c.state == stateClosing:
		return c.closing.deadline
	case c.in != nil && c.in.endAt != 0:
		return c.in.endAt
	}
	_, next := c.shard.e.timeouts.due(now, c.times())
	return next
}

// check does what c is due for.
func (c *Conn) check(now uint32) {
	c.mu.Lock()
	defer c.Unlock()
	switch c.state {
	case stateClosed:
		return
	case stateClosing:
		if now >= c.closing.deadline {
			c.closeSocket()
			return
		}
	case stateOpen:
		if c.in != nil && c.in.endAt != 0 {
			if now >= c.in.endAt {
				c.end(c.in.items[len(c.in.items)-1])
			}
			break
		}
		c.act(now)
	}
	if c.state != stateClosed {
		c.shard.wheel.schedule(c, c.nextCheck(now))
	}
}

func (c *Conn) act(now uint32) {
	s := c.times()
	what, _ := c.shard.e.timeouts.due(now, s)
	if c.hold != 0 && (what == actReadTimeout || what == actPartialTimeout) {
		// The silence is ours: the socket is not being read. The other limits
		// are looked at in the next tick.
		c.lastRead.Store(now)
		if s.partial != 0 {
			c.partial.CompareAndSwap(s.partial, now)
		}
		return
	}
	switch what {
	case actPing:
		c.pingAt = now
		_ = c.WriteLocked(ping) // a queue that is full holds enough to ask the peer with
	case actReadTimeout:
		c.CloseLocked(wire.CodeGoingAway, "nothing received within the read timeout")
	case actPartialTimeout:
		c.CloseLocked(wire.CodePolicy, "message not finished within the read timeout")
	case actWriteTimeout:
		c.CloseLocked(CodeTooSlow, "nothing could be sent within the write timeout")
	case actExpire:
		c.CloseLocked(CodeTokenExpired, "token expired")
	}
}
