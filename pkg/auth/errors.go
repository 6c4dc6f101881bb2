package auth

import "errors"

// Errors of [Verifier.Verify], to be matched with errors.Is. Exactly one of
// them matches; the text adds the reason.
var (
	// ErrExpired means a genuine token whose exp has passed (protocol error 2002).
	ErrExpired = errors.New("token expired")
	// ErrInvalidToken means every other refusal (protocol error 2003).
	ErrInvalidToken = errors.New("invalid token")
	// ErrKeysUnavailable means that the token could not be judged, because no
	// usable key of the JWKS endpoint is known yet. The token must be refused;
	// the same token may be accepted later.
	ErrKeysUnavailable = errors.New("verification keys unavailable")
)

// Errors of [NewVerifier] and [NewIssuer], to be matched with errors.Is.
var (
	// ErrNoKey means that no key is configured, or that a secret is empty.
	ErrNoKey = errors.New("an empty secret")
	// ErrKeySources means that more than one kind of key is configured.
	ErrKeySources = errors.New("conflicting key sources")
	// ErrAlgorithm means an unknown algorithm, "none", or one that does not fit the keys.
	ErrAlgorithm = errors.New("unusable algorithm")
	// ErrBadKey means a key that cannot be read or is too weak to be used.
	ErrBadKey = errors.New("unusable key")
	// ErrConfig means any other field whose value cannot be used.
	ErrConfig = errors.New("invalid auth configuration")
)

// tokenError is a refusal of a token: one of the kinds above and the reason.
// The type lets the reason come back out of the JWT library's wrapping, whose
// own texts may quote the token.
type tokenError struct {
	kind   error
	reason string
}

func (e *tokenError) Error() string { return e.kind.Error() + ": " + e.reason }
func (e *tokenError) Unwrap() error { return e.kind }

func invalid(reason string) error { return &tokenError{ErrInvalidToken, reason} }
