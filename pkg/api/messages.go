package api

import "encoding/json"

// PublishRequest sends a room_message to the members of a room.
type PublishRequest struct {
	// Room is the id of an existing room.
	Room string `json:"room"`
	// Content is any JSON value, at most the hub's MaxMessageSize in bytes.
	Content json.RawMessage `json:"content"`
	// SenderID is shown to the members. A key or an admin:system token may name
	// anybody, and nobody by default; any other token is always the sender
	// itself.
	SenderID string `json:"sender_id,omitempty"`
	// IdempotencyKey, of at most 512 bytes, makes a repetition within two
	// minutes count once.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Exclude lists client ids that do not get the message.
	Exclude []string `json:"exclude,omitempty"`
}

// PublishResponse says what became of a publication.
type PublishResponse struct {
	Position string `json:"position,omitempty"` // in rooms with history
	Scope    string `json:"scope"`              // ScopeCluster or ScopeNode
}

// How far a message has gone.
const (
	ScopeCluster = "cluster" // to the clients of every node
	ScopeNode    = "node"    // to those of the answering node only
)

// BroadcastRequest sends a message to every client.
type BroadcastRequest struct {
	// MessageType is the message_type the clients see; TypeBroadcast by default.
	MessageType string `json:"message_type,omitempty"`
	// Content is any JSON value. With TypeBroadcast the message's data is
	// {"content", "sender_id": "", "timestamp"}, with any other type it is the
	// content itself.
	Content json.RawMessage `json:"content"`
}

// BroadcastResponse says how far a broadcast has gone.
type BroadcastResponse struct {
	Scope string `json:"scope"` // ScopeCluster or ScopeNode
}

// SendRequest sends a message to one client.
type SendRequest struct {
	// MessageType is the message_type the client sees; TypeDirectMessage by
	// default.
	MessageType string `json:"message_type,omitempty"`
	// Content is any JSON value. With TypeDirectMessage the message's data is
	// {"content", "sender_id": "", "timestamp"}, with any other type it is the
	// content itself.
	Content json.RawMessage `json:"content"`
}

// The default message types.
const (
	TypeBroadcast     = "broadcast"
	TypeDirectMessage = "direct_message"
)
