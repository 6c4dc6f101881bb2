package hub

import (
	"context"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
)

// Session is the hub's side of a Client. The hub implements it; tests of
// handlers may too. Its methods mean what the Client's methods of the same
// name say.
type Session interface {
	ID() string
	RemoteAddr() string
	Subprotocol() string
	ConnectedAt() time.Time
	Claims() *auth.TokenClaims
	HasPermission(p auth.Permission) bool
	HasRoomPermission(p auth.Permission, room string) bool
	Rooms() []string
	Value(key string) (any, bool)
	SetValue(key string, value any)
	Send(frame Frame) error
	SendMessage(messageType string, data any, requestID int64) error
	SendError(err error, requestID int64) error
	Close(code int, reason string)
}

// Client is one connection as handlers see it. It is safe for concurrent use,
// and stays usable after the connection is gone: sending then fails with
// ErrClosed.
type Client struct{ s Session }

// NewClient returns a Client for s.
func NewClient(s Session) Client { return Client{s} }

// GetID returns the client's id: from its token, its query parameter, or
// drawn by the hub. It never changes.
func (c *Client) GetID() string { return c.s.ID() }

// RemoteAddr returns the address the client connected from, as host:port, or
// as a host where a trusted proxy named it.
func (c *Client) RemoteAddr() string { return c.s.RemoteAddr() }

// Subprotocol returns "gohub.v1", or "" for a plain client.
func (c *Client) Subprotocol() string { return c.s.Subprotocol() }

// ConnectedAt returns when the connection was accepted, to the second.
func (c *Client) ConnectedAt() time.Time { return c.s.ConnectedAt() }

// Claims returns the claims of the client's token, nil for one without. They
// must not be modified. They change when the client renews its token.
func (c *Client) Claims() *auth.TokenClaims { return c.s.Claims() }

// HasPermission tells whether the client may do p everywhere. With
// authentication off everybody may do everything.
func (c *Client) HasPermission(p auth.Permission) bool { return c.s.HasPermission(p) }

// HasRoomPermission tells whether the client may do p in room.
func (c *Client) HasRoomPermission(p auth.Permission, room string) bool {
	return c.s.HasRoomPermission(p, room)
}

// Rooms returns the rooms the client is in, in no order. The slice is the
// caller's.
func (c *Client) Rooms() []string { return c.s.Rooms() }

// Get returns what Set stored under key.
func (c *Client) Get(key string) (value any, ok bool) { return c.s.Value(key) }

// Set stores a value with the client for as long as it is connected: handlers
// keep their own data about a client there. A nil value removes the key.
func (c *Client) Set(key string, value any) { c.s.SetValue(key, value) }

// Send sends frame as it is. It does not wait for the client: it returns
// ErrClosed, ErrTooSlow, ErrNotUTF8 or ErrMessageType where nothing was sent.
func (c *Client) Send(frame Frame) error { return c.s.Send(frame) }

// SendMessage sends {"message_type": messageType, "data": data, ...}; data is
// encoded as JSON. Errors are those of Send, or of the encoding.
func (c *Client) SendMessage(messageType string, data any) error {
	return c.s.SendMessage(messageType, data, 0)
}

// Reply is SendMessage as the answer to the message that ctx came with: it
// carries that message's id as request_id, where it had one.
func (c *Client) Reply(ctx context.Context, messageType string, data any) error {
	return c.s.SendMessage(messageType, data, RequestID(ctx))
}

// ReplyError answers the message that ctx came with by an error, as a handler
// that returns err does.
func (c *Client) ReplyError(ctx context.Context, err error) error {
	return c.s.SendError(err, RequestID(ctx))
}

// Close ends the connection with a close frame: what is queued is sent first.
// code is one that may be sent (RFC 6455, section 7.4), any other becomes 1000;
// reason is cut at 123 bytes. It returns at once, and does nothing when the
// connection is closed already.
func (c *Client) Close(code int, reason string) { c.s.Close(code, reason) }

// RequestKey is the context key of the message_id of the message a handler
// was called for, an int64.
type RequestKey struct{}

// Requester is a context that knows its message_id without a lookup; the
// contexts that handlers get are.
type Requester interface{ RequestID() int64 }

// RequestID returns the message_id of the message that ctx came with, 0 if it
// had none.
func RequestID(ctx context.Context) int64 {
	if r, ok := ctx.(Requester); ok {
		return r.RequestID()
	}
	id, _ := ctx.Value(RequestKey{}).(int64)
	return id
}
