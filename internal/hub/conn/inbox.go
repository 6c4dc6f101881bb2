package conn

import (
	"bytes"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// inboxMessages is how many messages of one connection may wait for the
// handler before its socket is no longer read.
const inboxMessages = 64

// inbox holds what was read and waits for the handler, and exists only while
// something does.
type inbox struct {
	items   []item
	head    int
	bytes   int
	working bool   // a goroutine is handling items
	backlog []byte // read, but not parsed: the inbox was full
	endAt   uint32 // ticks when an end that waits its turn is carried out anyway; 0: none waits
}

// item is a message, or the end of the input with the reason.
type item struct {
	payload []byte
	op      wire.Opcode
	end     ending
	code    int
}

// ending says how the input of a connection came to its end. It waits its
// turn behind the messages that came before it.
type ending uint8

const (
	endNone   ending = iota
	endPeer          // the peer sent a close frame
	endFault         // the peer broke the protocol or a bound
	endAbrupt        // the socket ended without a close frame
)

func (in *inbox) len() int { return len(in.items) - in.head }

func (in *inbox) pop() item {
	it := in.items[in.head]
	in.items[in.head] = item{}
	in.head++
	// Moved down now and then, and not only when empty: under lasting load it
	// never is, and the slice would grow with every message.
	if in.head == len(in.items) || in.head == inboxMessages/2 {
		n := copy(in.items, in.items[in.head:])
		clear(in.items[n:])
		in.items, in.head = in.items[:n], 0
	}
	in.bytes -= len(it.payload)
	return it
}

// push adds it to the inbox and sees to it that a goroutine handles it. It
// tells whether there is room for more.
func (c *Conn) push(it item) bool {
	c.mu.Lock()
	defer c.Unlock()
	return c.pushLocked(it)
}

func (c *Conn) pushLocked(it item) bool {
	if c.state != stateOpen {
		return false
	}
	if c.in == nil {
		if it.end != endNone { // nothing to wait for
			c.end(it)
			return false
		}
		c.in = c.shard.e.inboxes.Get().(*inbox)
	}
	in := c.in
	in.items = append(in.items, it)
	in.bytes += len(it.payload)
	c.startWork()
	if it.end != endNone {
		in.endAt = c.shard.now() + c.shard.e.linger
		c.shard.wheel.schedule(c, in.endAt)
		c.setHold(holdEnd)
		return false
	}
	if in.len() >= inboxMessages || in.bytes >= c.shard.e.inboxBytes {
		c.setHold(holdInbox)
		return false
	}
	return c.hold == 0
}

// startWork has a goroutine handle the inbox unless one does, there is nothing
// to do, or it must wait: messages of a peer that does not read the answers
// stay where they are.
func (c *Conn) startWork() {
	in := c.in
	if in == nil || in.working || in.len() == 0 || c.hold&(holdOutbox|holdUser) != 0 || c.state != stateOpen {
		return
	}
	in.working = true
	c.shard.e.workers.run(c)
}

// work handles the inbox until it is empty or held.
func (c *Conn) work() {
	c.mu.Lock()
	in := c.in
	for in.len() > 0 && c.state == stateOpen && c.hold&(holdOutbox|holdUser) == 0 {
		it := in.pop()
		if it.end != endNone {
			c.end(it)
			break
		}
		c.Unlock()
		c.h.Message(it.op, it.payload)
		c.mu.Lock()
		if c.hold&holdInbox != 0 && in.len() <= inboxMessages/2 && in.bytes <= c.shard.e.inboxBytes/2 {
			c.clearHold(holdInbox)
		}
	}
	in.working = false
	c.retireInbox()
	c.Unlock()
}

// retireInbox gives an inbox back that nobody needs any more.
func (c *Conn) retireInbox() {
	in := c.in
	if in == nil || in.working || c.state == stateOpen && (in.len() > 0 || len(in.backlog) > 0) {
		return
	}
	c.in = nil
	if cap(in.items) <= 2*inboxMessages {
		clear(in.items)
		*in = inbox{items: in.items[:0]}
		c.shard.e.inboxes.Put(in)
	}
}

// end carries out the end of the input.
func (c *Conn) end(it item) {
	switch it.end {
	case endPeer:
		c.answerClose(it.code, string(it.payload))
	case endFault:
		c.CloseLocked(it.code, string(it.payload))
	default:
		c.eof()
	}
}

func (c *Conn) setHold(h hold) {
	if c.hold&h == 0 {
		c.hold |= h
		c.updateInterest()
	}
}

// clearHold takes a hold away. When it was the last one, the bytes that were
// read but not parsed go first, on a goroutine of their own since the caller
// holds the lock; the socket is read again behind them.
func (c *Conn) clearHold(h hold) {
	if c.hold&h == 0 {
		return
	}
	c.hold &^= h
	c.startWork()
	if c.hold == 0 && !c.reading && c.in != nil && len(c.in.backlog) > 0 && c.state == stateOpen {
		backlog := c.in.backlog
		c.in.backlog = nil
		c.reading, c.feeding = true, true
		go c.feedBacklog(backlog)
		return
	}
	c.updateInterest()
}

func (c *Conn) feedBacklog(backlog []byte) {
	r := c.shard.e.readers.Get().(*reader)
	r.feed(c, backlog)
	c.shard.e.readers.Put(r)
}

// keepBacklog stores what the reader must not parse yet.
func (c *Conn) keepBacklog(rest []byte) {
	if c.in == nil {
		c.in = c.shard.e.inboxes.Get().(*inbox)
	}
	if !c.feeding { // else it is the rest of a backlog
		rest = bytes.Clone(rest)
	}
	c.in.backlog = rest
}
