package client

import (
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/hub"
)

// pace says when to connect again.
type pace uint8

const (
	paceSoon  pace = iota // with back-off
	paceNow               // at once, unless that failed before
	paceLater             // with a longer back-off: the hub is full, or failed
)

// verdict is what follows from a lost connection or a refused handshake.
type verdict struct {
	final      bool          // the client ends
	pace       pace          // otherwise
	retryAfter time.Duration // to be waited in any case
	newToken   bool          // the token is used up
	conflict   bool          // the id is connected, perhaps by this client's own lost connection
}

// judge says what follows from err.
func judge(err error) verdict {
	if errors.Is(err, errSameToken) {
		return verdict{final: true}
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		return judgeClose(e.Code)
	}
	if e, ok := errors.AsType[*RefusedError](err); ok {
		v := judgeStatus(e.Status)
		if !v.final {
			v.retryAfter = e.RetryAfter
		}
		return v
	}
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrNotHub):
		return verdict{final: true}
	case errors.Is(err, errSlot):
		return verdict{pace: paceNow}
	}
	return verdict{pace: paceSoon}
}

// judgeClose is the table of close codes of docs/protocol.md. What is not in it
// is the application's own: only the application knows what to do then.
func judgeClose(code int) verdict {
	switch code {
	case websocket.CloseServiceRestart:
		return verdict{pace: paceNow}
	case hub.CloseTokenExpired:
		return verdict{pace: paceNow, newToken: true}
	case websocket.CloseGoingAway, websocket.CloseNoStatusReceived, hub.CloseTooSlow:
		return verdict{pace: paceSoon}
	case websocket.CloseInternalServerErr, websocket.CloseTryAgainLater, hub.CloseRate:
		return verdict{pace: paceLater}
	default:
		return verdict{final: true}
	}
}

// judgeStatus says what follows from a handshake's answer.
func judgeStatus(status int) verdict {
	switch status {
	case http.StatusUnauthorized:
		return verdict{newToken: true}
	case http.StatusConflict:
		return verdict{conflict: true}
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusInternalServerError:
		return verdict{}
	default:
		return verdict{final: true}
	}
}

// maxUnauthorized is how many new tokens in a row may be refused.
const maxUnauthorized = 3

// attempts keeps count of what failed in a row.
type attempts struct {
	failures     int
	unauthorized int
	lost         time.Time     // when the last connection was; zero: there was none
	patience     time.Duration // how long an id may stay taken after that
}

// judge is the function judge with what only a row of failures tells.
func (a *attempts) judge(err error, now time.Time) verdict {
	v := judge(err)
	if v.newToken {
		a.unauthorized++
		v.final = v.final || a.unauthorized >= maxUnauthorized
	}
	if v.conflict {
		// The hub notices within its readTimeout that a connection is dead.
		v.final = a.lost.IsZero() || now.Sub(a.lost) > a.patience
	}
	return v
}

// connected forgets refusals; failures are forgotten when the connection has
// proved stable.
func (a *attempts) connected() { a.unauthorized = 0 }

// disconnected notes the end of a connection that lasted so long.
func (a *attempts) disconnected(lasted time.Duration, now time.Time, patience time.Duration) {
	if lasted >= stableAfter {
		a.failures = 0
	}
	a.lost, a.patience = now, patience
}
