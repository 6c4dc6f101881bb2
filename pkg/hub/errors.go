package hub

import (
	"errors"
	"fmt"
)

// Errors of sending. Test for them with errors.Is.
var (
	// ErrClosed means that the connection is closed or closing: nothing was sent.
	ErrClosed = errors.New("client connection is closed")
	// ErrTooSlow means that the client does not read fast enough and its send
	// queue is full: nothing was sent.
	ErrTooSlow = errors.New("client is too slow: its send queue is full")
	// ErrNotUTF8 means that a text frame was not UTF-8: nothing was sent.
	ErrNotUTF8 = errors.New("text frame is not valid UTF-8")
	// ErrMessageType means a Frame whose MsgType is neither text nor binary.
	ErrMessageType = errors.New("frame type must be text (1) or binary (2)")
)

// Error codes of the wire protocol (docs/protocol.md), grouped by thousands:
// messages, permissions, rooms, clients.
const (
	CodeUnknown       = 1000 // anything without a better code
	CodeFormat        = 1001 // the message or its data cannot be read
	CodeMessageID     = 1002 // message_id is not a whole number of 53 bits
	CodeServer        = 1003 // a handler failed
	CodeTimeout       = 1004 // no answer in time, or the outcome is unknown
	CodeRateLimited   = 1005 // too many messages
	CodeUnauthorized  = 2000 // a token is needed
	CodeForbidden     = 2001 // a permission is missing
	CodeTokenExpired  = 2002
	CodeTokenInvalid  = 2003
	CodeRoomNotFound  = 3000
	CodeRoomExists    = 3001
	CodeRoomFull      = 3002
	CodeNotInRoom     = 3003
	CodeAlreadyInRoom = 3004
	CodeNoClient      = 4000 // no such client
	CodeClientOffline = 4001
	CodeTooLarge      = 4002
)

// Close codes of the hub's own (docs/protocol.md says for each whether to
// reconnect). RFC 6455, section 7.4.2, leaves 4000-4999 to applications.
const (
	CloseTokenExpired = 4001 // reconnect with a new token
	CloseForbidden    = 4003 // do not reconnect
	CloseTooSlow      = 4008 // reconnect
	CloseReplaced     = 4009 // the same id connected elsewhere: do not reconnect
	CloseRate         = 4029 // reconnect later
)

// Error is an error that a client gets to see, with its code and text. A
// handler that returns one, wrapped or not, answers with it; any other error
// becomes CodeServer without its text.
type Error struct {
	Code    int    // one of the Code constants, or the application's own from 10000
	Message string // for people; never holds secrets
	Details any    // optional, encoded as JSON
}

// NewError returns an Error with a formatted message.
func NewError(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

// Is matches errors with the same code, so that errors.Is(err,
// &hub.Error{Code: hub.CodeRoomFull}) does what it says.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}
