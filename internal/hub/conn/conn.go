// Package conn is the engine: it owns the sockets of upgraded websocket
// connections, reads and checks their frames, hands messages to a Handler in
// order, and writes frames without ever blocking the writer.
//
// There are two ways to serve a socket, with one behaviour. On Linux a plain
// TCP connection leaves Go's poller for an event loop: idle, it is one Conn of
// about 200 bytes, with no goroutine and no buffer. TLS connections and other
// systems get a goroutine each (stream.go).
//
// Life of a Conn: open, then closing (the close frame is queued or sent,
// nothing more is written, input is discarded until the peer is gone or two
// seconds have passed), then closed. The Handler is told once, at the end of
// open.
package conn

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// Errors of the write side.
var (
	// ErrClosed: the connection is closing or closed; nothing was written.
	ErrClosed = errors.New("connection closed")
	// ErrSlow: the peer does not read fast enough; nothing of the frame was
	// written or queued.
	ErrSlow = errors.New("connection too slow: send queue is full")
)

// Close codes of the hub's own that the engine itself sends.
const (
	CodeTokenExpired = 4001
	CodeTooSlow      = 4008
)

// Handler is what the engine tells of one connection.
type Handler interface {
	// Message takes the next message. Calls come one at a time, in order, on
	// a goroutine that lives only while there is input; a slow call delays
	// this connection only. payload is the handler's own.
	Message(op wire.Opcode, payload []byte)
	// Closed is called once, when the connection leaves the open state; no
	// lock of the engine is held. code is what the close frame said, ours or
	// the peer's; CodeAbnormal where there was none. Where the hub closes, a
	// Message may be under way meanwhile, and one more may begin.
	//
	// Closed and Drained run on whatever goroutine found out, event loops and
	// the timer's among them: they must not block.
	Closed(code int, reason string)
	// Drained is called after the send queue ran empty, where a write had
	// been refused with ErrSlow since it was last empty. No lock is held.
	Drained()
}

type state uint8

const (
	stateOpen state = iota
	stateClosing
	stateClosed
)

// hold says why a connection's input is not being read; reading goes on when
// no bit is set.
type hold uint8

const (
	holdInbox  hold = 1 << iota // too many messages wait for the handler
	holdOutbox                  // the peer does not read what its messages cause
	holdUser                    // Hold was called
	holdEnd                     // the peer is gone, its last messages are being handled
)

// Conn is one websocket connection. It is made to be embedded by value, so
// that a session and its connection are one allocation; Engine.Start brings
// it to life. All methods are safe for concurrent use.
type Conn struct {
	// mu guards everything below up to the atomics, and every write to the
	// socket, so that frames never mix and no descriptor is closed under a
	// writer. Rooms take it through Lock to decide and write in one step; the
	// order is Conn before room.
	mu      sync.Mutex
	shard   *shard
	h       Handler
	stream  *stream // nil: the socket is fd, in an event loop
	out     *outbox // nil: nothing waits to be written
	in      *inbox  // nil: no message waits to be handled
	closing *closing
	fd      int32
	state   state
	hold    hold
	armed   uint8 // what the loop waits for: armRead, armWrite
	reading bool  // somebody owns the parser
	feeding bool  // it is feedBacklog, and the socket must not be read
	corked  bool  // nothing is written: the answer to the handshake comes first
	deflate bool  // permessage-deflate was negotiated
	flags   uint8 // notify, drained: calls owed to h when mu is released

	// The reader's, which is whoever set reading.
	parser *wire.Parser // nil: between messages
	meter  int64        // see reader.Frame

	// The wheel's.
	next, prev *Conn
	slot       int32

	pingAt   uint32        // ticks; guarded by mu
	expireAt uint32        // ticks; guarded by mu; 0: never
	lastRead atomic.Uint32 // ticks
	partial  atomic.Uint32 // ticks when an unfinished message began; 0: none
}

const (
	flagNotify  = 1 << iota // Closed is owed
	flagDrained             // Drained is owed
)

// closing is what a connection knows from the end of open to its close.
type closing struct {
	code     int
	reason   string
	deadline uint32 // ticks
	eof      bool   // the peer says no more: the rest is to write what waits
}

// Lock takes the connection's lock: between Lock and Unlock no frame is
// written but by the caller, through WriteLocked. The holder must not block
// and must not call any method but those named ...Locked.
func (c *Conn) Lock() { c.mu.Lock() }

// Unlock releases the lock and makes the calls to the Handler that are owed.
func (c *Conn) Unlock() {
	if c.flags == 0 {
		c.mu.Unlock()
		return
	}
	owed := c.flags
	c.flags = 0
	closing := c.closing
	c.mu.Unlock()
	if owed&flagNotify != 0 {
		c.h.Closed(closing.code, closing.reason)
		c.shard.e.open.Done()
	}
	if owed&flagDrained != 0 {
		c.h.Drained()
	}
}

