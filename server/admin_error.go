package server

import (
	"errors"
	"net/http"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
)

// statusError is an error whose HTTP status is not that of its code.
type statusError struct {
	status int
	err    *hub.Error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// fail answers a request with an error. What is no *hub.Error is logged and
// answered without its text.
func (a *admin) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*hub.Error](err)
	if !ok {
		a.s.log.Error("admin request failed", "method", r.Method, "error", err)
		e = hub.NewError(hub.CodeServer, "internal error")
	}
	status := errorStatus(e.Code)
	if s, ok := errors.AsType[*statusError](err); ok {
		status = s.status
	}
	if challenge := bearerChallenge(status, e.Code); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	writeJSON(w, status, &api.Error{Code: e.Code, Message: e.Message})
}

// bearerChallenge returns the WWW-Authenticate header of RFC 6750, section 3:
// no error code where the request carried no credential.
func bearerChallenge(status, code int) string {
	switch {
	case status == http.StatusUnauthorized && code == hub.CodeUnauthorized:
		return `Bearer realm="gohub"`
	case status == http.StatusUnauthorized:
		return `Bearer realm="gohub", error="invalid_token"`
	case status == http.StatusForbidden:
		return `Bearer realm="gohub", error="insufficient_scope"`
	default:
		return ""
	}
}

// errorStatus returns the HTTP status for a code of the protocol.
func errorStatus(code int) int {
	switch code {
	case hub.CodeFormat, hub.CodeMessageID:
		return http.StatusBadRequest
	case hub.CodeUnauthorized, hub.CodeTokenExpired, hub.CodeTokenInvalid:
		return http.StatusUnauthorized
	case hub.CodeForbidden:
		return http.StatusForbidden
	case hub.CodeRoomNotFound, hub.CodeNotInRoom, hub.CodeNoClient:
		return http.StatusNotFound
	case hub.CodeRoomExists, hub.CodeRoomFull, hub.CodeAlreadyInRoom, hub.CodeClientOffline:
		return http.StatusConflict
	case hub.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case hub.CodeRateLimited:
		return http.StatusTooManyRequests
	case hub.CodeTimeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
