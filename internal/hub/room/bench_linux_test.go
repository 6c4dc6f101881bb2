package room

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// sinks are connections whose sockets have been replaced with /dev/null: what
// is left of a delivery is the hub's part and one cheap system call.
type sinks struct {
	engine   *conn.Engine
	upgrader *conn.Upgrader
	listener net.Listener
	null     *os.File
	fds      []int
}

type silent struct{}

func (silent) Message(wire.Opcode, []byte) {}
func (silent) Closed(int, string)          {}
func (silent) Drained()                    {}

func newSinks(b *testing.B) *sinks {
	b.Helper()
	s := new(sinks)
	var err error
	if s.null, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		b.Fatal(err)
	}
	if s.engine, err = conn.NewEngine(conn.Config{}); err != nil {
		b.Fatal(err)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	s.upgrader = s.engine.NewUpgrader(nil, false)
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.engine.Close(ctx)
		_ = s.listener.Close()
		_ = s.null.Close()
	})
	return s
}

// hijacked is the response writer of a handshake without a server.
type hijacked struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}

// connect brings one connection to life, and returns it with its client side.
func (s *sinks) connect(b *testing.B) (*conn.Conn, net.Conn) {
	b.Helper()
	client, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	nc, err := s.listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for key, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(key, value)
	}
	socket, err := s.upgrader.Upgrade(hijacked{httptest.NewRecorder(), nc}, r)
	if err != nil {
		b.Fatal(err)
	}
	c := new(conn.Conn)
	if err := s.engine.Start(c, silent{}, socket, func() {}); err != nil {
		b.Fatal(err)
	}
	return c, client
}

// connections returns n connections to nowhere.
func (s *sinks) connections(b *testing.B, n int) []*conn.Conn {
	b.Helper()
	var all []*conn.Conn
	for len(all) < n {
		var clients []net.Conn
		for range min(1000, n-len(all)) {
			c, client := s.connect(b)
			all, clients = append(all, c), append(clients, client)
		}
		s.swallow(b)
		for _, c := range clients {
			_ = c.Close()
		}
	}
	if len(s.fds) != n {
		b.Fatalf("%d sockets found of %d", len(s.fds), n)
	}
	return all
}

// swallow replaces the server's side of every connection.
func (s *sinks) swallow(b *testing.B) {
	b.Helper()
	port := s.listener.Addr().(*net.TCPAddr).Port
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		var fd int
		if _, err := fmt.Sscan(e.Name(), &fd); err != nil {
			b.Fatal(err)
		}
		local, err := unix.Getsockname(fd)
		if err != nil {
			continue
		}
		inet, ok := local.(*unix.SockaddrInet4)
		listening, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if !ok || inet.Port != port || listening != 0 {
			continue
		}
		if err := unix.Dup3(int(s.null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			b.Fatal(err)
		}
		s.fds = append(s.fds, fd)
	}
}

const fanOutMembers = 10_000

// BenchmarkFanOut is one pass over 10,000 members, next to a bare loop of
// writes to the same descriptors.
func BenchmarkFanOut(b *testing.B) {
	s := newSinks(b)
	g, r := benchRoom(b, 0)
	var members []*Member
	for _, c := range s.connections(b, fanOutMembers) {
		m := &Member{Conn: c, Owner: nobody{}}
		c.Lock()
		_, _, err := g.Join(m, "r", "", nil)
		c.Unlock()
		if err != nil {
			b.Fatal(err)
		}
		members = append(members, m)
	}
	perDelivery := func(b *testing.B, queued int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(queued*fanOutMembers), "ns/delivery")
	}
	b.Run("bare-write-loop", func(b *testing.B) {
		frame := wire.Frame(wire.Text, make([]byte, 128))
		for b.Loop() {
			for _, fd := range s.fds {
				if _, err := syscall.Write(fd, frame); err != nil {
					b.Fatal(err)
				}
			}
		}
		perDelivery(b, 1)
	})
	for _, senders := range []int{0, 1, 100} {
		for _, queued := range []int{1, 10, 100} {
			if senders > queued {
				continue
			}
			b.Run(fmt.Sprint(senders, "-senders/", queued, "-queued"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p := pass{fan: r.fan, batch: batchOf(queued, members[:senders])}
					p.deliver(r.members.snapshot())
					r.members.thaw()
					if p.delivered+uint64(len(p.excluded)) < uint64(queued) {
						b.Fatal("nothing was delivered")
					}
				}
				perDelivery(b, queued)
			})
		}
	}
}
