package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/client"
)

// fields is data of a message.
type fields = map[string]any

// fake is a hub that does what a test says, over pipes, so that it works in a
// synctest bubble.
type fake struct {
	t     *testing.T
	conns chan net.Conn
	done  chan struct{}

	mu    sync.Mutex // guards all below
	dials []time.Time
	auths []string
	ended bool
}

// newFake serves the n-th handshake, from 0, by serve. It ends with the test.
func newFake(t *testing.T, serve func(n int, w http.ResponseWriter, r *http.Request)) *fake {
	f := &fake{t: t, conns: make(chan net.Conn), done: make(chan struct{})}
	var handlers sync.WaitGroup // hijacked connections are not the server's
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if f.ended {
			f.mu.Unlock()
			return
		}
		handlers.Add(1)
		defer handlers.Done()
		n := len(f.dials)
		f.dials = append(f.dials, time.Now())
		f.auths = append(f.auths, r.Header.Get("Authorization"))
		f.mu.Unlock()
		serve(n, w, r)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(f)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		f.mu.Lock()
		f.ended = true
		f.mu.Unlock()
		handlers.Wait()
	})
	return f
}

// Accept, Close and Addr make it a net.Listener.
func (f *fake) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *fake) Close() error {
	close(f.done)
	return nil
}

func (f *fake) Addr() net.Addr { return &net.TCPAddr{} }

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case f.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// dialled returns when handshakes came.
func (f *fake) dialled() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.dials...)
}

// tokens returns the Authorization fields of all handshakes.
func (f *fake) tokens() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.auths...)
}

// connect makes a client that is closed with the test.
func (f *fake) connect(opts client.Options) (*client.Client, error) {
	opts.DialContext = f.dial
	c, err := client.Dial(f.t.Context(), "ws://hub.test/ws", opts)
	if err == nil {
		f.t.Cleanup(func() {
			_ = c.Close(context.Background())
			<-c.Done()
		})
	}
	return c, err
}

func (f *fake) mustConnect(opts client.Options) *client.Client {
	f.t.Helper()
	c, err := f.connect(opts)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// peer is the hub's side of a connection.
type peer struct {
	t  *testing.T
	ws *websocket.Conn
}

// accept upgrades a handshake and sends what a hub sends first.
func accept(t *testing.T, w http.ResponseWriter, r *http.Request) *peer {
	p := acceptBare(t, w, r)
	p.send("connected", fields{"client_id": "me", "node": "n", "read_timeout_ms": 60000, "max_message_size": 65536}, 0)
	return p
}

// wireMessage is a message as it is sent.
type wireMessage struct {
	Type      string          `json:"message_type"`
	Data      json.RawMessage `json:"data"`
	MessageID int64           `json:"message_id"`
	RequestID int64           `json:"request_id"`
}

func (p *peer) send(messageType string, data any, requestID int64) {
	m := fields{"message_type": messageType, "data": data, "message_id": 0}
	if requestID != 0 {
		m["request_id"] = requestID
	}
	p.sendJSON(m)
}

func (p *peer) sendJSON(m any) {
	if err := p.ws.WriteJSON(m); err != nil && !errors.Is(err, net.ErrClosed) {
		p.t.Logf("fake hub: write: %v", err)
	}
}

// receive returns the client's next message; ok is false at the end.
func (p *peer) receive() (m wireMessage, ok bool) {
	_, frame, err := p.ws.ReadMessage()
	if err != nil {
		return m, false
	}
	if err := json.Unmarshal(frame, &m); err != nil {
		p.t.Errorf("fake hub: got %q: %v", frame, err)
	}
	return m, true
}

// expect returns the next message, which must be of that type.
func (p *peer) expect(messageType string) (id int64, data fields) {
	m, ok := p.receive()
	if !ok || m.Type != messageType {
		p.t.Errorf("fake hub: got %q (%v), want %q", m.Type, ok, messageType)
		return 0, fields{}
	}
	if err := json.Unmarshal(m.Data, &data); err != nil {
		p.t.Errorf("fake hub: data of %q: %v", messageType, err)
	}
	return m.MessageID, data
}

// joined takes a join_room and grants it.
func (p *peer) joined(data fields) (since any) {
	id, got := p.expect("join_room")
	answer := fields{"room_id": got["room_id"], "status": "joined"}
	for k, v := range data {
		answer[k] = v
	}
	p.send("room_joined", answer, id)
	return got["since"]
}

// message sends a message of room "r" with a history.
func (p *peer) message(position, prev string) {
	p.send("room_message", fields{"room_id": "r", "content": position, "sender_id": "you", "position": position, "prev": prev}, 0)
}

// idle reads until the client is gone.
func (p *peer) idle() {
	for {
		if _, ok := p.receive(); !ok {
			p.drop()
			return
		}
	}
}

// close ends the connection as a hub does: it sends a close frame and reads on.
func (p *peer) close(code int, reason string) {
	_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	p.idle()
}

// drop ends the connection without a word.
func (p *peer) drop() { _ = p.ws.Close() }

// acceptBare upgrades a handshake, and no more.
func acceptBare(t *testing.T, w http.ResponseWriter, r *http.Request) *peer {
	upgrader := websocket.Upgrader{Subprotocols: []string{"gohub.v1"}, EnableCompression: true}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		t.Errorf("upgrade: %v", err)
	}
	return &peer{t, ws}
}
