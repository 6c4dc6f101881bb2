package api

import "time"

// Client describes a connected client. Where several connections share its id
// it is the newest.
type Client struct {
	ID          string     `json:"client_id"`
	Node        string     `json:"node"`                  // the node it is connected to
	RemoteAddr  string     `json:"remote_addr"`           // host:port, or the host a trusted proxy named
	Subprotocol string     `json:"subprotocol,omitempty"` // "gohub.v1", or empty
	ConnectedAt time.Time  `json:"connected_at"`          // to the second
	Rooms       []string   `json:"rooms"`                 // ordered
	UserID      string     `json:"user_id,omitempty"`     // of its token
	Username    string     `json:"username,omitempty"`    // of its token
	Permissions []string   `json:"permissions,omitempty"` // of its token
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`  // when its token expires; nil never
}

// DisconnectRequest closes the connections of a client.
type DisconnectRequest struct {
	// Code is the close code: 1000 to 1003, 1007 to 1013 or 3000 to 4999 (RFC
	// 6455, section 7.4); 1000 by default.
	Code int `json:"code,omitempty"`
	// Reason is shown to the client, at most 123 bytes.
	Reason string `json:"reason,omitempty"`
}
