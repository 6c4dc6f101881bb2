package conn_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// TestSlowHandlerStallsItsOwnConnection sends 10,000 tiny messages in one
// buffer to a handler that stands still: 64 are read, the rest waits, others
// go on, and at last every message comes in order.
func TestSlowHandlerStallsItsOwnConnection(t *testing.T) {
	const total, waiting = 10_000, 64
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			var tiny atomic.Int32
			full, release := make(chan struct{}), make(chan struct{})
			srv := serve(t, options{
				tls: tr.tls,
				Config: conn.Config{Received: func(n int) {
					if n == 2 && tiny.Add(1) == waiting {
						close(full)
					}
				}},
				message: func(s *session, op wire.Opcode, payload []byte) {
					if len(payload) == 2 {
						<-release
					}
					echo(s, op, payload)
				},
			})
			number := func(i int) string { return string([]byte{byte(i >> 8), byte(i)}) }
			var all []byte
			for i := range total {
				all = append(all, frame(fin|2, []byte(number(i)))...)
			}
			slow, _ := srv.connect(t)
			go func() { _, _ = slow.nc.Write(all) }()
			get(t, full)
			for i := range 8 { // over every event loop
				other, _ := srv.connect(t)
				other.send(text(fmt.Sprintf("others %d", i)))
				other.want(fin|1, fmt.Sprintf("others %d", i))
			}
			if n := tiny.Load(); n > waiting+1 { // one may be with the handler
				t.Errorf("%d messages were read for a handler that handled none", n)
			}
			close(release)
			for i := range total {
				slow.want(fin|2, number(i))
			}
		})
	}
}

// TestLargeMessagesWaitByBytes: SendQueueBytes bounds what waits for a handler.
func TestLargeMessagesWaitByBytes(t *testing.T) {
	var large atomic.Int32
	full, release := make(chan struct{}), make(chan struct{})
	srv := serve(t, options{
		Config: conn.Config{SendQueueBytes: 4 << 10, Received: func(n int) {
			if n == 1024 && large.Add(1) == 4 {
				close(full)
			}
		}},
		message: func(s *session, op wire.Opcode, payload []byte) {
			if len(payload) == 1024 {
				<-release
			}
			echo(s, op, payload)
		},
	})
	c, _ := srv.connect(t)
	message := text(strings.Repeat("m", 1024))
	c.send(bytes.Repeat(message, 40))
	get(t, full)
	for range 8 {
		other, _ := srv.connect(t)
		other.send(text("other"))
		other.want(fin|1, "other")
	}
	if n := large.Load(); n > 5 {
		t.Errorf("%d KiB read, the bound is 4", n)
	}
	close(release)
	for range 40 {
		c.want(fin|1, strings.Repeat("m", 1024))
	}
}

func TestHoldAndResume(t *testing.T) {
	var handled atomic.Int32
	srv := serve(t, options{
		opened: func(s *session) { s.Hold() },
		message: func(s *session, op wire.Opcode, payload []byte) {
			handled.Add(1)
			echo(s, op, payload)
		},
	})
	// One message comes with the handshake, one later.
	c := srv.shake(t, append([]byte(handshake()), text("with the handshake")...))
	s := get(t, srv.sessions)
	c.send(text("later"))
	if n := handled.Load(); n != 0 {
		t.Errorf("%d messages handled while held", n)
	}
	s.Hold() // twice is once
	s.Resume()
	c.want(fin|1, "with the handshake")
	c.want(fin|1, "later")
	s.Hold()
	s.Resume()
	s.Resume()
	c.send(text("again"))
	c.want(fin|1, "again")
}

// TestHeldByItsOwnHandler: a handler may hold its connection and let another
// goroutine resume it; each message is handled once and in order.
func TestHeldByItsOwnHandler(t *testing.T) {
	srv := serve(t, options{message: func(s *session, op wire.Opcode, payload []byte) {
		s.Hold()
		go func() {
			echo(s, op, payload)
			s.Resume()
		}()
	}})
	c, _ := srv.connect(t)
	const n = 500
	var all []byte
	for i := range n {
		all = append(all, text(fmt.Sprint(i))...)
	}
	go func() { _, _ = c.nc.Write(all) }()
	for i := range n {
		c.want(fin|1, fmt.Sprint(i))
	}
}

// fill writes numbered frames until the hub refuses one because the peer's
// and the hub's sockets are full, and returns how many it took.
func fill(t testing.TB, s *session, size int) int {
	t.Helper()
	return fillBy(t, s, size, s.Write)
}

