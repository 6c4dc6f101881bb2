package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// Descriptors a worker inherits.
const (
	sharedFD  = 3
	commandFD = 4
)

type clientState uint8

const (
	connecting clientState = iota
	upgrading
	joining
	ready
	gone
)

// client is one connection; what it costs decides how many fit.
type client struct {
	fd      int32
	index   int32 // place among the clients of all workers
	state   clientState
	deflate bool
	busy    bool   // echo, join: an answer is awaited
	last    uint32 // last sequence number heard (echo, one sender)
	sent    uint32 // last sequence number sent
	began   int64  // join: when the request went out
	room    string
	partial []byte // bytes of an incomplete frame
}

// worker is one process with one thread in one epoll loop: nothing is locked.
type worker struct {
	cfg   *config
	proto protocol
	count *counters
	n     int // which worker

	epoll   int
	clients []client
	free    []int32 // churn: places to use again
	byFD    []int32 // place in clients by descriptor
	target  unix.SockaddrInet4
	toOpen  int
	opened  int // ever
	pending int // handshakes under way
	room    string

	in, out  []byte // buffers of a read and of a write
	text     []byte // buffer of a message
	payload  []byte // buffer of its payload
	commands []byte
	now      int64 // time of the last read(2)
	heard    []uint32
	sendSeq  []uint32
	inflater *inflater
	echo     echoLoop
	probing  probing
	churning bool
}

func runWorker(cfg *config, number string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(400)
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= maxWorkers {
		return fmt.Errorf("worker number %q: want 0 to %d", number, maxWorkers-1)
	}
	sh, err := mapShared(sharedFD)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(cfg.addr)
	if err != nil || !addr.Addr().Is4() {
		return fmt.Errorf("-addr %q: want an IPv4 address and port", cfg.addr)
	}
	w := &worker{cfg: cfg, proto: protocols()[cfg.proto], count: &sh.worker[n], n: n,
		target: unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())},
		in:     make([]byte, 256<<10), inflater: newInflater(), sendSeq: make([]uint32, cfg.senders)}
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if err := w.watch(commandFD, unix.EPOLLIN); err != nil {
		return err
	}
	return w.loop()
}

func (w *worker) watch(fd int, events uint32) error {
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return nil
}

func (w *worker) loop() error {
	events := make([]unix.EpollEvent, 4096)
	for {
		for w.toOpen > 0 && w.pending < w.cfg.parallel {
			w.toOpen--
			w.connect()
		}
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for events: %w", err)
		}
		for _, ev := range events[:max(n, 0)] {
			switch int(ev.Fd) {
			case commandFD:
				if more, err := w.command(); err != nil || !more {
					return err
				}
			case w.echo.timer: // 0 while there is none
				w.echoTick()
			default:
				w.event(int(ev.Fd), ev.Events)
			}
		}
		w.nap()
	}
}

// nap lets messages of a fan-out gather. A client that sleeps in epoll_wait(2)
// is woken from within the server's write(2), at the server's cost, which over
// a network it would not be; one that naps is not.
func (w *worker) nap() {
	if w.cfg.mode == "fanout" && w.cfg.nap > 0 && w.toOpen == 0 && w.pending == 0 {
		t := unix.NsecToTimespec(w.cfg.nap.Nanoseconds())
		_ = unix.Nanosleep(&t, nil) // a shorter nap does no harm
	}
}

// command reads what the parent wrote; more is false when the parent is gone.
func (w *worker) command() (more bool, err error) {
	var b [4096]byte
	n, err := unix.Read(commandFD, b[:])
	if err != nil || n == 0 {
		return false, err
	}
	w.commands = append(w.commands, b[:n]...)
	for {
		line, rest, whole := bytes.Cut(w.commands, []byte("\n"))
		if !whole {
			return true, nil
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			return false, fmt.Errorf("decode command: %w", err)
		}
		w.commands = append([]byte(nil), rest...)
		if err := w.do(c); err != nil {
			return false, err
		}
	}
}

func (w *worker) do(c command) error {
	switch c.Op {
	case "open":
		w.room = c.Room
		w.toOpen += c.N
	case "close":
		w.closeAll()
	case "send":
		w.sendBurst(c.N)
	case "echo":
		return w.runEcho(c)
	case "join":
		w.startProbes(c)
	case "churn":
		w.churning = true
		w.toOpen += c.N
	}
	return nil
}

// lookup is nil for a descriptor that was closed earlier in the same batch of events.
func (w *worker) lookup(fd int) *client {
	if fd >= len(w.byFD) || int(w.byFD[fd]) >= len(w.clients) {
		return nil
	}
	c := &w.clients[w.byFD[fd]]
	if c.state == gone || int(c.fd) != fd {
		return nil
	}
	return c
}

func (w *worker) event(fd int, events uint32) {
	c := w.lookup(fd)
	if c == nil {
		return
	}
	if c.state == connecting {
		if code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			w.drop(c, "connect: "+unix.Errno(code).Error())
			return
		}
		if events&unix.EPOLLOUT == 0 {
			return
		}
		c.state = upgrading
		w.write(c, w.request(c))
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		w.read(c, events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
	}
}

// write sends b whole. Clients send little; a socket that does not take it means
// that the server has stopped reading.
func (w *worker) write(c *client, b []byte) {
	if c.state == gone {
		return
	}
	if n, err := unix.Write(int(c.fd), b); err != nil {
		w.drop(c, "write: "+err.Error())
	} else if n != len(b) {
		w.drop(c, fmt.Sprintf("write: the socket took %d of %d bytes", n, len(b)))
	}
}

func (w *worker) writeText(c *client, text []byte) {
	w.out = wire.AppendClient(w.out[:0], wire.OpText, text)
	w.write(c, w.out)
}

// marked is a payload in the worker's buffer, good until the next call.
func (w *worker) marked(m wire.Marker) []byte {
	m.Sent = wire.Now()
	w.payload = m.Append(w.payload[:0], w.cfg.size)
	return w.payload
}

// drop ends a client that failed or that the server closed.
func (w *worker) drop(c *client, why string) {
	if c.state == gone {
		return
	}
	w.count.remember(why)
	if c.state == ready {
		w.count.Closed.Add(1)
	} else {
		w.pending--
		w.count.Failed.Add(1)
	}
	w.release(c)
}

func (w *worker) release(c *client) {
	_ = unix.Close(int(c.fd))
	c.state, c.partial = gone, nil
}

// closeAll leaves as a polite client that will not wait.
func (w *worker) closeAll() {
	bye := wire.AppendClient(nil, wire.OpClose, []byte{1000 >> 8, 1000 & 0xff})
	for i := range w.clients {
		c := &w.clients[i]
		if c.state == gone {
			continue
		}
		_, _ = unix.Write(int(c.fd), bye) // the server may be gone already
		w.release(c)
	}
	w.clients, w.free, w.opened = w.clients[:0], w.free[:0], 0
	w.heard = nil
}
