// Package sdk is the server-side view of a hub: clients, rooms and messages,
// for the code that runs beside the handlers.
package sdk

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Room describes a room.
type Room struct {
	ID         string    `json:"room_id"`
	Name       string    `json:"name,omitempty"`
	MaxClients int       `json:"max_clients,omitempty"` // 0: no limit
	Members    int       `json:"members"`
	Explicit   bool      `json:"explicit"` // made by a call: it stays when empty
	CreatedAt  time.Time `json:"created_at"`
}

// Message is a message of a room's history.
type Message struct {
	Content   json.RawMessage `json:"content"`
	SenderID  string          `json:"sender_id"`
	Timestamp int64           `json:"timestamp"` // Unix milliseconds
	Position  string          `json:"position"`
	Prev      string          `json:"prev"` // the position before it in the room
}

// Publication is a room_message to publish.
type Publication struct {
	Room     string
	Content  json.RawMessage // any JSON value
	SenderID string          // shown to the members; may be empty
	// IdempotencyKey makes a repeated publication with the same key, within
	// two minutes, count once.
	IdempotencyKey string
	Exclude        []string // client ids that do not get it
}

// Receipt says what became of a publication.
type Receipt struct {
	Position string `json:"position,omitempty"` // in rooms with history
	Scope    string `json:"scope"`              // "cluster": members on every node; "node": on this one only
}

// Node describes one hub of a cluster.
type Node struct {
	ID, Address, Version string
	Connections, Rooms   int
	Load                 float64 // messages a second from clients
	Ready                bool    // it takes part in the cluster
	Silent               bool    // its last heartbeat is overdue
	Draining             bool    // it sends its clients away
}

// ClusterStats is what a node knows of its cluster.
type ClusterStats struct {
	Nodes       []Node // ordered by id; this one is among them
	Connections int    // on all nodes
	Degraded    bool   // the bus is away: what is known is old
}

// Hub is what an SDK works on; the hub implements it. Its methods mean what
// the SDK's methods of the same name say.
type Hub interface {
	ClientCount() int
	RoomCount() int
	ClusterStats() ClusterStats
	BroadcastAll(frame hub.Frame) error
	SendToClient(id string, frame hub.Frame) error
	SendMessage(id, messageType string, data any) error
	CreateRoom(id, name string, maxClients int) error
	DeleteRoom(id string) error
	Room(id string) (Room, error)
	ListRooms() []Room
	JoinRoom(room, client string) error
	LeaveRoom(room, client string) error
	BroadcastToRoom(room string, frame hub.Frame, exclude []string) error
	Publish(p Publication) (Receipt, error)
	RoomMembers(room string) ([]string, error)
	RoomHistory(room string, limit int) ([]Message, error)
	Client(id string) (*hub.Client, error)
	DisconnectClient(id string, code int, reason string) error
	Request(ctx context.Context, client, messageType string, data any) (json.RawMessage, error)
}

// SDK works on a hub. It is safe for concurrent use, from handlers and event
// handlers too. Errors that a client could see are *hub.Error, to be told
// apart by their code.
type SDK struct{ h Hub }

// New returns an SDK for h.
func New(h Hub) *SDK { return &SDK{h} }

// GetClientCount returns the number of clients connected to this node.
func (s *SDK) GetClientCount() int { return s.h.ClientCount() }

// GetRoomCount returns the number of rooms on this node: those that have
// members here and, on every node, those made by a call.
func (s *SDK) GetRoomCount() int { return s.h.RoomCount() }

// ClusterStats describes all nodes, as their last heartbeats did; one node where
// the hub is alone.
func (s *SDK) ClusterStats() ClusterStats { return s.h.ClusterStats() }

// BroadcastAll sends msg to every client as a text frame. msg must be UTF-8.
// It returns when msg is on its way, not when it has arrived.
func (s *SDK) BroadcastAll(msg []byte) error { return s.h.BroadcastAll(hub.Text(msg)) }

// BroadcastFrame is BroadcastAll for any frame.
func (s *SDK) BroadcastFrame(frame hub.Frame) error { return s.h.BroadcastAll(frame) }

// SendToClient sends msg to the client as a text frame. Nobody with that id is
// hub.CodeNoClient.
func (s *SDK) SendToClient(id string, msg []byte) error {
	return s.h.SendToClient(id, hub.Text(msg))
}

// SendFrameToClient is SendToClient for any frame.
func (s *SDK) SendFrameToClient(id string, frame hub.Frame) error {
	return s.h.SendToClient(id, frame)
}

