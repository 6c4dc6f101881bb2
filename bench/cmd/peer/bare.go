package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// bare is the least a websocket server can do: a fan-out is a loop of write(2)
// over descriptors and an echo is one read and one write. It keeps no queue (what
// a full socket refuses is lost), has no timers, no limits, no TLS. It is the
// measure of what the kernel costs, not a server.
type bare struct {
	coalesce bool
	epoll    int
	ready    syscall.RawConn

	mu      sync.Mutex
	members []int32          // descriptors after the upgrade; guarded by mu
	index   map[int32]int    // place in members; guarded by mu
	refused int              // writes the kernel did not take whole; guarded by mu
	partial map[int32][]byte // bytes of an incomplete frame or request; the loop's own
	out     []byte           // replies to one read; the loop's own
}

func newBare(o options) (server, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	if err := unix.SetNonblock(ep, true); err != nil { // so that os.NewFile hands it to Go's netpoller
		return nil, fmt.Errorf("make epoll pollable: %w", err)
	}
	ready, err := os.NewFile(uintptr(ep), "epoll").SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("make epoll pollable: %w", err)
	}
	return &bare{coalesce: o.coalesce, epoll: ep, ready: ready,
		index: map[int32]int{}, partial: map[int32][]byte{}}, nil
}

// Serve accepts on its own descriptor, so that no net.Conn exists for a client.
func (s *bare) Serve(ln net.Listener) error {
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("take over listener: %w", err)
	}
	fd := int(f.Fd()) // Fd makes it blocking
	_ = ln.Close()
	go s.accept(fd, f)
	return s.loop()
}

func (s *bare) accept(fd int, f *os.File) {
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) {
				continue
			}
			log.Fatalf("accept: %v", err)
		}
		_ = unix.SetsockoptInt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c)}
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, c, &ev); err != nil {
			log.Fatalf("watch client: %v", err)
		}
		runtime.KeepAlive(f)
	}
}

func (s *bare) loop() error {
	events := make([]unix.EpollEvent, 512)
	buf := make([]byte, 256<<10)
	for {
		n := 0
		err := s.ready.Read(func(uintptr) bool {
			n = epollPoll(s.epoll, events)
			return n > 0
		})
		if err != nil {
			return fmt.Errorf("wait for clients: %w", err)
		}
		for _, ev := range events[:n] {
			s.readable(ev.Fd, buf)
		}
	}
}

func (s *bare) readable(fd int32, buf []byte) {
	held := s.partial[fd]
	n, err := rawRead(fd, buf[copy(buf, held):])
	if err == unix.EAGAIN {
		return
	}
	if n <= 0 {
		s.drop(fd)
		return
	}
	rest, err := s.consume(fd, buf[:len(held)+n])
	if err != nil {
		s.drop(fd)
		return
	}
	switch {
	case len(rest) > 0:
		s.partial[fd] = bytes.Clone(rest)
	case held != nil:
		delete(s.partial, fd)
	}
}

// consume handles all whole frames in b and returns what is left.
func (s *bare) consume(fd int32, b []byte) (rest []byte, err error) {
	s.mu.Lock()
	_, member := s.index[fd]
	s.mu.Unlock()
	if !member {
		response, size, err := wire.Upgrade(b)
		if err != nil || size == 0 {
			return b, err
		}
		s.join(fd)
		rawWrite(fd, response)
		b = b[size:]
	}
	out := s.out[:0]
	for {
		f, size, err := wire.Next(b)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			break
		}
		b = b[size:]
		switch {
		case f.Op == wire.OpClose:
			return nil, io.EOF
		case f.Op == wire.OpPing:
			out = wire.AppendServer(out, wire.OpPong, f.Payload)
		case f.Op == wire.OpPong:
		case isPublish(f.Payload):
			s.write([][]byte{wire.AppendServer(nil, f.Op, f.Payload)}, fd)
		default:
			out = wire.AppendServer(out, f.Op, f.Payload)
		}
	}
	if len(out) > 0 {
		rawWrite(fd, out)
	}
	s.out = out
	return b, nil
}

func (s *bare) join(fd int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index[fd] = len(s.members)
	s.members = append(s.members, fd)
}

func (s *bare) drop(fd int32) {
	s.mu.Lock()
	if i, ok := s.index[fd]; ok {
		last := s.members[len(s.members)-1]
		s.members[i], s.index[last] = last, i
		s.members = s.members[:len(s.members)-1]
		delete(s.index, fd)
	}
	s.mu.Unlock()
	delete(s.partial, fd)
	_ = unix.Close(int(fd))
}

// Publish frames the payloads once and writes them to every member.
func (s *bare) Publish(_ string, payloads [][]byte) error {
	var frames [][]byte
	for _, p := range payloads {
		frames = append(frames, wire.AppendServer(nil, wire.OpText, p))
	}
	if s.coalesce {
		frames = [][]byte{bytes.Join(frames, nil)}
	}
	s.write(frames, -1)
	return nil
}

func (s *bare) write(frames [][]byte, except int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range frames {
		for _, fd := range s.members {
			if fd != except && rawWrite(fd, f) != len(f) {
				s.refused++
			}
		}
	}
}

func (s *bare) Gauges() (clients, rooms int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members), -1
}

// The calls below skip Go's scheduler hooks: none of them can block.

func epollPoll(ep int, events []unix.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_WAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func rawRead(fd int32, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func rawWrite(fd int32, b []byte) int {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1
	}
	return int(n)
}
