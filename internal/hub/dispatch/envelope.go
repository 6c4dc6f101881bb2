// Package dispatch knows the hub's message format: it reads the envelope of
// what clients send, finds the handler for its message_type, and builds the
// frames of what the hub sends.
package dispatch

import (
	"encoding/json"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Envelope is a message from a client.
type Envelope struct {
	Type      string
	Data      json.RawMessage // a part of what was parsed; nil: none
	MessageID int64           // 0: not a request
	RequestID int64           // of the hub's request that this answers; 0: none
}

// ParseEnvelope reads an envelope. Known types are not allocated: intern
// returns its argument as a string. What can be told of a message that is
// refused (its id) is returned with the error, so that the answer can carry it.
func ParseEnvelope(b []byte, intern func([]byte) string) (Envelope, *hub.Error) {
	var e Envelope
	var bad *hub.Error
	err := Object(b, func(key, value []byte) {
		switch string(key) {
		case "message_type":
			if len(value) < 2 || value[0] != '"' {
				bad = hub.NewError(hub.CodeFormat, "message_type must be a string")
				return
			}
			e.Type = intern(decodeKey(value))
		case "data":
			e.Data = value
		case "message_id", "request_id":
			n, ok := Int(value)
			if !ok && string(value) != "null" {
				bad = hub.NewError(hub.CodeMessageID, "%s must be a whole number of at most 53 bits", key)
				return
			}
			if string(key) == "message_id" {
				e.MessageID = n
			} else {
				e.RequestID = n
			}
		}
	})
	switch {
	case err != nil:
		return e, hub.NewError(hub.CodeFormat, "message must be one JSON object")
	case bad != nil:
		return e, bad
	case e.Type == "":
		return e, hub.NewError(hub.CodeFormat, "message_type is missing or empty")
	}
	return e, nil
}
