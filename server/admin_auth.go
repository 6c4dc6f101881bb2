package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
)

// caller is who makes a request of the admin API.
type caller struct {
	key    bool              // holds the API key and may do everything
	claims *auth.TokenClaims // of the token; nil with the key
}

// authenticate finds out who makes a request: the Authorization header alone
// counts, since browsers send none by themselves.
func (a *admin) authenticate(r *http.Request) (caller, error) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return caller{}, hub.NewError(hub.CodeUnauthorized, "a key or token is needed: Authorization: Bearer <key or token>")
	}
	if a.keyHash != nil {
		// The hashes have one length, so that the key's own stays hidden.
		hash := sha256.Sum256([]byte(credential))
		if subtle.ConstantTimeCompare(hash[:], a.keyHash[:]) == 1 {
			return caller{key: true}, nil
		}
	}
	if a.s.verifier == nil {
		return caller{}, hub.NewError(hub.CodeUnauthorized, "the key is wrong")
	}
	claims, err := a.s.verifier.Verify(r.Context(), credential)
	switch {
	case err == nil:
		return caller{claims: claims}, nil
	case errors.Is(err, auth.ErrExpired):
		return caller{}, hub.NewError(hub.CodeTokenExpired, "token expired")
	case errors.Is(err, auth.ErrInvalidToken):
		// Not why: it may be a mistyped key.
		return caller{}, hub.NewError(hub.CodeTokenInvalid, "the key or token is wrong")
	default:
		return caller{}, &statusError{http.StatusServiceUnavailable, hub.NewError(hub.CodeServer, "tokens cannot be checked at the moment")}
	}
}

// may tells whether the caller may do p in the room.
func (c caller) may(p auth.Permission, room string) bool {
	return c.key || c.claims.HasRoomPermission(p, room)
}

// check is may with the error to answer.
func (c caller) check(p auth.Permission, room string) error {
	if c.may(p, room) {
		return nil
	}
	return hub.NewError(hub.CodeForbidden, "permission %s is needed", p)
}

// isAdmin tells whether the caller may do everything.
func (c caller) isAdmin() bool { return c.may(auth.PermAdminSystem, "") }

// is tells whether the caller is the client id itself.
func (c caller) is(id string) bool { return c.claims != nil && c.claims.Subject == id }

// readsSomething tells whether there are rooms that the caller may read.
func (c caller) readsSomething() bool {
	if c.may(auth.PermReadMessage, "") {
		return true
	}
	for _, p := range c.claims.Permissions {
		for _, reading := range []auth.Permission{auth.PermReadMessage, auth.PermAdminRoom} {
			if pattern, ok := strings.CutPrefix(string(p), string(reading)+":"); ok && pattern != "" {
				return true
			}
		}
	}
	return false
}
