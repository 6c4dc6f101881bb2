package client

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Message is a message of the hub.
type Message struct {
	Type      string
	Data      json.RawMessage // "null" where there is none
	Time      time.Time       // of the hub's clock, to the millisecond
	MessageID int64           // not 0: the hub asks
	RequestID int64           // not 0: the answer to the message with that number
}

// Decode reads the message's data into v.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Data, v); err != nil {
		return fmt.Errorf("decode data of %q: %w", m.Type, err)
	}
	return nil
}

// err returns the error that an error message carries, nil for any other.
func (m Message) err() *hub.Error {
	if m.Type != typeError {
		return nil
	}
	if e := decodeError(m.Data); e != nil {
		return e
	}
	return hub.NewError(hub.CodeUnknown, "an error that cannot be read")
}

// RoomMessage is a message of a room.
type RoomMessage struct {
	Room    string
	Content json.RawMessage
	Sender  string // "" where no client sent it
	Time    time.Time
	// Position and Prev are set in rooms with a history: opaque, to be compared
	// for equality only.
	Position, Prev string
}

// DirectMessage is a message from one client to this one.
type DirectMessage struct {
	Content json.RawMessage
	Sender  string
	Time    time.Time
}

// Message types of the protocol (docs/protocol.md).
const (
	typeError        = "error"
	typeConnected    = "connected"
	typeRoomMessage  = "room_message"
	typeDirect       = "direct_message"
	typeJoin         = "join_room"
	typeJoined       = "room_joined"
	typeLeave        = "leave_room"
	typeLeft         = "room_left"
	typeGap          = "gap"
	typeReconnect    = "reconnect"
	typeDegraded     = "degraded"
	typeRecovered    = "recovered"
	typeMemberJoined = "member_joined"
	typeMemberLeft   = "member_left"
	typeAuthenticate = "authenticate"
	typePong         = "pong"
)

// envelope is a message on the wire.
type envelope struct {
	Type      string          `json:"message_type"`
	Data      json.RawMessage `json:"data"`
	Timestamp int64           `json:"timestamp,omitempty"`
	MessageID int64           `json:"message_id,omitempty"`
	RequestID int64           `json:"request_id,omitempty"`
}

// decodeMessage reads a text frame; ok is false where it is no message of the
// protocol.
func decodeMessage(frame []byte) (m Message, ok bool) {
	var e envelope
	if err := json.Unmarshal(frame, &e); err != nil || e.Type == "" {
		return Message{}, false
	}
	if e.Data == nil {
		e.Data = json.RawMessage("null")
	}
	return Message{
		Type: e.Type, Data: e.Data, Time: fromMillis(e.Timestamp),
		MessageID: e.MessageID, RequestID: e.RequestID,
	}, true
}

// encodeMessage returns a message with data for the wire.
func encodeMessage(e envelope, data any) ([]byte, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode data of %q: %w", e.Type, err)
	}
	if !utf8.Valid(raw) { // a json.RawMessage, or in one
		return nil, fmt.Errorf("encode data of %q: %w", e.Type, hub.ErrNotUTF8)
	}
	e.Data = raw
	frame, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode message of type %q: %w", e.Type, err)
	}
	return frame, nil
}

// roomMessage is a RoomMessage on the wire, live and on a page of history,
// where it has no room.
type roomMessage struct {
	Room      string          `json:"room_id"`
	Content   json.RawMessage `json:"content"`
	Sender    string          `json:"sender_id"`
	Timestamp int64           `json:"timestamp"`
	Position  string          `json:"position"`
	Prev      string          `json:"prev"`
}

func (m roomMessage) message(room string) RoomMessage {
	return RoomMessage{
		Room: room, Content: m.Content, Sender: m.Sender,
		Time: fromMillis(m.Timestamp), Position: m.Position, Prev: m.Prev,
	}
}

type directMessage struct {
	Content   json.RawMessage `json:"content"`
	Sender    string          `json:"sender_id"`
	Timestamp int64           `json:"timestamp"`
}

// fromMillis returns the time of a timestamp, the zero time for none.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
