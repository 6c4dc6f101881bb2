package conn

import (
	"bytes"
	"net"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// outbox holds the frames that the socket did not take yet. It exists only
// while something waits: a connection whose peer keeps up has none.
type outbox struct {
	frames  [][]byte // shared, immutable; the first may be the rest of one
	bytes   int
	moved   uint32 // ticks when the socket last took something
	refused bool   // a write was refused since the outbox was last empty
}

// WriteLocked is Write for the holder of the lock.
func (c *Conn) WriteLocked(frame []byte) error {
	if err := c.admit(len(frame)); err != nil {
		return err
	}
	return c.put(frame)
}

// WriteAllLocked is WriteLocked for several frames of size bytes in all, which
// are shared and not joined: all of them are written or queued, or none.
func (c *Conn) WriteAllLocked(frames [][]byte, size int) error {
	if err := c.admit(size); err != nil {
		return err
	}
	for _, f := range frames {
		if err := c.put(f); err != nil {
			return err
		}
	}
	return nil
}

// admit tells why size more bytes cannot be sent. What goes out before
// anything waits, or together with the answer to the handshake, may be of any
// size.
func (c *Conn) admit(size int) error {
	if c.state != stateOpen {
		return ErrClosed
	}
	if limit := c.shard.e.cfg.SendQueueBytes; c.out != nil && !c.corked && limit > 0 && c.out.bytes+size > limit {
		c.out.refused = true
		return ErrSlow
	}
	return nil
}

// WriteOnce is Write for a frame that the caller wants back: what the socket
// does not take at once is copied.
func (c *Conn) WriteOnce(frame []byte) error {
	c.mu.Lock()
	defer c.Unlock()
	if c.state != stateOpen || c.out != nil {
		return c.WriteLocked(bytes.Clone(frame))
	}
	rest, err := c.writeNow(frame)
	if err == nil && len(rest) > 0 {
		c.startOutbox(bytes.Clone(rest))
	}
	return err
}

// put writes frame or queues what the socket does not take.
func (c *Conn) put(frame []byte) error {
	if c.out != nil {
		c.queue(frame)
		return nil
	}
	rest, err := c.writeNow(frame)
	if err == nil && len(rest) > 0 {
		c.startOutbox(rest)
	}
	return err
}

// writeNow writes frame while nothing else waits, and returns what the socket
// did not take: all of it where a stream's writer has to write it.
func (c *Conn) writeNow(frame []byte) (rest []byte, err error) {
	if c.stream != nil {
		return frame, nil
	}
	n, err := writeFD(c.fd, frame)
	if err != nil {
		c.abort()
		return nil, ErrClosed
	}
	return frame[n:], nil
}

// cork queues the answer to the handshake and holds everything back behind it
// until uncork: whoever sees the answer is known to the hub by then.
func (c *Conn) cork(answer []byte) {
	c.corked = true
	c.out = &outbox{moved: c.shard.now()}
	c.queue(answer)
}

func (c *Conn) uncork() {
	c.mu.Lock()
	defer c.Unlock()
	c.corked = false
	if c.stream != nil && c.out != nil {
		c.stream.startWriter(c)
		return
	}
	for c.out != nil {
		frame := c.out.frames[0]
		n, err := writeFD(c.fd, frame)
		if err != nil {
			c.abort()
			return
		}
		c.took(n)
		if n < len(frame) {
			break
		}
	}
	c.updateInterest()
}

// startOutbox makes frame the first to wait for the socket.
func (c *Conn) startOutbox(frame []byte) {
	now := c.shard.now()
	c.out = &outbox{moved: now}
	c.shard.wheel.schedule(c, c.nextCheck(now))
	c.queue(frame)
	if c.stream != nil {
		c.stream.startWriter(c)
	} else {
		c.updateInterest()
	}
}

func (c *Conn) queue(frame []byte) {
	c.out.frames = append(c.out.frames, frame)
	c.out.bytes += len(frame)
	c.shard.e.queued.Add(int64(len(frame)))
	if limit := c.shard.e.cfg.SendQueueBytes; limit > 0 && c.out.bytes > limit/2 {
		c.setHold(holdOutbox)
	}
}

// took notes that the socket took n bytes off the front of the outbox.
func (c *Conn) took(n int) {
	out := c.out
	c.shard.e.queued.Add(-int64(n))
	out.bytes -= n
	out.moved = c.shard.now()
	i := 0
	for i < len(out.frames) && n >= len(out.frames[i]) {
		n -= len(out.frames[i])
		out.frames[i] = nil
		i++
	}
	if i < len(out.frames) && n > 0 {
		out.frames[i] = out.frames[i][n:]
	}
	out.frames = out.frames[i:]
	if limit := c.shard.e.cfg.SendQueueBytes; out.bytes <= limit/4 {
		c.clearHold(holdOutbox)
	}
	if len(out.frames) > 0 {
		return
	}
	if out.refused && c.state == stateOpen {
		c.flags |= flagDrained
	}
	c.out = nil
	switch {
	case c.state == stateClosing && c.closing.eof:
		c.closeSocket()
	case c.state == stateClosing:
		c.shutdownWrite()
	}
}

// ping is the frame of a keepalive ping, shared by all.
var ping = wire.Frame(wire.Ping, nil)

// writeBatch bounds what one writev call takes.
const writeBatch = 64

// streamWrite is how many bytes a stream's writer hands over at once: it hears
// only then that the peer still reads.
const streamWrite = 64 << 10

// buffers returns the next frames to write, for a stream's writer.
func (o *outbox) buffers() net.Buffers {
	frames := append(net.Buffers(nil), o.frames[:min(len(o.frames), writeBatch)]...)
	room := streamWrite
	for i, f := range frames {
		if len(f) >= room {
			frames[i] = f[:room]
			return frames[:i+1]
		}
		room -= len(f)
	}
	return frames
}
