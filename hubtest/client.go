package hubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/hub"
)

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
	in     inbox
	nextID int64

	mu sync.Mutex // guards writing
}

// read reads until the connection ends; what is left of the socket is closed
// then, as clients do, since the hub waits for that.
func (c *Client) read() {
	for {
		op, data, err := c.conn.ReadMessage()
		if err != nil {
			c.in.end(err)
			_ = c.conn.Close()
			return
		}
		c.in.put(hub.Frame{MsgType: op, Data: data})
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
	c.sendJSON(messageType, m)
}

func (c *Client) sendJSON(messageType string, m map[string]any) {
	c.t.Helper()
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

// Answer answers a message by which the hub asks the client
// (sdk.SDK.Request): with a message of the same type.
func (c *Client) Answer(question Message, data any) {
	c.t.Helper()
	c.sendJSON(question.Type, map[string]any{"message_type": question.Type, "data": data, "request_id": question.MessageID})
}

// NextFrame returns the next frame.
func (c *Client) NextFrame() hub.Frame {
	c.t.Helper()
	f, err := c.in.next(time.After(Timeout))
	switch {
	case errors.Is(err, errNothing):
		c.t.Fatalf("hubtest: nothing received for %v", Timeout)
	case err != nil:
		c.t.Fatalf("hubtest: connection ended: %v", err)
	}
	return f
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
func (c *Client) Err() error { return c.in.ended() }

// ExpectClose waits for the end of the connection, whose close code it
// returns with the reason; what comes before is dropped. An end without a
// close frame is code 1006.
func (c *Client) ExpectClose() (code int, reason string) {
	c.t.Helper()
	deadline := time.After(Timeout)
	for {
		_, err := c.in.next(deadline)
		switch {
		case err == nil:
			continue
		case errors.Is(err, errNothing):
			c.t.Fatalf("hubtest: connection still open after %v", Timeout)
		}
		if e, is := errors.AsType[*websocket.CloseError](err); is {
			return e.Code, e.Text
		}
		return websocket.CloseAbnormalClosure, ""
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

// Decode stores the message's data in v, as json.Unmarshal does.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Data, v); err != nil {
		return fmt.Errorf("hubtest: decode data of %q: %w", m.Type, err)
	}
	return nil
}

// ErrorCode returns the code of an error message, 0 for any other.
func (m Message) ErrorCode() int {
	if m.Type != "error" {
		return 0
	}
	var e struct{ Code int }
	_ = json.Unmarshal(m.Data, &e) // no code is code 0
	return e.Code
}
