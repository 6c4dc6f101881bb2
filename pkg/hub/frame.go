// Package hub holds what handlers and the hub share: the Frame, the Client,
// and the errors that clients see.
package hub

// Message types of a Frame: the opcodes of RFC 6455, section 5.2.
const (
	TextMessage   = 1
	BinaryMessage = 2
)

// Frame is one websocket message.
type Frame struct {
	// MsgType is TextMessage or BinaryMessage; 0 means TextMessage.
	MsgType int
	// Data is the payload. A handler that gets a Frame owns Data; whoever
	// passes a Frame to the hub owns Data again when the call returns. Text
	// must be UTF-8 (RFC 6455, section 8.1).
	Data []byte
}

// Text returns a text frame with data.
func Text(data []byte) Frame { return Frame{MsgType: TextMessage, Data: data} }

// Binary returns a binary frame with data.
func Binary(data []byte) Frame { return Frame{MsgType: BinaryMessage, Data: data} }
