package auth

import "time"

// TokenClaims is what a verified token says. It is read-only after
// [Verifier.Verify] returned it and then safe for concurrent use. The methods
// accept a nil receiver, which holds no permission.
type TokenClaims struct {
	Subject     string       // the client id, from the configured subject claim
	UserID      string       // claim user_id, empty if absent
	Username    string       // claim username, empty if absent
	Issuer      string       // claim iss, empty if absent
	Audience    []string     // claim aud, nil if absent
	Permissions []Permission // claim permissions, unknown ones included

	IssuedAt  time.Time // claim iat, zero if absent
	NotBefore time.Time // claim nbf, zero if absent
	ExpiresAt time.Time // claim exp, zero if the token does not expire

	// Extra holds every other claim as decoded JSON, nil if there is none. A
	// number is a json.Number, so that large integers stay exact.
	Extra map[string]any
}

// HasPermission reports whether the claims hold p globally, see [HasPermission].
func (c *TokenClaims) HasPermission(p Permission) bool {
	return c != nil && HasPermission(c.Permissions, p)
}

// HasRoomPermission reports whether the claims hold p for the room, see [HasRoomPermission].
func (c *TokenClaims) HasRoomPermission(p Permission, room string) bool {
	return c != nil && HasRoomPermission(c.Permissions, p, room)
}
