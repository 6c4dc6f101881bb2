package conn

import "net"

// stream serves a connection with a goroutine: what TLS needs, and systems
// without epoll. Reading has a goroutine for the life of the connection,
// writing one while something waits.
type stream struct {
	nc   net.Conn
	wakc chan struct{} // capacity 1: the input may be wanted again
}

func newStream(nc net.Conn) *stream { return &stream{nc: nc, wakc: make(chan struct{}, 1)} }

// smallRead is what an idle stream reads into, on its goroutine's stack; a
// read that fills it goes on with a pooled buffer.
const smallRead = 512

// read is the reading goroutine.
func (s *stream) read(c *Conn) {
	e := c.shard.e
	r := newReader(e)
	var small [smallRead]byte
	buf, pooled := small[:], (*[]byte)(nil)
	for s.ready(c) {
		n, err := s.nc.Read(buf)
		if n > 0 && s.acquire(c) {
			r.feed(c, buf[:n])
		}
		if err != nil {
			s.ended(c)
			break
		}
		switch {
		case n == len(buf) && pooled == nil:
			pooled = e.buffers.Get().(*[]byte)
			buf = *pooled
		case n < len(small) && pooled != nil:
			e.buffers.Put(pooled)
			buf, pooled = small[:], nil
		}
	}
	if pooled != nil {
		e.buffers.Put(pooled)
	}
}

// ready waits until the input of c is wanted, and tells whether there is
// anything left to read for.
func (s *stream) ready(c *Conn) bool {
	for {
		c.mu.Lock()
		wanted, over := c.wantsInput(), c.state == stateClosed
		c.mu.Unlock()
		switch {
		case over:
			return false
		case wanted:
			return true
		}
		<-s.wakc
	}
}

// acquire waits until what was read may be parsed; false means never.
func (s *stream) acquire(c *Conn) bool {
	for !c.acquire() {
		if !s.ready(c) || !c.Open() {
			return false
		}
	}
	return true
}

// wake lets ready look again.
func (s *stream) wake(wanted bool) {
	if wanted {
		select {
		case s.wakc <- struct{}{}:
		default:
		}
	}
}

// ended notes that the peer has nothing more to say.
func (s *stream) ended(c *Conn) {
	c.mu.Lock()
	defer c.Unlock()
	switch c.state {
	case stateClosing:
		c.eof()
	case stateOpen:
		c.pushLocked(item{end: endAbrupt})
	}
}

// startWriter writes the outbox of c on a goroutine of its own. It needs no
// deadline: closeSocket ends a write that stands still.
func (s *stream) startWriter(c *Conn) { go s.write(c) }

func (s *stream) write(c *Conn) {
	c.mu.Lock()
	defer c.Unlock()
	for c.out != nil && c.state != stateClosed {
		frames := c.out.buffers()
		c.mu.Unlock()
		n, err := frames.WriteTo(s.nc)
		c.mu.Lock()
		if c.state == stateClosed || c.out == nil {
			return
		}
		c.took(int(n))
		if err != nil {
			c.abort()
			return
		}
	}
}

// shutdownWrite tells the peer that nothing more comes.
func (s *stream) shutdownWrite() {
	if half, ok := s.nc.(interface{ CloseWrite() error }); ok {
		// On TLS this writes an alert: not under the caller's lock.
		go func() { _ = half.CloseWrite() }()
	}
}

// close ends both goroutines. Closing TLS writes an alert, which may block
// for five seconds: not under the caller's lock either.
func (s *stream) close() {
	go func() { _ = s.nc.Close() }()
	close(s.wakc)
}
