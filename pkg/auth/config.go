package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DefaultLeeway is the clock difference tolerated when none is configured.
const DefaultLeeway = 30 * time.Second

// VerifierConfig says which tokens a [Verifier] accepts. Exactly one kind of key
// must be set: SecretKey (with PreviousSecretKeys), PublicKeys or JWKSURL.
type VerifierConfig struct {
	// Algorithm is the only signature algorithm accepted: HS256, HS384 or HS512
	// for secrets; RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512
	// or EdDSA otherwise. Empty means HS256 for secrets. For a public key its
	// type then decides: RS256, ES256, ES384, ES512 or EdDSA; for a key of a
	// JWKS its "alg" does, and without one its type. A JWKS key whose "alg"
	// differs from a set Algorithm is not used.
	Algorithm string
	// SecretKey is the HMAC secret. Under 32 bytes (48 for HS384, 64 for HS512)
	// it works, with a warning.
	SecretKey string
	// PreviousSecretKeys still verify tokens, so that a secret can be replaced
	// while tokens signed with the old one are in use.
	PreviousSecretKeys []string
	// PublicKeys are PEM texts: PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE blocks,
	// one or more in each. RSA keys have at least 2048 bits.
	PublicKeys []string
	// JWKSURL is the http or https address of a JSON Web Key Set (RFC 7517). It
	// is the only place keys are read from; nothing in a token can name another.
	JWKSURL string
	// Issuer, if set, must equal the claim iss.
	Issuer string
	// Audience, if set, must be among the claim aud.
	Audience string
	// SubjectClaim names the claim that holds the client id; empty means "sub".
	SubjectClaim string
	// Leeway is the clock difference tolerated in exp and nbf. 0 means
	// [DefaultLeeway], negative none.
	Leeway time.Duration
	// RequireExpiry refuses tokens without exp.
	RequireExpiry bool
	// Now is the clock that exp and nbf are held against; nil means time.Now.
	Now func() time.Time
	// HTTPClient reads JWKSURL; nil means one of the verifier's own that follows
	// no redirects. Every request is limited to 10 s in either case.
	HTTPClient *http.Client
}

// checkSources refuses a configuration without a key or with several kinds.
func (c *VerifierConfig) checkSources() error {
	var set []string
	if c.SecretKey != "" || len(c.PreviousSecretKeys) > 0 {
		set = append(set, "SecretKey")
	}
	if len(c.PublicKeys) > 0 {
		set = append(set, "PublicKeys")
	}
	if c.JWKSURL != "" {
		set = append(set, "JWKSURL")
	}
	switch len(set) {
	case 0:
		return fmt.Errorf("%w: set one of SecretKey, PublicKeys and JWKSURL", ErrNoKey)
	case 1:
		return nil
	}
	return fmt.Errorf("%w: %s are set; set one of them", ErrKeySources, strings.Join(set, " and "))
}

// subjectClaim returns the claim that holds the client id, given the configured name.
func subjectClaim(name string) (string, error) {
	if name == "" {
		return claimSubject, nil
	}
	taken := []string{claimIssuer, claimAudience, claimExpiry, claimNotBefore, claimIssuedAt, claimPermissions}
	if slices.Contains(taken, name) {
		return "", fmt.Errorf("%w: SubjectClaim %q has a meaning of its own; name another claim, such as sub, user_id or username", ErrConfig, name)
	}
	return name, nil
}

func leeway(d time.Duration) time.Duration {
	switch {
	case d == 0:
		return DefaultLeeway
	case d < 0:
		return 0
	}
	return d
}

func clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// checkJWKSURL refuses what is not an absolute http(s) address, and warns about
// plain http to another machine, where anybody on the way can swap the keys.
func checkJWKSURL(address string) (warning string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("%w: JWKSURL must be an absolute http or https URL", ErrConfig)
	}
	host := u.Hostname()
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	if u.Scheme == "http" && !loopback {
		return "JWKSURL is read over plain http, so whoever controls the network can replace the keys; use https", nil
	}
	return "", nil
}