// Write sends frame, one or more whole frames: at once, or as soon as the
// socket takes it. frame must not change afterwards: it may be shared and
// kept. It returns ErrClosed or ErrSlow, and never blocks.
func (c *Conn) Write(frame []byte) error {
	c.mu.Lock()
	err := c.WriteLocked(frame)
	c.Unlock()
	return err
}

// Open tells whether the connection is open: it may close at any moment.
func (c *Conn) Open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == stateOpen
}

// OpenLocked is Open for the holder of the lock.
func (c *Conn) OpenLocked() bool { return c.state == stateOpen }

// Close begins the closing handshake: what is queued is still sent, then a
// close frame with code and reason. It returns at once, and does nothing on a
// connection that is not open.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	c.CloseLocked(code, reason)
	c.Unlock()
}

// CloseLocked is Close for the holder of the lock.
func (c *Conn) CloseLocked(code int, reason string) {
	if c.state != stateOpen {
		return
	}
	c.leaveOpen(code, reason)
	c.sendLast(wire.CloseFrame(code, reason))
}

// answerClose ends a connection whose peer sent a close frame: the answer
// carries the peer's code back.
func (c *Conn) answerClose(code int, reason string) {
	if c.state != stateOpen {
		return
	}
	c.leaveOpen(code, reason)
	c.sendLast(wire.CloseFrame(code, ""))
}

// abort ends the connection without a word: the peer is gone.
func (c *Conn) abort() {
	if c.state == stateOpen {
		c.leaveOpen(wire.CodeAbnormal, "")
	}
	c.closeSocket()
}

// eof ends a connection whose peer says no more: what waits is still written.
func (c *Conn) eof() {
	if c.out == nil {
		c.abort()
		return
	}
	if c.state == stateOpen {
		c.leaveOpen(wire.CodeAbnormal, "")
	}
	c.closing.eof = true
	c.updateInterest()
}

func (c *Conn) leaveOpen(code int, reason string) {
	c.state = stateClosing
	c.shard.e.open.Add(1) // for the call of Closed
	c.closing = &closing{code: code, reason: reason, deadline: c.shard.now() + c.shard.e.linger}
	c.flags |= flagNotify
	c.shard.wheel.schedule(c, c.closing.deadline)
	c.updateInterest()
}

// sendLast writes the close frame past every bound and stops the write side
// once all is out.
func (c *Conn) sendLast(frame []byte) {
	if err := c.put(frame); err != nil {
		c.closeSocket()
		return
	}
	if c.out == nil {
		c.shutdownWrite()
	}
}

// closeSocket gives the descriptor back. Holding mu, it cannot come between a
// writer's look at the state and its write.
func (c *Conn) closeSocket() {
	if c.state == stateClosed {
		return
	}
	c.state = stateClosed
	c.shard.e.queued.Add(-int64(c.QueuedLocked()))
	c.out = nil
	c.shard.wheel.remove(c)
	c.retireInbox()
	if c.stream != nil {
		c.stream.close()
	} else {
		c.shard.closeFD(c)
	}
	c.shard.e.open.Done()
}

func (c *Conn) shutdownWrite() {
	if c.stream != nil {
		c.stream.shutdownWrite()
	} else {
		shutdownFD(c.fd)
	}
}

// wantsInput tells whether the socket should be read: for the parser while
// open, to discard what comes while closing.
func (c *Conn) wantsInput() bool {
	switch c.state {
	case stateOpen:
		return c.hold == 0 && !c.feeding
	case stateClosing:
		return !c.closing.eof
	default:
		return false
	}
}

// Hold stops reading from the peer until Resume; what was read already is
// still handled up to the message in progress.
func (c *Conn) Hold() {
	c.mu.Lock()
	c.setHold(holdUser)
	c.Unlock()
}

// Resume ends Hold.
func (c *Conn) Resume() {
	c.mu.Lock()
	c.clearHold(holdUser)
	c.Unlock()
}

// SetExpiry closes the connection with CodeTokenExpired at t, to the second's
// tenth; the zero time means never.
func (c *Conn) SetExpiry(t time.Time) {
	c.mu.Lock()
	defer c.Unlock()
	c.expireAt = 0
	if !t.IsZero() {
		c.expireAt = max(c.shard.e.clock.ticksAt(t), 1)
	}
	if c.state == stateOpen {
		c.shard.wheel.schedule(c, c.nextCheck(c.shard.now()))
	}
}

// Deflate tells whether permessage-deflate was negotiated.
func (c *Conn) Deflate() bool { return c.deflate }

// QueuedLocked returns how many bytes wait for the socket.
func (c *Conn) QueuedLocked() int {
	if c.out == nil {
		return 0
	}
	return c.out.bytes
}

// Socket is an upgraded connection that no Conn serves yet.
type Socket struct {
	nc          net.Conn // nil: fd
	fd          int
	answer      []byte // to the handshake
	carry       []byte // bytes that came behind it
	Subprotocol string // the one selected, or ""
	Deflate     bool   // permessage-deflate was negotiated
}
