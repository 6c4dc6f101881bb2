package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxTokenBytes is the greatest length of a token that is looked at.
const MaxTokenBytes = 8 << 10

// Verifier judges tokens. It is safe for concurrent use.
type Verifier struct {
	keys          keySource
	parser        *jwt.Parser
	issuer        string
	audience      string
	subjectClaim  string
	leeway        time.Duration
	requireExpiry bool
	now           func() time.Time
	warnings      []string
}

// keySource knows the keys a token may have been signed with.
type keySource interface {
	// find returns the keys bound to alg, those named kid if it is not empty, one
	// at least, or a tokenError. It may wait for keys until ctx is done.
	find(ctx context.Context, alg, kid string) ([]boundKey, error)
	// ready returns nil if tokens can be verified, else an ErrKeysUnavailable.
	ready() error
	close()
}

// NewVerifier returns a verifier for cfg. A contradiction in cfg is an error that
// matches [ErrNoKey], [ErrKeySources], [ErrAlgorithm], [ErrBadKey] or [ErrConfig]
// and names the field.
//
// With a JWKSURL a goroutine reads the keys and keeps them fresh until ctx is
// done or Close is called. NewVerifier does not wait for it, and an endpoint that
// is down is not an error: tokens are refused with [ErrKeysUnavailable] until the
// keys were read once.
func NewVerifier(ctx context.Context, cfg VerifierConfig) (*Verifier, error) {
	if err := cfg.checkSources(); err != nil {
		return nil, err
	}
	subject, err := subjectClaim(cfg.SubjectClaim)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		parser:        jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding()),
		issuer:        cfg.Issuer,
		audience:      cfg.Audience,
		subjectClaim:  subject,
		leeway:        leeway(cfg.Leeway),
		requireExpiry: cfg.RequireExpiry,
		now:           clock(cfg.Now),
	}
	switch {
	case cfg.JWKSURL != "":
		err = v.useJWKS(ctx, cfg)
	case len(cfg.PublicKeys) > 0:
		err = v.usePublicKeys(cfg)
	default:
		err = v.useSecrets(cfg)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (v *Verifier) useSecrets(cfg VerifierConfig) error {
	if err := checkAlgorithm(cfg.Algorithm, secretAlgorithms(), "a secret"); err != nil {
		return err
	}
	var keys staticKeys
	for i, secret := range append([]string{cfg.SecretKey}, cfg.PreviousSecretKeys...) {
		name := "SecretKey"
		if i > 0 {
			name = fmt.Sprintf("PreviousSecretKeys[%d]", i-1)
		}
		key, err := bindSecret(secret, cfg.Algorithm)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if warning := secretWarning(name, key); warning != "" {
			v.warnings = append(v.warnings, warning)
		}
		keys = append(keys, key)
	}
	v.keys = keys
	return nil
}

func (v *Verifier) usePublicKeys(cfg VerifierConfig) error {
	if err := checkAlgorithm(cfg.Algorithm, publicKeyAlgorithms(), "public keys"); err != nil {
		return err
	}
	var keys staticKeys
	for i, text := range cfg.PublicKeys {
		parsed, err := parsePublicKeys(text)
		if err != nil {
			return fmt.Errorf("PublicKeys[%d]: %w", i, err)
		}
		for _, public := range parsed {
			key, err := bindPublicKey(public, cfg.Algorithm)
			if err != nil {
				return fmt.Errorf("PublicKeys[%d]: %w", i, err)
			}
			keys = append(keys, key)
		}
	}
	v.keys = keys
	return nil
}

func (v *Verifier) useJWKS(ctx context.Context, cfg VerifierConfig) error {
	if err := checkAlgorithm(cfg.Algorithm, publicKeyAlgorithms(), "a JWKS"); err != nil {
		return err
	}
	warning, err := checkJWKSURL(cfg.JWKSURL)
	if err != nil {
		return err
	}
	if warning != "" {
		v.warnings = append(v.warnings, warning)
	}
	v.keys = startJWKS(ctx, cfg.JWKSURL, cfg.Algorithm, cfg.HTTPClient)
	return nil
}

// Warnings returns what is unwise about the configuration though it works, a
// sentence each, without secrets. The slice is the caller's.
func (v *Verifier) Warnings() []string { return slices.Clone(v.warnings) }

// Ready returns nil if tokens can be verified, and an error that matches
// [ErrKeysUnavailable] while a JWKS has not given a usable key.
func (v *Verifier) Ready() error { return v.keys.ready() }

// Close stops the JWKS goroutine, if there is one, and waits for its end. The
// verifier goes on with the keys it has. Close may be called more than once.
func (v *Verifier) Close() { v.keys.close() }

// Verify checks a token in the compact form (RFC 7515, section 3.1) of at most
// [MaxTokenBytes] bytes: its signature by a key bound to its algorithm, exp and
// nbf, iss and aud where they are configured, the types of the claims, and that
// it names a client ([ValidateID]). A header with "crit" is refused, because the
// hub understands no extension (RFC 7515, section 4.1.11).
//
// An error matches one of [ErrExpired], [ErrInvalidToken] and
// [ErrKeysUnavailable]. Verify does not block, except that a token signed with a
// key the JWKS did not have yet waits for a refresh, at most until ctx is done.
// A JWKS request takes at most 10 s.
func (v *Verifier) Verify(ctx context.Context, token string) (*TokenClaims, error) {
	if err := checkForm(token); err != nil {
		return nil, err
	}
	body := &payload{}
	_, err := v.parser.ParseWithClaims(token, body, func(t *jwt.Token) (any, error) {
		return v.verificationKeys(ctx, t)
	})
	if err != nil {
		return nil, reason(err)
	}
	claims, err := decodeClaims(body.raw, v.subjectClaim)
	if err != nil {
		return nil, err
	}
	if err := v.check(claims); err != nil {
		return nil, err
	}
	if v.issuer != "" {
		claims.Issuer = v.issuer // equal, and shared by all connections
	}
	return claims, nil
}

// checkForm refuses what is not base64url and dots. Go's base64 decoder skips
// line breaks, which would let one token be written in many ways.
func checkForm(token string) error {
	switch {
	case token == "":
		return invalid("the token is empty")
	case len(token) > MaxTokenBytes:
		return invalid(fmt.Sprintf("the token is longer than %d bytes", MaxTokenBytes))
	}
	for i := range len(token) {
		switch c := token[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return invalid("the token is malformed")
		}
	}
	return nil
}

func (v *Verifier) verificationKeys(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, invalid("the header has critical extensions, which are not supported")
	}
	kid, ok := t.Header["kid"].(string)
	if _, present := t.Header["kid"]; present && !ok {
		return nil, invalid("the header's key id must be a string")
	}
	found, err := v.keys.find(ctx, t.Method.Alg(), kid)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 { // says nothing about the token
		return nil, &tokenError{ErrKeysUnavailable, "no key was found"}
	}
	set := jwt.VerificationKeySet{Keys: make([]jwt.VerificationKey, len(found))}
	for i, k := range found {
		set.Keys[i] = k.key
	}
	return set, nil
}

