package conn_test

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// Every test runs over the engine named here. CI runs this binary once for
// each and compares the lists of test names.
var engineFlag = flag.String("engine", "auto", "engine under test: auto (the event loop) or goroutine")

func TestMain(m *testing.M) {
	flag.Parse()
	if *engineFlag != "auto" && *engineFlag != "goroutine" {
		fmt.Fprintf(os.Stderr, "-engine=%q: want auto or goroutine\n", *engineFlag)
		os.Exit(2)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// fakeClock stands still but for Advance.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *fakeClock { return &fakeClock{at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// closeEvent is what Handler.Closed was told.
type closeEvent struct {
	code   int
	reason string
}

// session is a connection with a handler that reports what it is told.
type session struct {
	conn.Conn
	srv     *server
	sock    *conn.Socket
	closed  chan closeEvent
	drained chan struct{}
}

func (s *session) Message(op wire.Opcode, payload []byte) { s.srv.message(s, op, payload) }
func (s *session) Closed(code int, reason string)         { s.closed <- closeEvent{code, reason} }
func (s *session) Drained()                               { s.drained <- struct{}{} }

// queued returns how many bytes wait for s alone.
func (s *session) queued() int {
	s.Lock()
	defer s.Unlock()
	return s.QueuedLocked()
}

// echo answers each message with itself.
func echo(s *session, op wire.Opcode, payload []byte) { _ = s.Write(wire.Frame(op, payload)) }

// server is an engine behind net/http.
type server struct {
	*httptest.Server
	engine   *conn.Engine
	sessions chan *session
	tick     time.Duration
	message  func(s *session, op wire.Opcode, payload []byte)
	opened   func(s *session)
}

type options struct {
	conn.Config
	message      func(s *session, op wire.Opcode, payload []byte) // nil: echo
	opened       func(s *session)
	subprotocols []string
	deflate      bool
	tls          bool
}

func serve(t testing.TB, o options) *server {
	t.Helper()
	o.Goroutines = *engineFlag == "goroutine"
	if o.ReadBufferSize == 0 {
		o.ReadBufferSize = 4096
	}
	engine, err := conn.NewEngine(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	srv := &server{engine: engine, sessions: make(chan *session, 4096), tick: tickOf(o.Config), message: o.message, opened: o.opened}
	if srv.message == nil {
		srv.message = echo
	}
	if srv.opened == nil {
		srv.opened = func(*session) {}
	}
	up := engine.NewUpgrader(o.subprotocols, o.deflate)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, err := conn.Check(r); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		sock, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		s := &session{srv: srv, sock: sock, closed: make(chan closeEvent, 2), drained: make(chan struct{}, 1024)}
		if err := engine.Start(&s.Conn, s, sock, func() { srv.opened(s) }); err == nil {
			srv.sessions <- s
		}
	})
	if o.tls {
		srv.Server = httptest.NewTLSServer(handler)
	} else {
		srv.Server = httptest.NewServer(handler)
	}
	t.Cleanup(func() {
		srv.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = engine.Close(ctx)
	})
	return srv
}

// connect returns a raw client and the session that serves it.
func (srv *server) connect(t testing.TB, header ...string) (*client, *session) {
	t.Helper()
	c := srv.dial(t, header...)
	return c, get(t, srv.sessions)
}

func (srv *server) dialTCP(t testing.TB) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if srv.TLS != nil {
		cfg := srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		cfg.ServerName = "example.com" // what httptest's certificate is for
		nc = tls.Client(nc, cfg)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// get takes the next value, and fails where none comes.
func get[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// eventually waits for a state that nothing tells of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !ok(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// pass makes the clock go on by d, and returns when the engine has looked at
// everything that was due: two connections that expired one after the other
// are closed by two rounds, the second of which began after the clock moved.
func (srv *server) pass(t testing.TB, clock *fakeClock, d time.Duration) {
	t.Helper()
	clock.Advance(d)
	for range 2 {
		c, s := srv.connect(t)
		s.SetExpiry(clock.Now())
		clock.Advance(srv.tick)
		if ev := get(t, s.closed); ev.code != conn.CodeTokenExpired {
			t.Fatalf("closed with %d", ev.code)
		}
		_ = c.nc.Close()
	}
}

// tick is a clock tick of an engine whose shortest timeout is short.
const (
	tick  = 10 * time.Millisecond
	short = 4 * tick
)

// tickOf is the engine's rule for its tick: a quarter of the shortest timeout,
// 100 ms at most.
func tickOf(cfg conn.Config) time.Duration {
	t := 100 * time.Millisecond
	for _, d := range []time.Duration{cfg.ReadTimeout / 4, cfg.ReadTimeout / 12, cfg.WriteTimeout / 4, cfg.PingInterval / 4} {
		if d > 0 && (d != cfg.ReadTimeout/12 || cfg.PingInterval > 0) {
			t = min(t, d)
		}
	}
	return max(t, time.Millisecond)
}

// fakeTimes are short in ticks, so that the engine looks often; what they are
// in seconds is up to the fake clock. A write timeout of 0 is a short one.
func fakeTimes(clock *fakeClock, read, write, ping time.Duration) conn.Config {
	if write == 0 {
		write = short
	}
	return conn.Config{ReadTimeout: read, WriteTimeout: write, PingInterval: ping, Now: clock.Now}
}
