package sdk

import (
	"context"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
)

// EventType names a kind of event.
type EventType string

// The events.
const (
	// EventClientConnected: a client is connected and can be reached by its id.
	EventClientConnected EventType = "client_connected"
	// EventClientDisconnected: a client is gone; Rooms are those it was in,
	// Code and Reason say why. It is the last event with that client.
	EventClientDisconnected EventType = "client_disconnected"
	// EventClientMessage: a client sent a message; Message is its payload.
	EventClientMessage EventType = "client_message"
	// EventClientError: a client was sent an error, Err.
	EventClientError EventType = "client_error"
	// EventRoomCreated: a room was made, by a call or by joining.
	EventRoomCreated EventType = "room_created"
	// EventRoomDeleted: a room is gone, by a call or because it was empty.
	EventRoomDeleted EventType = "room_deleted"
	// EventRoomJoined: a client became a member.
	EventRoomJoined EventType = "room_joined"
	// EventRoomLeft: a client is no member any more. It is not sent for the
	// rooms a disconnected client was in: EventClientDisconnected names them.
	EventRoomLeft EventType = "room_left"
	// EventRoomMessage: a message was published to a room; Message is its
	// content, SenderID the sender that the members see, Position its place in
	// the room's history.
	EventRoomMessage EventType = "room_message"
)

// Event is something that happened. Which fields are set depends on Type.
type Event struct {
	Type     EventType
	Time     time.Time
	ClientID string            // who caused it; empty where the server did, or a client that is gone
	RoomID   string            // room events
	SenderID string            // room_message: the sender that was published, also by the program; may be empty
	Position string            // room_message: in rooms with history
	Message  []byte            // the payload or content; not to be modified
	Claims   *auth.TokenClaims // of the client; nil without a token
	Rooms    []string          // client_disconnected: the rooms it was in
	Code     int               // client_disconnected: the close code; client_error: the error's code
	Reason   string            // client_disconnected: the close reason
	Err      error             // client_error
}

// Handler is called with events. Calls for one client come one at a time and
// in order, on a goroutine that is not the connection's: a slow handler delays
// that client's next events and, once 256 wait, its messages. An error is
// logged; a panic is contained and counted.
type Handler func(ctx context.Context, event Event) error