// check holds the claims against the configuration. Expiry comes last, so that
// ErrExpired always means a token that was good once.
func (v *Verifier) check(c *TokenClaims) error {
	now := v.now()
	switch {
	case v.issuer != "" && c.Issuer != v.issuer:
		return invalid("the issuer is not the configured one")
	case v.audience != "" && !slices.Contains(c.Audience, v.audience):
		return invalid("the audience is not the configured one")
	case v.requireExpiry && c.ExpiresAt.IsZero():
		return invalid("claim exp is missing")
	case !c.NotBefore.IsZero() && now.Add(v.leeway).Before(c.NotBefore):
		return invalid("the token is not valid yet")
	case !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt.Add(v.leeway)):
		return &tokenError{ErrExpired, "exp has passed"}
	}
	return nil
}

// reason translates the JWT library's error, whose text may quote the token.
func reason(err error) error {
	var own *tokenError
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jwt.ErrTokenMalformed):
		return invalid("the token is malformed")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return invalid("the signature does not match")
	}
	// Whatever else can be wrong is a tokenError of verificationKeys.
	return invalid("the algorithm is missing or unknown")
}

// payload keeps the claims as bytes until the signature was checked. The embedded
// type is there for the methods of jwt.Claims only.
type payload struct {
	jwt.RegisteredClaims
	raw []byte
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *payload) UnmarshalJSON(b []byte) error {
	p.raw = append(p.raw[:0], b...)
	return nil
}

// staticKeys are keys that never change. A key id in the token is only a hint
// (RFC 7515, section 4.1.4) and they have none, so it is ignored.
type staticKeys []boundKey

func (s staticKeys) find(_ context.Context, alg, _ string) ([]boundKey, error) {
	var found []boundKey
	for _, k := range s {
		if k.alg == alg {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return nil, invalid("the algorithm is not the one configured")
	}
	return found, nil
}

func (staticKeys) ready() error { return nil }
func (staticKeys) close()       {}
