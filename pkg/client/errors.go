package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Errors that a caller decides on. Test for them with errors.Is.
var (
	// ErrClosed means that the client has ended: Close was called, or the hub
	// sent it away for good. The error wraps why; Client.Err says it alone.
	ErrClosed = errors.New("client is closed")
	// ErrUnknown means that a message has left and its answer did not come: the
	// hub has done what it asks for, or has not, or will.
	ErrUnknown = errors.New("the outcome is unknown")
	// ErrBusy means that Options.MaxPending calls are under way already. Nothing
	// was sent.
	ErrBusy = errors.New("too many calls are under way")
	// ErrTooLarge means that a message is larger than the hub takes, and was
	// not sent; or, as the end of the client, that the hub sent one larger than
	// Options.MaxMessageSize.
	ErrTooLarge = errors.New("message is too large")
	// ErrNotHub means that the server answered, but not as a hub that speaks
	// gohub.v1 does.
	ErrNotHub = errors.New("the server does not speak gohub.v1")
)

// Causes of a lost connection, beside the network's own.
var (
	errLost      = errors.New("connection lost")
	errSilent    = errors.New("nothing heard from the hub")
	errSlot      = errors.New("the hub restarts: this client's slot has come")
	errSameToken = errors.New("no new token: Options.Token returned the one that is used up")
)

// CloseError is the close frame by which the hub ended the connection (RFC
// 6455, section 7.4). Code is 1005 where the frame has none.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("closed by the hub: %q (close code %d)", e.Reason, e.Code)
}

// RefusedError is a handshake that was not accepted. It wraps a *hub.Error
// where the answer has one.
type RefusedError struct {
	Status     int           // of HTTP
	RetryAfter time.Duration // how long the server asks to wait; 0: it does not say
	Err        *hub.Error    // nil where something else than a hub answered
}

func (e *RefusedError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("refused with HTTP status %d", e.Status)
	}
	return fmt.Sprintf("refused with HTTP status %d: %s", e.Status, e.Err)
}

func (e *RefusedError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// tokenError is a failure of Options.Token.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "get a token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// wireError is an error as the protocol writes it.
type wireError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details"`
}

// decodeError reads the data of an error message, or the body of a refusal;
// nil where it is none.
func decodeError(data []byte) *hub.Error {
	var e wireError
	if err := json.Unmarshal(data, &e); err != nil || e.Code == 0 {
		return nil
	}
	decoded := &hub.Error{Code: e.Code, Message: e.Message}
	if len(e.Details) > 0 && string(e.Details) != "null" {
		decoded.Details = e.Details
	}
	return decoded
}

// errorData returns what a hub is told about err: nothing that was not meant
// for others.
func errorData(err error) json.RawMessage {
	e, ok := errors.AsType[*hub.Error](err)
	if !ok {
		e = hub.NewError(hub.CodeServer, "the client could not handle the request")
	}
	raw, err := json.Marshal(map[string]any{"code": e.Code, "message": e.Message, "details": e.Details})
	if err != nil { // the details cannot be encoded
		raw, _ = json.Marshal(map[string]any{"code": e.Code, "message": e.Message}) // always encodable
	}
	return raw
}
