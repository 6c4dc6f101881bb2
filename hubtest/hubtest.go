// Package hubtest runs a hub and clients inside a test:
//
//	srv := hubtest.NewServer(t, nil)
//	c := srv.Dial(t)
//	c.Request("ping", nil)
//
// Everything is closed with the test. Failures end the test with t.Fatal, so
// the methods must be called from the test's goroutine.
package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// Timeout is how long a client waits for what a test expects.
const Timeout = 10 * time.Second

// Server is a hub that a test runs.
type Server struct {
	*server.Server
	addr string
}

// Options completes opts (nil: all defaults) for a test: a free port of the
// loopback interface, no signals and, where opts says nothing else, no log and
// a drain without delay. opts itself is not changed.
func Options(opts *server.Options) *server.Options {
	o := server.Options{}
	if opts != nil {
		o = *opts
	}
	o.Address = "127.0.0.1:0"
	o.DisableSignals = true
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Drain == (server.Drain{}) {
		o.Drain = server.Drain{Delay: -1, Window: -1}
	}
	return &o
}

// NewServer starts a hub with Options(opts). setup is called before the start,
// to register handlers.
func NewServer(t testing.TB, opts *server.Options, setup ...func(*server.Server)) *Server {
	t.Helper()
	s, err := server.NewServer(Options(opts))
	if err != nil {
		t.Fatalf("hubtest: %v", err)
	}
	for _, f := range setup {
		f(s)
	}
	return Run(t, s)
}

// Run starts a server that the test has made, best with Options.
func Run(t testing.TB, s *server.Server) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("hubtest: %v", err)
		}
	})
	return attach(t, s, done)
}

// Attach waits until a server that the test starts itself listens.
func Attach(t testing.TB, s *server.Server) *Server {
	t.Helper()
	return attach(t, s, nil)
}

// attach waits until s listens or has ended with an error that comes from done.
func attach(t testing.TB, s *server.Server, done chan error) *Server {
	t.Helper()
	for deadline := time.Now().Add(Timeout); s.Addr() == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("hubtest: the server does not listen after %v", Timeout)
		}
		select {
		case err := <-done:
			done <- nil // for the clean-up
			t.Fatalf("hubtest: %v", err)
		default:
			runtime.Gosched()
		}
	}
	return &Server{Server: s, addr: s.Addr().String()}
}

// URL returns the server's address as scheme://host:port, where scheme is
// http, https, ws or wss.
func (s *Server) URL(scheme string) string { return scheme + "://" + s.addr }

// Option changes how a client connects.
type Option func(*dial)

type dial struct {
	dialer websocket.Dialer
	header http.Header
	query  url.Values
	scheme string
}

// Token makes the client send a token in its Authorization header.
func Token(token string) Option {
	return func(d *dial) { d.header.Set("Authorization", "Bearer "+token) }
}

// ID makes the client ask for an id (with Options.EnableQueryClientID).
func ID(id string) Option { return Query("client_id", id) }

// Query adds a query parameter.
func Query(key, value string) Option { return func(d *dial) { d.query.Add(key, value) } }

// Header adds a header field.
func Header(key, value string) Option { return func(d *dial) { d.header.Add(key, value) } }

// Subprotocols makes the client offer subprotocols; gohub.v1 brings notices.
func Subprotocols(names ...string) Option {
	return func(d *dial) { d.dialer.Subprotocols = names }
}

// Compressed makes the client offer permessage-deflate.
func Compressed() Option { return func(d *dial) { d.dialer.EnableCompression = true } }

// Dialer lets f change the dialer, and scheme ("ws" or "wss") the URL.
func Dialer(scheme string, f func(*websocket.Dialer)) Option {
	return func(d *dial) { d.scheme = scheme; f(&d.dialer) }
}

// Message is a message from the hub.
type Message struct {
	Type      string          `json:"message_type"`
	Data      json.RawMessage `json:"data"`
	Timestamp int64           `json:"timestamp"`
	MessageID int64           `json:"message_id"`
	RequestID int64           `json:"request_id"`
}

// Client is a client of a hub. It reads all the time, as a browser does, and
// keeps what it reads until the test asks for it.
type Client struct {
	t      testing.TB
	conn   *websocket.Conn
	frames chan hub.Frame
	nextID int64

	mu  sync.Mutex // guards err, and writing
	err error
}

// TryDial connects, or returns the response that refused it.
func (s *Server) TryDial(t testing.TB, opts ...Option) (*Client, *http.Response, error) {
	t.Helper()
	d := dial{header: http.Header{}, query: url.Values{}, scheme: "ws"}
	d.dialer.HandshakeTimeout = Timeout
	d.dialer.NetDialContext = (&net.Dialer{}).DialContext
	for _, o := range opts {
		o(&d)
	}
	address := s.URL(d.scheme) + "/ws"
	if len(d.query) > 0 {
		address += "?" + d.query.Encode()
	}
	conn, resp, err := d.dialer.Dial(address, d.header)
	if err != nil {
		return nil, resp, err
	}
	c := &Client{t: t, conn: conn, frames: make(chan hub.Frame, 1<<16)}
	go c.read()
	t.Cleanup(func() { _ = conn.Close() })
	return c, resp, nil
}

