package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/test/chaos/history"
	"github.com/gorilla/websocket"
)

// conn is one connection of a client, with all that was said on it.
type conn struct {
	w       *world
	ws      *websocket.Conn
	client  *client
	ended   chan struct{} // closed when nothing more comes
	session *history.Session

	writing sync.Mutex

	mu       sync.Mutex // guards all below and session.Events
	next     int64
	calls    map[int64]chan frame
	stalled  chan struct{} // closed when reading goes on; nil: it goes on
	hangUp   bool
	lastCode int
}

// errGone means that the connection ended before the answer came.
var errGone = errors.New("the connection has ended")

// dial connects a client to a node.
func (w *world) dial(ctx context.Context, c *client, h *hubProcess, ttl time.Duration) (*conn, error) {
	token, end, err := w.token(c.id, ttl)
	if err != nil {
		return nil, err
	}
	d := websocket.Dialer{HandshakeTimeout: callWithin, NetDialContext: from.DialContext}
	if c.slow {
		d.NetDialContext = smallWindow
	}
	if c.v1 {
		d.Subprotocols = []string{"gohub.v1"}
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	ws, response, err := d.DialContext(ctx, "ws://"+h.address+"/ws", header)
	if err != nil {
		if response != nil {
			_ = response.Body.Close()
		}
		return nil, err
	}
	x := &conn{
		w: w, ws: ws, client: c, ended: make(chan struct{}), calls: make(map[int64]chan frame),
		session: &history.Session{Client: c.id, Node: h.name, V1: c.v1, Slow: c.slow, Opened: w.now(), TokenEnd: end},
	}
	w.record(x.session)
	w.reading.Go(x.read)
	return x, nil
}

// smallWindow dials a connection that takes little at a time.
func smallWindow(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := from.DialContext(ctx, network, address)
	if err == nil {
		_ = c.(*net.TCPConn).SetReadBuffer(4 << 10) // as well as the system can
	}
	return c, err
}

// token returns a token for a client, and when it ends; ttl 0 is beyond the run.
func (w *world) token(id string, ttl time.Duration) (token string, end time.Duration, err error) {
	claims := auth.TokenClaims{Subject: id, Permissions: auth.AllPermissions()}
	if ttl == 0 {
		token, err = w.issuer.Issue(claims, time.Hour)
		return token, 0, err
	}
	claims.ExpiresAt = time.Now().Add(ttl).Truncate(time.Second).Add(time.Second)
	token, err = w.issuer.Issue(claims, 0)
	return token, claims.ExpiresAt.Sub(w.started), err
}

// read takes what the hub says until the connection ends.
func (x *conn) read() {
	defer close(x.ended)
	defer x.ws.Close()
	for {
		x.mu.Lock()
		stalled := x.stalled
		x.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		_, b, err := x.ws.ReadMessage()
		if err != nil {
			x.gone(err)
			return
		}
		f, err := parseFrame(b)
		if err != nil {
			x.w.t.Errorf("%s: the hub said %.300q: %v", x.client.id, b, err)
			continue
		}
		x.take(f)
	}
}

func (x *conn) gone(err error) {
	code, reason := websocket.CloseAbnormalClosure, ""
	var e *websocket.CloseError
	if errors.As(err, &e) {
		code, reason = e.Code, e.Text
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lastCode = code
	x.note(history.Event{Kind: history.Closed, Code: code, Reason: reason})
	for _, c := range x.calls {
		close(c)
	}
	x.calls = nil
}

// note adds an event of now. The caller holds the lock.
func (x *conn) note(e history.Event) {
	if x.w.closed.Load() {
		return
	}
	e.At = x.w.now()
	x.session.Events = append(x.session.Events, e)
}

func (x *conn) noteLocked(e history.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note(e)
}

// take records a message of the hub, and gives an answer to who waits for it.
func (x *conn) take(f frame) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := &f.Data
	switch f.Type {
	case "room_message":
		x.note(history.Event{
			Kind: history.Received, Room: x.w.intern(d.RoomID), ID: x.w.internID(d.Content.id()), Sender: x.w.intern(d.SenderID),
			Position: d.Position, Prev: d.Prev, Damaged: d.Content.damaged(),
		})
		x.client.came(d.RoomID, d.Position)
	case "direct_message":
		x.note(history.Event{Kind: history.DirectIn, ID: x.w.internID(d.Content.id()), Damaged: d.Content.damaged() || d.Content.To != x.client.id})
	case "room_joined":
		e := history.Event{Kind: history.Joined, Room: x.w.intern(d.RoomID), Position: d.Position}
		if d.Recovered != nil {
			e.Resumed = history.NotRecovered
			if *d.Recovered {
				e.Resumed = history.Recovered
			}
		}
		x.note(e)
		if e.Resumed != history.Recovered {
			x.client.came(d.RoomID, d.Position)
		}
	case "room_left":
		x.note(history.Event{Kind: history.Left, Room: x.w.intern(d.RoomID)})
	case "gap":
		x.note(history.Event{Kind: history.GapTold, Room: x.w.intern(d.Room), Reason: d.Reason, Since: time.UnixMilli(d.SinceMS).Sub(x.w.started)})
	case "reconnect":
		x.note(history.Event{Kind: history.Reconnect, After: time.Duration(d.AfterMS) * time.Millisecond})
	}
	if c, ok := x.calls[f.RequestID]; ok {
		delete(x.calls, f.RequestID)
		c <- f
	}
}

// call sends a request and waits for its answer. before is noted at the moment
// it is sent, unless its kind is zero.
func (x *conn) call(messageType string, data any, before history.Event) (frame, error) {
	answer := make(chan frame, 1)
	x.mu.Lock()
	if x.calls == nil {
		x.mu.Unlock()
		return frame{}, errGone
	}
	x.next++
	id := x.next
	x.calls[id] = answer
	if before.Kind != 0 {
		x.note(before)
	}
	x.mu.Unlock()
	b, err := json.Marshal(request{messageType, data, id})
	if err != nil {
		return frame{}, err
	}
	x.writing.Lock()
	_ = x.ws.SetWriteDeadline(time.Now().Add(callWithin))
	err = x.ws.WriteMessage(websocket.TextMessage, b)
	x.writing.Unlock()
	if err != nil {
		_ = x.ws.Close()
		return frame{}, errGone
	}
	t := time.NewTimer(callWithin)
	defer t.Stop()
	select {
	case f, ok := <-answer:
		if !ok {
			return frame{}, errGone
		}
		return f, nil
	case <-t.C:
		return frame{}, errGone
	}
}

// hangup ends the connection without a word.
func (x *conn) hangup() {
	x.mu.Lock()
	if !x.hangUp && x.calls != nil {
		x.hangUp = true
		x.note(history.Event{Kind: history.Hangup})
	}
	x.mu.Unlock()
	_ = x.ws.Close()
}

// stall stops reading; flow goes on.
func (x *conn) stall() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stalled == nil {
		x.stalled = make(chan struct{})
		x.note(history.Event{Kind: history.Stalled})
	}
}

func (x *conn) flow() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stalled != nil {
		close(x.stalled)
		x.stalled = nil
		x.note(history.Event{Kind: history.Flowing})
	}
}
