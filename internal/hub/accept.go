package hub

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
)

// tokenProtocol begins the subprotocol entry by which browsers, that can set
// no header on a websocket, pass a token.
const tokenProtocol = "gohub.token."

// refusal is an answer to a handshake that is not accepted.
type refusal struct {
	status int
	err    *hub.Error
	retry  bool // worth a try elsewhere or later
	label  string
}

func refuse(status, code int, label, format string, args ...any) *refusal {
	return &refusal{status: status, err: hub.NewError(code, format, args...), label: label}
}

// refuseForNow is refuse where another try, later or elsewhere, may succeed.
func refuseForNow(status, code int, label, text string) *refusal {
	no := refuse(status, code, label, "%s", text)
	no.retry = true
	return no
}

// identity is who is behind a handshake.
type identity struct {
	id        string
	claims    *auth.TokenClaims // nil: no token
	anonymous bool              // no token, though authentication is on
	drawn     bool              // the hub has drawn the id
}

// ServeHTTP accepts a websocket connection. It answers with a JSON error where
// it does not.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if no := h.accept(w, r); no != nil {
		h.metrics.refused.WithLabelValues(no.label).Inc()
		h.answer(w, no)
	}
}

func (h *Hub) accept(w http.ResponseWriter, r *http.Request) *refusal {
	if !h.drain.enter() {
		return refuseForNow(http.StatusServiceUnavailable, hub.CodeServer, "draining", "this hub is shutting down")
	}
	defer h.drain.leave()
	if status, err := conn.Check(r); err != nil {
		return refuse(status, hub.CodeFormat, "handshake", "%s", err)
	}
	if !originAllowed(r, h.cfg.AllowedOrigins) {
		return refuse(http.StatusForbidden, hub.CodeForbidden, "origin", "this origin may not connect: it is not among allowedOrigins")
	}
	addr := clientAddress(r, h.cfg.TrustedProxies)
	if !h.addresses.acquire(addr.Addr(), h.now()) {
		return refuseForNow(http.StatusTooManyRequests, hub.CodeRateLimited, "address", "too many connections from this address")
	}
	taken := h.slots.Add(1)
	accepted := false
	defer func() {
		if !accepted {
			h.addresses.release(addr.Addr())
			h.slots.Add(-1)
		}
	}()
	if limit := h.cfg.MaxConnections; limit > 0 && taken > int64(limit) {
		return refuseForNow(http.StatusServiceUnavailable, hub.CodeRateLimited, "full", "this hub has as many connections as it may")
	}
	who, no := h.identify(r)
	if no != nil {
		return no
	}
	if h.cfg.Duplicate == DuplicateReject && h.clients.get(who.id) != nil {
		return refuse(http.StatusConflict, hub.CodeForbidden, "duplicate", "this id is connected already")
	}
	if no := h.elsewhere(r.Context(), who); no != nil {
		return no
	}
	socket, err := h.upgrader.Upgrade(w, r)
	if err != nil {
		h.metrics.refused.WithLabelValues("handshake").Inc()
		return nil // answered
	}
	s := &Session{
		hub: h, id: who.id, addr: addr, since: h.now().UnixNano(),
		v1: socket.Subprotocol == Subprotocol, anonymous: who.anonymous, drawn: who.drawn,
	}
	s.client = hub.NewClient(s)
	if who.claims != nil {
		s.claims.Store(who.claims)
	}
	if err := h.engine.Start(&s.Conn, s, socket, s.opened); err != nil {
		h.warn("connection not served", "error", err)
		return nil // upgraded already, and closed
	}
	accepted = true
	return nil
}

func (h *Hub) answer(w http.ResponseWriter, no *refusal) {
	if no.retry {
		w.Header().Set("Retry-After", "5")
	}
	if no.status == http.StatusUpgradeRequired {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
	}
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	WriteError(w, no.status, no.err)
}

// identify finds out who wants to connect.
func (h *Hub) identify(r *http.Request) (identity, *refusal) {
	token, no := tokenOf(r)
	if no != nil {
		return identity{}, no
	}
	if h.cfg.Verifier == nil {
		return h.nameless(r, "", false)
	}
	if token == "" {
		if !h.cfg.AllowAnonymous {
			h.metrics.auth.WithLabelValues("missing").Inc()
			return identity{}, refuse(http.StatusUnauthorized, hub.CodeUnauthorized, "auth", "a token is needed")
		}
		h.metrics.auth.WithLabelValues("anonymous").Inc()
		return h.nameless(r, auth.ReservedIDPrefix, true)
	}
	claims, err := h.cfg.Verifier.Verify(r.Context(), token)
	if err != nil {
		no := &refusal{status: http.StatusUnauthorized, err: h.tokenError(err), label: "auth"}
		if no.err.Code == hub.CodeServer {
			no.status, no.retry = http.StatusServiceUnavailable, true
		}
		return identity{}, no
	}
	h.metrics.auth.WithLabelValues("ok").Inc()
	return identity{id: claims.Subject, claims: claims}, nil
}

// tokenError counts a token that was not accepted and says why.
func (h *Hub) tokenError(err error) *hub.Error {
	switch {
	case errors.Is(err, auth.ErrExpired):
		h.metrics.auth.WithLabelValues("expired").Inc()
		return hub.NewError(hub.CodeTokenExpired, "token expired")
	case errors.Is(err, auth.ErrInvalidToken):
		h.metrics.auth.WithLabelValues("invalid").Inc()
		return hub.NewError(hub.CodeTokenInvalid, "%s", err)
	default:
		h.metrics.auth.WithLabelValues("unavailable").Inc()
		return hub.NewError(hub.CodeServer, "tokens cannot be checked at the moment")
	}
}

// nameless gives an id to a client without a token: the one it asks for, with
// prefix, or one that nobody can guess.
func (h *Hub) nameless(r *http.Request, prefix string, anonymous bool) (identity, *refusal) {
	if h.cfg.QueryID != "" {
		if id := r.URL.Query().Get(h.cfg.QueryID); id != "" {
			if e := checkName(h.cfg.QueryID, prefix+id); e != nil {
				return identity{}, &refusal{status: http.StatusBadRequest, err: e, label: "handshake"}
			}
			return identity{id: prefix + id, anonymous: anonymous}, nil
		}
	}
	return identity{id: guestID(), anonymous: anonymous, drawn: true}, nil
}

// guestID returns guest-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx with 128 random
// bits.
func guestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	x := hex.EncodeToString(b[:])
	return "guest-" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// tokenOf returns the token that a handshake carries, "" if there is none.
func tokenOf(r *http.Request) (string, *refusal) {
	var offered, v1 bool
	var token string
	for _, line := range r.Header.Values("Sec-Websocket-Protocol") {
		for entry := range strings.SplitSeq(line, ",") {
			entry = strings.TrimSpace(entry)
			if t, ok := strings.CutPrefix(entry, tokenProtocol); ok {
				offered, token = true, t
			}
			v1 = v1 || entry == Subprotocol
		}
	}
	if offered {
		if !v1 {
			return "", refuse(http.StatusBadRequest, hub.CodeFormat, "handshake",
				"a %s... subprotocol must come with %s, which the hub selects", tokenProtocol, Subprotocol)
		}
		return token, nil
	}
	if header := r.Header.Get("Authorization"); header != "" {
		if scheme, t, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(t), nil
		}
	}
	return r.URL.Query().Get("token"), nil
}