// SendMessage sends {"message_type": messageType, "data": data, ...} to the
// client; data is encoded as JSON, a json.RawMessage is sent as it is. Nobody
// with that id is hub.CodeNoClient; data that cannot be encoded is an error.
func (s *SDK) SendMessage(id, messageType string, data any) error {
	return s.h.SendMessage(id, messageType, data)
}

// CreateRoom makes a room, which stays until DeleteRoom. maxClients 0 means no
// limit other than a room rule's. An existing room is hub.CodeRoomExists.
func (s *SDK) CreateRoom(id, name string, maxClients int) error {
	return s.h.CreateRoom(id, name, maxClients)
}

// DeleteRoom removes a room and its members from it; they are told with
// room_left. An unknown room is hub.CodeRoomNotFound.
func (s *SDK) DeleteRoom(id string) error { return s.h.DeleteRoom(id) }

// GetRoom describes a room; an unknown one is hub.CodeRoomNotFound.
func (s *SDK) GetRoom(id string) (Room, error) { return s.h.Room(id) }

// ListRooms describes all rooms, ordered by id.
func (s *SDK) ListRooms() []Room { return s.h.ListRooms() }

// JoinRoom makes the client a member of an existing room; the client is told
// with room_joined. Errors: hub.CodeRoomNotFound, CodeNoClient, CodeRoomFull,
// CodeAlreadyInRoom.
func (s *SDK) JoinRoom(room, client string) error { return s.h.JoinRoom(room, client) }

// LeaveRoom takes the client out of the room; the client is told with
// room_left. Errors: hub.CodeRoomNotFound, CodeNoClient, CodeNotInRoom.
func (s *SDK) LeaveRoom(room, client string) error { return s.h.LeaveRoom(room, client) }

// BroadcastToRoom sends msg as it is, a text frame, to the members of the room
// but the excluded ids. msg must be UTF-8. An unknown room is
// hub.CodeRoomNotFound. It waits while the room has more to deliver than it
// can hold.
func (s *SDK) BroadcastToRoom(room string, msg []byte, exclude ...string) error {
	return s.h.BroadcastToRoom(room, hub.Text(msg), exclude)
}

// BroadcastFrameToRoom is BroadcastToRoom for any frame.
func (s *SDK) BroadcastFrameToRoom(room string, frame hub.Frame, exclude ...string) error {
	return s.h.BroadcastToRoom(room, frame, exclude)
}

// Publish sends a room_message to a room, as a client would.
func (s *SDK) Publish(p Publication) (Receipt, error) { return s.h.Publish(p) }

// GetRoomMembers returns the ids of the members, in no order; an unknown room
// is hub.CodeRoomNotFound.
func (s *SDK) GetRoomMembers(room string) ([]string, error) { return s.h.RoomMembers(room) }

// GetRoomHistory returns the newest messages of a room, at most limit, oldest
// first; none where the room keeps no history.
func (s *SDK) GetRoomHistory(room string, limit int) ([]Message, error) {
	return s.h.RoomHistory(room, limit)
}

// GetClient returns the client with that id; nobody is hub.CodeNoClient. Where
// several connections share the id it returns the newest.
func (s *SDK) GetClient(id string) (*hub.Client, error) { return s.h.Client(id) }

// DisconnectClient closes the connections of a client with a close code (1000
// to 4999) and a reason; nobody with that id is hub.CodeNoClient.
func (s *SDK) DisconnectClient(id string, code int, reason string) error {
	return s.h.DisconnectClient(id, code, reason)
}

// HasPermission tells whether the client may do p everywhere; false where
// nobody has the id.
func (s *SDK) HasPermission(client string, p auth.Permission) bool {
	c, err := s.h.Client(client)
	return err == nil && c.HasPermission(p)
}

// HasRoomPermission tells whether the client may do p in room.
func (s *SDK) HasRoomPermission(client string, p auth.Permission, room string) bool {
	c, err := s.h.Client(client)
	return err == nil && c.HasRoomPermission(p, room)
}

// Request sends a message with a message_id to the client and waits for its
// answer: a message with the same number as request_id. It returns the
// answer's data; an answer of message_type "error" becomes a *hub.Error. When
// ctx ends first the error wraps ctx.Err(); a client that leaves is
// hub.CodeClientOffline. A handler must not ask its own client: messages of a
// client come one at a time, so that the answer would wait for the handler.
func (s *SDK) Request(ctx context.Context, client, messageType string, data any) (json.RawMessage, error) {
	return s.h.Request(ctx, client, messageType, data)
}