// Dial connects.
func (s *Server) Dial(t testing.TB, opts ...Option) *Client {
	t.Helper()
	c, resp, err := s.TryDial(t, opts...)
	if err != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		t.Fatalf("hubtest: dial: %v (status %d)", err, status)
	}
	return c
}

func (c *Client) read() {
	defer close(c.frames)
	for {
		op, data, err := c.conn.ReadMessage()
		if err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			return
		}
		c.frames <- hub.Frame{MsgType: op, Data: data}
	}
}

// Conn returns the client's websocket, whose reading side is taken.
func (c *Client) Conn() *websocket.Conn { return c.conn }

// SendFrame sends a frame as it is.
func (c *Client) SendFrame(f hub.Frame) {
	c.t.Helper()
	if f.MsgType == 0 {
		f.MsgType = hub.TextMessage
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.WriteMessage(f.MsgType, f.Data); err != nil {
		c.t.Fatalf("hubtest: send: %v", err)
	}
}

func (c *Client) send(messageType string, data any, id int64) {
	c.t.Helper()
	m := map[string]any{"message_type": messageType, "data": data}
	if id != 0 {
		m["message_id"] = id
	}
	raw, err := json.Marshal(m)
	if err != nil {
		c.t.Fatalf("hubtest: encode %q: %v", messageType, err)
	}
	c.SendFrame(hub.Text(raw))
}

// Send sends a message that asks for no answer.
func (c *Client) Send(messageType string, data any) {
	c.t.Helper()
	c.send(messageType, data, 0)
}

// Request sends a message with an id and returns its answer, which may be an
// error message; what else comes before it is dropped.
func (c *Client) Request(messageType string, data any) Message {
	c.t.Helper()
	c.nextID++
	c.send(messageType, data, c.nextID)
	for {
		if m := c.Next(); m.RequestID == c.nextID {
			return m
		}
	}
}

// NextFrame returns the next frame.
func (c *Client) NextFrame() hub.Frame {
	c.t.Helper()
	select {
	case f, ok := <-c.frames:
		if !ok {
			c.t.Fatalf("hubtest: connection ended: %v", c.Err())
		}
		return f
	case <-time.After(Timeout):
		c.t.Fatalf("hubtest: nothing received for %v", Timeout)
		return hub.Frame{}
	}
}

// Next returns the next message.
func (c *Client) Next() Message {
	c.t.Helper()
	f := c.NextFrame()
	var m Message
	if err := json.Unmarshal(f.Data, &m); err != nil {
		c.t.Fatalf("hubtest: %q is no message: %v", f.Data, err)
	}
	return m
}

// Expect returns the next message, which must be of that type.
func (c *Client) Expect(messageType string) Message {
	c.t.Helper()
	m := c.Next()
	if m.Type != messageType {
		c.t.Fatalf("hubtest: got %s %s, want %s", m.Type, m.Data, messageType)
	}
	return m
}

// Silent checks that nothing has come but what the test has taken: it makes a
// round trip, whose answer must be the next message.
func (c *Client) Silent() {
	c.t.Helper()
	c.nextID++
	c.send("ping", nil, c.nextID)
	if m := c.Next(); m.RequestID != c.nextID {
		c.t.Fatalf("hubtest: got %s %s, want silence", m.Type, m.Data)
	}
}

// Join makes the client a member of a room.
func (c *Client) Join(room string) Message {
	c.t.Helper()
	m := c.Request("join_room", map[string]any{"room_id": room})
	if m.Type != "room_joined" {
		c.t.Fatalf("hubtest: join %q: %s %s", room, m.Type, m.Data)
	}
	return m
}

// Err returns why the connection ended, nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// ExpectClose waits for the end of the connection, whose close code it
// returns with the reason; what comes before is dropped. An end without a
// close frame is code 1006.
func (c *Client) ExpectClose() (code int, reason string) {
	c.t.Helper()
	deadline := time.After(Timeout)
	for {
		select {
		case _, ok := <-c.frames:
			if ok {
				continue
			}
			if e, is := errors.AsType[*websocket.CloseError](c.Err()); is {
				return e.Code, e.Text
			}
			return websocket.CloseAbnormalClosure, ""
		case <-deadline:
			c.t.Fatalf("hubtest: connection still open after %v", Timeout)
		}
	}
}

// Close closes the connection properly.
func (c *Client) Close() {
	c.mu.Lock()
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	c.mu.Unlock()
	c.ExpectClose()
	_ = c.conn.Close()
}

// Drop ends the connection rudely, without a close frame.
func (c *Client) Drop() { _ = c.conn.NetConn().Close() }

// ErrorCode returns the code of an error message, 0 for any other.
func (m Message) ErrorCode() int {
	if m.Type != "error" {
		return 0
	}
	var e struct{ Code int }
	_ = json.Unmarshal(m.Data, &e) // no code is code 0
	return e.Code
}
