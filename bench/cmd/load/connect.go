package main

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// perSource is how many connections share a loopback source address: well below
// the number of local ports, so that a port is found at once.
const perSource = 8000

// connect begins one connection. A failure is counted, not returned: the server
// or the machine is at a limit, and how many fit is a result.
func (w *worker) connect() {
	fd, err := w.dial()
	if err != nil {
		w.count.remember(err.Error())
		w.count.Failed.Add(1)
		return
	}
	index := w.opened*w.cfg.workers + w.n
	w.opened++
	c := client{fd: int32(fd), index: int32(index), state: connecting, room: w.dealtRoom(index)}
	var place int
	if n := len(w.free); n > 0 {
		place = int(w.free[n-1])
		w.free = w.free[:n-1]
		w.clients[place] = c
	} else {
		place = len(w.clients)
		w.clients = append(w.clients, c)
	}
	for fd >= len(w.byFD) {
		w.byFD = append(w.byFD, make([]int32, 1024)...)
	}
	w.byFD[fd] = int32(place)
	w.pending++
}

// dial starts connecting and watches the socket. Edge-triggered from the start:
// one epoll_ctl for the whole life of a connection.
func (w *worker) dial() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// The port is chosen when the peer is known, so that sources can share ports.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: w.source()}); err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Connect(fd, &w.target); err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("connect: %w", err)
	}
	if err := w.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// source is an address of 127.64.0.0/10; the workers' ranges do not overlap.
func (w *worker) source() [4]byte {
	i := w.n<<14 | (w.opened/perSource)&(1<<14-1)
	return [4]byte{127, 64 | byte(i>>16), byte(i >> 8), byte(i)}
}

func roomName(i int) string { return "bench-" + strconv.Itoa(i) }

func (w *worker) dealtRoom(index int) string {
	switch {
	case w.room != "":
		return w.room
	case w.cfg.rooms == 0 || w.cfg.mode == "join":
		return ""
	case w.cfg.rooms == 1:
		return firstRoom // no string of its own for each client
	default:
		return roomName(index % w.cfg.rooms)
	}
}

const firstRoom = "bench-0"

func (w *worker) request(c *client) []byte {
	path, kind, subprotocol := "/ws", int(c.index)%100, ""
	if w.cfg.ids {
		path += "?client_id=load-" + strconv.Itoa(int(c.index))
	}
	if kind < w.cfg.v1 {
		subprotocol = "gohub.v1"
	}
	return wire.Request(w.cfg.addr, path, subprotocol, w.wantsDeflate(c))
}

func (w *worker) wantsDeflate(c *client) bool {
	kind := int(c.index) % 100
	return kind >= w.cfg.v1 && kind < w.cfg.v1+w.cfg.deflate
}

// upgraded handles the end of the handshake and sends the opening messages.
func (w *worker) upgraded(c *client, r wire.Response) {
	if w.wantsDeflate(c) && !r.Deflate {
		w.drop(c, "the server did not agree to permessage-deflate")
		return
	}
	if int(c.index)%100 < w.cfg.v1 && r.Subprotocol != "gohub.v1" {
		w.drop(c, "the server did not agree to gohub.v1")
		return
	}
	c.deflate, c.state = r.Deflate, joining
	for _, m := range w.proto.open(c.room) {
		w.writeText(c, []byte(m))
	}
	if w.proto.readyOn(c.room) == "" {
		w.becomeReady(c)
	}
}

func (w *worker) becomeReady(c *client) {
	if c.state == gone {
		return
	}
	c.state = ready
	w.pending--
	w.count.Ready.Add(1)
	if w.churning {
		w.finishCycle(c)
	}
}