func fillBy(t testing.TB, s *session, size int, write func([]byte) error) int {
	t.Helper()
	refused := 0
	for i := 0; i < 1<<20; {
		err := write(numbered(i, size))
		switch {
		case err == nil:
			i, refused = i+1, 0
		case !errors.Is(err, conn.ErrSlow):
			t.Fatalf("write %d: %v", i, err)
		default:
			// Refused because the peer does not read, or because a stream's
			// writer is behind: that one makes room soon.
			if refused++; refused == 4 {
				return i
			}
			select {
			case <-s.drained:
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	t.Fatal("a peer that does not read is never too slow")
	return 0
}

func numbered(i, size int) []byte {
	return wire.Frame(wire.Binary, append(fmt.Appendf(nil, "%08d", i), bytes.Repeat([]byte("."), size-8)...))
}

// wantNumbered reads n numbered frames.
func (c *client) wantNumbered(n, size int) {
	c.t.Helper()
	c.wantNumberedFrom(0, n, size)
}

func (c *client) wantNumberedFrom(from, n, size int) {
	c.t.Helper()
	for i := from; i < from+n; i++ {
		first, payload, err := c.read()
		if err != nil || first != fin|2 || len(payload) != size || string(payload[:8]) != fmt.Sprintf("%08d", i) {
			c.t.Fatalf("frame %d: %#x, %d bytes, %.8q, %v", i, first, len(payload), payload, err)
		}
		if bytes.Count(payload, []byte(".")) != size-8 {
			c.t.Fatalf("frame %d came changed", i)
		}
	}
}

// TestSlowReader: the queue fills up to its bound, a write is refused whole,
// Drained tells when the queue is empty, and what was accepted arrives.
func TestSlowReader(t *testing.T) {
	const bound, size = 64 << 10, 2000
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{SendQueueBytes: bound}})
			c, s := srv.connect(t)
			for range 3 {
				n := fill(t, s, size)
				if q := srv.engine.Queued(); q > bound || q < bound-2*size {
					t.Errorf("%d bytes queued, the bound is %d", q, bound)
				}
				if q := s.queued(); int64(q) != srv.engine.Queued() {
					t.Errorf("connection has %d queued, engine %d", q, srv.engine.Queued())
				}
				c.wantNumbered(n, size)
				get(t, s.drained)
				if q := srv.engine.Queued(); q != 0 {
					t.Errorf("%d bytes queued behind Drained", q)
				}
			}
			c.send(text("still here"))
			c.want(fin|1, "still here")
			if len(s.drained) > 0 {
				t.Error("Drained was called without a refused write")
			}
		})
	}
}

// TestSlowReaderIsNotHeard: messages of a peer that does not read the answers
// wait until it does.
func TestSlowReaderIsNotHeard(t *testing.T) {
	var handled atomic.Int32
	srv := serve(t, options{
		Config: conn.Config{SendQueueBytes: 64 << 10},
		message: func(s *session, op wire.Opcode, payload []byte) {
			handled.Add(1)
			echo(s, op, payload)
		},
	})
	c, s := srv.connect(t)
	n := fill(t, s, 2000)
	c.send(text("question"))
	for range 8 {
		other, _ := srv.connect(t)
		other.send(text("other"))
		other.want(fin|1, "other")
	}
	if got := handled.Load(); got != 8 {
		t.Errorf("%d messages handled, want the 8 of others", got)
	}
	c.wantNumbered(n, 2000)
	c.want(fin|1, "question")
}

// TestOneFrameOverTheBound: an empty queue takes a frame of any size.
func TestOneFrameOverTheBound(t *testing.T) {
	srv := serve(t, options{Config: conn.Config{SendQueueBytes: 1024}})
	c, s := srv.connect(t)
	big := strings.Repeat("b", 16<<20)
	if err := s.Write(wire.Frame(wire.Text, []byte(big))); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(wire.Frame(wire.Text, []byte("next"))); !errors.Is(err, conn.ErrSlow) {
		t.Errorf("behind it: %v", err)
	}
	c.want(fin|1, big)
	get(t, s.drained)
}

// TestQueueWithoutBound: 0 means no limit.
func TestQueueWithoutBound(t *testing.T) {
	srv := serve(t, options{})
	c, s := srv.connect(t)
	const n, size = 4000, 8000
	for i := range n {
		if err := s.Write(numbered(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	c.wantNumbered(n, size)
}

// TestWriteOnce: the caller may change its frame at once, whether the socket
// takes it or not.
func TestWriteOnce(t *testing.T) {
	srv := serve(t, options{Config: conn.Config{SendQueueBytes: 64 << 10}})
	c, s := srv.connect(t)
	n := fillBy(t, s, 2000, func(frame []byte) error {
		defer clear(frame)
		return s.WriteOnce(frame)
	})
	c.wantNumbered(n, 2000)
	get(t, s.drained)
	s.Close(1000, "")
	if err := s.WriteOnce(numbered(0, 2000)); !errors.Is(err, conn.ErrClosed) {
		t.Errorf("behind the end: %v", err)
	}
	c.wantClose(1000)
}

// TestEmptyWrite: no frame at all is written as such, and waits for nothing.
func TestEmptyWrite(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: fakeTimes(clock, 0, short, 0)})
	c, s := srv.connect(t)
	for range 3 {
		if err := s.Write(nil); err != nil {
			t.Fatal(err)
		}
	}
	srv.pass(t, clock, 2*short)
	c.send(text("on"))
	c.want(fin|1, "on")
	eventually(t, "nothing queued", func() bool { return s.queued() == 0 })
}
