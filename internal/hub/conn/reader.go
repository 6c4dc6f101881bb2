package conn

import (
	"errors"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// Frame metering. Data messages have their own limit further up; this one is
// for what costs the hub work without being a message: control frames and
// fragments. A generous burst lets a message of 256 KiB come in pieces of 64
// bytes; nobody honest keeps up the rate.
const (
	meterPerSecond = 4_000
	meterBurst     = 16_384
	meterInterval  = int64(1e9) / meterPerSecond
)

var errFlood = &wire.Error{Code: wire.CodePolicy, Reason: "too many frames"}

// reader parses what connections receive. An event loop has one for all its
// connections; it is the wire.Sink of the connection it is reading.
type reader struct {
	e    *Engine
	idle *wire.Parser // serves connections that are between messages
	c    *Conn
	now  int64
}

func newReader(e *Engine) *reader { return &reader{e: e, idle: wire.NewParser(&e.wire)} }

// acquire makes the caller the one who reads c, unless its input is held.
func (c *Conn) acquire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acquireLocked()
}

func (c *Conn) acquireLocked() bool {
	if c.reading || c.hold != 0 || c.state != stateOpen {
		return false
	}
	c.reading = true
	return true
}

// feed parses b, the next bytes of c, for the one who acquired c, and
// releases it. b may be changed and is not kept.
func (r *reader) feed(c *Conn, b []byte) {
	r.c = c
	r.now = r.e.clock.nanos()
	c.lastRead.Store(r.e.clock.ticksOf(r.now))
	for {
		n, err := r.parse(c, b)
		b = b[n:]
		c.mu.Lock()
		if err != nil {
			c.fault(err)
		} else if len(b) > 0 && c.state == stateOpen {
			if c.hold == 0 {
				c.mu.Unlock()
				continue
			}
			c.keepBacklog(b)
		}
		c.reading, c.feeding = false, false
		c.retireInbox()
		c.updateInterest()
		c.Unlock()
		r.c = nil
		return
	}
}

// parse feeds the connection's parser, which it has only inside a message.
func (r *reader) parse(c *Conn, b []byte) (int, error) {
	p := c.parser
	if p == nil {
		p = r.idle
	}
	n, err := p.Feed(b, c.deflate, r)
	switch {
	case err != nil:
		p.Reset()
		c.parser = nil
		c.partial.Store(0)
	case p.Idle():
		if c.parser != nil {
			c.parser = nil
			c.partial.Store(0)
		}
	default:
		if c.parser == nil {
			c.parser = p
			r.idle = wire.NewParser(&r.e.wire)
		}
		c.partial.CompareAndSwap(0, max(r.e.clock.ticksOf(r.now), 1))
	}
	return n, err
}

// fault ends the input of c because of err, behind the messages before it.
func (c *Conn) fault(err error) {
	var we *wire.Error
	if errors.As(err, &we) {
		c.pushLocked(item{end: endFault, code: we.Code, payload: []byte(we.Reason)})
	}
}

// errEnd stops the parser behind a close frame that has been dealt with.
var errEnd = errors.New("close frame")

// Frame meters control frames and fragments by the generic cell rate
// algorithm: meter is the time at which all frames so far would have been
// due at the permitted rate.
func (r *reader) Frame(op wire.Opcode) error {
	if op == wire.Text || op == wire.Binary {
		return nil
	}
	c := r.c
	c.meter = max(c.meter, r.now) + meterInterval
	if c.meter-r.now > meterBurst*meterInterval {
		return errFlood
	}
	return nil
}

func (r *reader) Message(op wire.Opcode, payload []byte) bool {
	r.e.cfg.Received(len(payload))
	if r.c.parser != nil { // the unfinished message has ended; another may begin in the same bytes
		r.c.partial.Store(0)
	}
	return r.c.push(item{payload: payload, op: op})
}

func (r *reader) Control(op wire.Opcode, payload []byte) error {
	switch op {
	case wire.Ping:
		_ = r.c.Write(wire.Frame(wire.Pong, payload)) // a closed or slow peer needs no pong
	case wire.Close:
		code, reason, err := wire.ParseClose(payload)
		if err != nil {
			return err
		}
		r.c.push(item{end: endPeer, code: code, payload: []byte(reason)})
		return errEnd
	}
	return nil
}
