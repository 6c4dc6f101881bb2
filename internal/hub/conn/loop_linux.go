package conn

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loopBuffer is what a loop reads at once: one read then empties most sockets.
const loopBuffer = 64 << 10

// What a connection's descriptor is registered for.
const (
	armRead  = 1 << iota // the peer's bytes
	armWrite             // room in the socket's send buffer
)

// loop waits for the events of its connections with epoll. The epoll
// descriptor itself waits in Go's netpoller, so that an idle loop blocks no
// thread: a loop in epoll_wait costs a thread hand-over for every wake-up.
type loop struct {
	shard  *shard
	epoll  int
	file   *os.File
	fds    *fdTable
	reader *reader
	buf    []byte
	iov    []unix.Iovec
}

// fdTable finds connections by descriptor. It is shared by all loops of an
// engine, and its reads are atomic loads: they order what the loop does
// behind what was done before the descriptor was registered.
type fdTable struct {
	chunks [fdChunks]atomic.Pointer[fdChunk]
}

const (
	fdChunkSize = 4096
	fdChunks    = 4096 // 16.7M descriptors
)

type fdChunk [fdChunkSize]atomic.Pointer[Conn]

func (t *fdTable) get(fd int32) *Conn {
	chunk := t.chunks[fd/fdChunkSize].Load()
	if chunk == nil {
		return nil
	}
	return chunk[fd%fdChunkSize].Load()
}

func (t *fdTable) set(fd int32, c *Conn) {
	slot := &t.chunks[fd/fdChunkSize]
	chunk := slot.Load()
	if chunk == nil {
		slot.CompareAndSwap(nil, new(fdChunk))
		chunk = slot.Load()
	}
	chunk[fd%fdChunkSize].Store(c)
}

func (e *Engine) startLoops(n int) error {
	fds := new(fdTable)
	for range n {
		s := e.newShard()
		epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			e.stopLoops()
			return fmt.Errorf("create event loop: %w", err)
		}
		// Nonblocking, so that os.NewFile hands it to the netpoller.
		if err := unix.SetNonblock(epoll, true); err != nil {
			return fmt.Errorf("create event loop: %w", err)
		}
		s.loop = &loop{
			shard: s, epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll"), fds: fds,
			reader: newReader(e), buf: make([]byte, loopBuffer), iov: make([]unix.Iovec, writeBatch),
		}
		raw, err := s.loop.file.SyscallConn()
		if err != nil {
			return fmt.Errorf("create event loop: %w", err)
		}
		e.shards = append(e.shards, s)
		e.running.Add(1)
		go s.loop.run(raw)
	}
	return nil
}

func (e *Engine) stopLoops() {
	for _, s := range e.shards {
		_ = s.loop.file.Close() // wakes run; nothing is lost with it
	}
}

func (l *loop) run(raw syscall.RawConn) {
	defer l.shard.e.running.Done()
	events := make([]unix.EpollEvent, 256)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			// In the callback: looked at before the poller waits, so that no
			// edge of the epoll descriptor is lost.
			n, _ = unix.EpollWait(int(fd), events, 0)
			return n > 0
		})
		if err != nil { // closed: the engine stops
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if c := l.fds.get(ev.Fd); c != nil {
				l.serve(c, ev.Events)
			}
		}
	}
}

// serve does what an event asks for. A descriptor number may have changed
// hands since the event was fetched: every step looks at the connection as it
// is now, and reading or writing without need does no harm.
func (l *loop) serve(c *Conn, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		l.flush(c)
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	if n := l.read(c); n > 0 {
		l.reader.feed(c, l.buf[:n])
	}
}

// read takes what the socket has, and acquires c where that is to be parsed.
// It holds the lock over the system call: else the descriptor could be closed
// just before, and its number be another socket's.
func (l *loop) read(c *Conn) (n int) {
	c.mu.Lock()
	defer c.Unlock()
	if c.state == stateClosed {
		return 0
	}
	if c.state == stateOpen && !c.acquireLocked() {
		l.hungUp(c)
		return 0
	}
	n, err := readFD(c.fd, l.buf)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		c.reading = false
		return 0
	case c.state == stateClosing: // nothing but the end is of interest
		if n == 0 {
			c.eof()
		}
		return 0
	case n == 0:
		c.reading = false
		c.pushLocked(item{end: endAbrupt})
	}
	return n
}

// hungUp looks whether the peer of a connection whose input is held is gone.
func (l *loop) hungUp(c *Conn) {
	if c.reading {
		return
	}
	poll := [1]unix.PollFd{{Fd: c.fd}} // asks for nothing: that leaves POLLHUP and POLLERR
	if n, _ := unix.Poll(poll[:], 0); n > 0 {
		// Reported as long as the descriptor is registered, read or not.
		_ = unix.EpollCtl(c.shard.loop.epoll, unix.EPOLL_CTL_DEL, int(c.fd), nil)
		c.pushLocked(item{end: endAbrupt})
	}
}

// flush writes what waits, up to what the socket takes.
func (l *loop) flush(c *Conn) {
	c.mu.Lock()
	defer c.Unlock()
	for c.out != nil && c.state != stateClosed {
		frames := c.out.frames[:min(len(c.out.frames), writeBatch)]
		for i, f := range frames {
			l.iov[i] = unix.Iovec{Base: unsafe.SliceData(f)}
			l.iov[i].SetLen(len(f))
		}
		n, err := writevFD(c.fd, l.iov[:len(frames)])
		clear(l.iov[:len(frames)])
		if err == syscall.EAGAIN || err == syscall.EINTR {
			return
		}
		if err != nil {
			c.abort()
			return
		}
		c.took(n)
	}
	c.updateInterest()
}

// add registers a connection, waiting for nothing yet.
func (l *loop) add(c *Conn) error {
	l.fds.set(c.fd, c)
	ev := unix.EpollEvent{Fd: c.fd}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, int(c.fd), &ev); err != nil {
		l.fds.set(c.fd, nil)
		return fmt.Errorf("register connection: %w", err)
	}
	return nil
}

// updateInterest registers the descriptor for what c waits for now.
func (c *Conn) updateInterest() {
	if c.stream != nil {
		c.stream.wake(c.wantsInput())
		return
	}
	if c.state == stateClosed {
		return
	}
	var want uint8
	ev := unix.EpollEvent{Fd: c.fd}
	if c.wantsInput() {
		want |= armRead
		ev.Events |= unix.EPOLLIN
	}
	if c.out != nil && !c.corked {
		want |= armWrite
		ev.Events |= unix.EPOLLOUT
	}
	if want != c.armed {
		c.armed = want
		_ = unix.EpollCtl(c.shard.loop.epoll, unix.EPOLL_CTL_MOD, int(c.fd), &ev) // fails on a descriptor taken out for good only
	}
}

// closeFD takes c out of its loop and closes its socket.
func (s *shard) closeFD(c *Conn) {
	s.loop.fds.set(c.fd, nil)
	_ = unix.Close(int(c.fd)) // also leaves epoll: it is the only descriptor of the socket
}

func shutdownFD(fd int32) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }

// The sockets are nonblocking, so these system calls return at once, and go
// without telling the scheduler: that saves about a tenth of a small write.

func readFD(fd int32, b []byte) (int, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// writeFD returns how much the socket took; none of it is no error.
func writeFD(fd int32, b []byte) (int, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	switch e {
	case 0:
		return int(n), nil
	case syscall.EAGAIN, syscall.EINTR:
		return 0, nil
	}
	return 0, e
}

func writevFD(fd int32, iov []unix.Iovec) (int, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iov))), uintptr(len(iov)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}
