package room_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// server is a registry of rooms over real connections: the part of the hub
// that rooms rely on.
type server struct {
	*httptest.Server
	engine   *conn.Engine
	fan      *room.FanOut
	rooms    *room.Registry
	accepted chan *session
	onText   func(s *session, text string)
	writes   sync.Map // of *atomic.Int64 by the client's address, in counted servers
}

// session is a client of the server.
type session struct {
	conn.Conn
	srv    *server
	id     string
	addr   string
	closed chan int // close codes

	members []*room.Member // guarded by Conn's lock
}

func (s *session) ID() string { return s.id }

func (s *session) Message(_ wire.Opcode, payload []byte) { s.srv.onText(s, string(payload)) }

func (s *session) Closed(code int, _ string) {
	s.Lock()
	for _, m := range s.members {
		s.srv.rooms.Leave(m)
	}
	s.members = nil
	s.Unlock()
	s.closed <- code
}

// Drained tells the client of its gaps: "gap <position>".
func (s *session) Drained() {
	s.Lock()
	defer s.Unlock()
	for _, m := range s.members {
		if gap := m.TakeGap(); gap != nil {
			_ = s.WriteLocked(wire.Frame(wire.Text, []byte("gap "+gap.From)))
		}
	}
}

type options struct {
	conn.Config
	rule    func(id string) room.Rule // nil: none
	limits  room.Limits
	counted bool // the server's writes are counted, which needs goroutines
	onText  func(s *session, text string)
}

func serve(t testing.TB, o options) *server {
	t.Helper()
	o.ReadBufferSize = 4096
	engine, err := conn.NewEngine(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	if o.rule == nil {
		o.rule = func(string) room.Rule { return room.Rule{} }
	}
	srv := &server{engine: engine, accepted: make(chan *session), onText: o.onText}
	srv.fan = room.NewFanOut(time.Now, nil)
	srv.rooms = room.NewRegistry(srv.fan, "epoch", o.rule, o.limits)
	up := engine.NewUpgrader(nil, true)
	srv.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sock, err := up.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		s := &session{srv: srv, id: r.URL.Query().Get("id"), addr: r.RemoteAddr, closed: make(chan int, 1)}
		if err := engine.Start(&s.Conn, s, sock, func() {}); err != nil {
			t.Error(err)
			return
		}
		srv.accepted <- s
	}))
	if o.counted {
		srv.Listener = &countingListener{srv.Listener, srv}
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = engine.Close(ctx)
	})
	return srv
}

// countingListener accepts connections that count their writes.
type countingListener struct {
	net.Listener
	srv *server
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &countingConn{nc, new(atomic.Int64)}
	l.srv.writes.Store(nc.RemoteAddr().String(), c.writes)
	return c, nil
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// peer is a client and the session that serves it.
type peer struct {
	*websocket.Conn
	*session
	v1, drop bool
}

// dialer offers compression with deflate, and has a small receive buffer.
func dialer(deflate bool) *websocket.Dialer {
	return &websocket.Dialer{
		EnableCompression: deflate,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				err = nc.(*net.TCPConn).SetReadBuffer(16 << 10)
			}
			return nc, err
		},
	}
}

func (srv *server) connect(t testing.TB, id string, deflate bool) *peer {
	t.Helper()
	ws, _, err := dialer(deflate).Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/?id="+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return &peer{Conn: ws, session: get(t, srv.accepted)}
}

// dial returns a plain client.
func (srv *server) dial(t testing.TB, id string) *peer { return srv.connect(t, id, false) }

// join makes the client a member; a missing room is made.
func (p *peer) join(t testing.TB, id, since string) (*room.Member, room.Joined) {
	t.Helper()
	m := &room.Member{Conn: &p.session.Conn, Owner: p.session, V1: p.v1, Drop: p.drop}
	p.Lock()
	defer p.Unlock()
	j, _, err := p.srv.rooms.Join(m, id, since, func() (room.Spec, error) { return room.Spec{ID: id}, nil })
	if err != nil {
		t.Fatal(err)
	}
	p.members = append(p.members, m)
	return m, j
}

func (p *peer) leave(m *room.Member) (deleted *room.Room) {
	p.Lock()
	defer p.Unlock()
	p.members = slices.DeleteFunc(p.members, func(x *room.Member) bool { return x == m })
	return p.srv.rooms.Leave(m)
}

// next returns the next message.
func (p *peer) next(t testing.TB) string {
	t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	_, data, err := p.ReadMessage()
	if err != nil {
		t.Fatalf("%s: %v", p.id, err)
	}
	return string(data)
}

// expect reads messages and compares them with want; none may follow.
func (p *peer) expect(t testing.TB, want ...string) {
	t.Helper()
	if err := p.Write(frame("the end")); err != nil {
		t.Fatalf("%s: %v", p.id, err)
	}
	var got []string
	for text := p.next(t); text != "the end"; text = p.next(t) {
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s got %q, want %q", p.id, got, want)
	}
}

func frame(text string) []byte { return wire.Frame(wire.Text, []byte(text)) }

// plain returns a message of the members, without a sender.
func plain(text string) *room.Message { return &room.Message{Frame: frame(text), Op: wire.Text} }

// from returns a message that p has sent.
func from(p *peer, text string) *room.Message {
	m := plain(text)
	m.Sender = &p.session.Conn
	return m
}

// publish sends what history keeps, too.
func publish(r *room.Room, text string) (position string, ok bool) {
	return publishAt(r, text, time.Now())
}

func publishAt(r *room.Room, text string, now time.Time) (position string, ok bool) {
	return r.Publish(now, room.Key{}, func(position, prev string) *room.Message {
		m := plain(text)
		m.Record = &room.Record{Frame: m.Frame, At: now, Position: position, Prev: prev}
		return m
	})
}

func (srv *server) room(t testing.TB, id string) *room.Room {
	t.Helper()
	r, err := srv.rooms.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
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

// background runs f on a goroutine, and returns what tells its end.
func background(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}
