package hubclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/chenxilol/gohub/pkg/api"
)

// The kinds of errors, for errors.Is.
var (
	// ErrUnreachable: no answer, or not in time. Whether the request arrived is
	// not known.
	ErrUnreachable = errors.New("no answer")
	// ErrUnauthorized: the hub takes the key for a wrong one (401, 403).
	ErrUnauthorized = errors.New("the key is refused")
	// ErrOff: there is no admin API there (404): a hub without a key, or another
	// port or program.
	ErrOff = errors.New("no admin API")
	// ErrStopping: the hub drains because its process ends (409).
	ErrStopping = errors.New("the hub is stopping")
	// ErrRefused: the hub refuses the request for another reason, or failed at it.
	ErrRefused = errors.New("the request is refused")
	// ErrAnswer: the answer is not that of a hub.
	ErrAnswer = errors.New("the answer cannot be used")
	// ErrRequest: no request can be made of the URL or the key.
	ErrRequest = errors.New("the request cannot be made")
)

// Error is why a call failed. It never holds the key.
type Error struct {
	Call   string    // such as "GET /api/v1/stats"
	URL    string    // of the hub
	Kind   error     // one of the kinds above
	Status int       // of the answer; 0 where there is none
	Answer api.Error // the hub's own words; empty where there are none
	Err    error     // the cause; nil where the answer is one
}

// Error says what failed, where and why.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s of hub %s: %s", e.Call, e.URL, e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Answer.Message != "" {
		text += fmt.Sprintf(": %.200q", e.Answer.Message)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func kindOf(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusNotFound:
		return ErrOff
	case http.StatusConflict:
		return ErrStopping
	default:
		return ErrRefused
	}
}

// withoutURL strips what Error says itself.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
