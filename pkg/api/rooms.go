package api

import (
	"encoding/json"
	"time"
)

// CreateRoomRequest makes a room, which stays until it is deleted.
type CreateRoomRequest struct {
	ID         string `json:"room_id"`               // 1 to 512 bytes without control characters
	Name       string `json:"name,omitempty"`        // for people, likewise
	MaxClients int    `json:"max_clients,omitempty"` // 0: no limit other than a room rule's
}

// Room describes a room.
type Room struct {
	ID         string    `json:"room_id"`
	Name       string    `json:"name,omitempty"`
	MaxClients int       `json:"max_clients,omitempty"` // 0: no limit
	Members    int       `json:"members"`
	Explicit   bool      `json:"explicit"` // made by a call: it stays when empty
	CreatedAt  time.Time `json:"created_at"`
}

// RoomList is a page of the rooms that the caller may read, ordered by id.
type RoomList struct {
	Rooms  []Room `json:"rooms"`
	Count  int    `json:"count"`            // of all of them, on every page
	Cursor string `json:"cursor,omitempty"` // asks for the next page; empty at the end
	// MissingNodes are the nodes that did not say which rooms they have.
	MissingNodes []string `json:"missing_nodes,omitempty"`
}

// Members is a page of a room's members, in no order. Whoever is a member
// throughout the paging is on a page.
type Members struct {
	RoomID  string   `json:"room_id"`
	Members []string `json:"members"`          // client ids
	Count   int      `json:"count"`            // of all members
	Cursor  string   `json:"cursor,omitempty"` // asks for the next page; empty at the end
	// MissingNodes are the nodes that did not say which members they have.
	MissingNodes []string `json:"missing_nodes,omitempty"`
}

// History is a page of a room's messages, oldest first; the first page holds
// the newest ones.
type History struct {
	RoomID   string    `json:"room_id"`
	Messages []Message `json:"messages"`
	Count    int       `json:"count"`            // of all messages kept
	Cursor   string    `json:"cursor,omitempty"` // asks for the page before; empty at the oldest
}

// Message is a message of a room's history.
type Message struct {
	Content   json.RawMessage `json:"content"`
	SenderID  string          `json:"sender_id"`
	Timestamp int64           `json:"timestamp"` // Unix milliseconds
	Position  string          `json:"position"`
	Prev      string          `json:"prev"` // the position before it in the room
}
