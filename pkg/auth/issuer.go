package auth

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// IssuerConfig says how an [Issuer] signs. Exactly one of SecretKey and
// PrivateKey must be set.
type IssuerConfig struct {
	SecretKey    string           // HMAC secret
	PrivateKey   string           // PEM: PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY
	KeyID        string           // header kid, none if empty
	Algorithm    string           // as in [VerifierConfig]; empty means HS256 or the key's usual one
	Issuer       string           // claim iss, none if empty
	Audience     string           // claim aud, none if empty
	SubjectClaim string           // the claim for the client id; empty means "sub"
	Now          func() time.Time // nil means time.Now
}

// Issuer mints tokens, for development and tests. It is safe for concurrent use.
type Issuer struct {
	method       jwt.SigningMethod
	key          any
	keyID        string
	issuer       string
	audience     string
	subjectClaim string
	now          func() time.Time
}

// NewIssuer returns an issuer for cfg. An error matches [ErrNoKey],
// [ErrKeySources], [ErrAlgorithm], [ErrBadKey] or [ErrConfig].
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	subject, err := subjectClaim(cfg.SubjectClaim)
	if err != nil {
		return nil, err
	}
	key, err := cfg.signingKey()
	if err != nil {
		return nil, err
	}
	return &Issuer{
		method:       jwt.GetSigningMethod(key.alg),
		key:          key.key,
		keyID:        cfg.KeyID,
		issuer:       cfg.Issuer,
		audience:     cfg.Audience,
		subjectClaim: subject,
		now:          clock(cfg.Now),
	}, nil
}

func (c *IssuerConfig) signingKey() (boundKey, error) {
	switch {
	case c.SecretKey != "" && c.PrivateKey != "":
		return boundKey{}, fmt.Errorf("%w: SecretKey and PrivateKey are set; set one of them", ErrKeySources)
	case c.PrivateKey == "":
		if err := checkAlgorithm(c.Algorithm, secretAlgorithms(), "a secret"); err != nil {
			return boundKey{}, err
		}
		key, err := bindSecret(c.SecretKey, c.Algorithm)
		if err != nil {
			return boundKey{}, fmt.Errorf("SecretKey: %w", err)
		}
		return key, nil
	}
	if err := checkAlgorithm(c.Algorithm, publicKeyAlgorithms(), "a private key"); err != nil {
		return boundKey{}, err
	}
	signer, err := parsePrivateKey(c.PrivateKey)
	if err != nil {
		return boundKey{}, fmt.Errorf("PrivateKey: %w", err)
	}
	key, err := bindPublicKey(signer.Public(), c.Algorithm)
	if err != nil {
		return boundKey{}, fmt.Errorf("PrivateKey: %w", err)
	}
	key.key = signer
	return key, nil
}

// Issue returns a signed token that says what claims say. Subject must be a valid
// id ([ValidateID]). Zero fields leave their claim out, except that IssuedAt means
// now, and Issuer and Audience mean those of the configuration.
//
// With ttl above zero the token expires that long from now, rounded up to a
// second. With 0 claims.ExpiresAt decides, and a zero one means never. A negative
// ttl makes a token that has expired already, which tests need.
//
// Extra holds further claims; one that has a field of its own, values that JSON
// cannot carry and tokens over [MaxTokenBytes] are errors.
func (i *Issuer) Issue(claims TokenClaims, ttl time.Duration) (string, error) {
	if err := ValidateID(claims.Subject); err != nil {
		return "", fmt.Errorf("issue token: Subject %w", err)
	}
	body, err := i.payload(claims, ttl)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	token := jwt.NewWithClaims(i.method, body)
	if i.keyID != "" {
		token.Header["kid"] = i.keyID
	}
	signed, err := token.SignedString(i.key)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	if len(signed) > MaxTokenBytes {
		return "", fmt.Errorf("issue token: it would have %d bytes, at most %d are accepted", len(signed), MaxTokenBytes)
	}
	return signed, nil
}

// payload builds the claims set. decodeClaims is its mirror image.
func (i *Issuer) payload(c TokenClaims, ttl time.Duration) (jwt.MapClaims, error) {
	now := i.now()
	if c.IssuedAt.IsZero() {
		c.IssuedAt = now
	}
	if ttl != 0 {
		c.ExpiresAt = now.Add(ttl)
	}
	if c.Issuer == "" {
		c.Issuer = i.issuer
	}
	if len(c.Audience) == 0 && i.audience != "" {
		c.Audience = []string{i.audience}
	}
	body := jwt.MapClaims{}
	if len(c.Audience) > 0 {
		body[claimAudience] = c.Audience
	}
	if len(c.Permissions) > 0 {
		body[claimPermissions] = c.Permissions
	}
	err := errors.Join(
		addText(body, claimIssuer, c.Issuer),
		addText(body, claimUserID, c.UserID),
		addText(body, claimUsername, c.Username),
		addDate(body, claimIssuedAt, c.IssuedAt),
		addDate(body, claimNotBefore, c.NotBefore),
		addDate(body, claimExpiry, roundUp(c.ExpiresAt)),
		i.addSubject(body, c.Subject),
		i.addExtra(body, c.Extra),
	)
	return body, err
}

func addText(body jwt.MapClaims, name, value string) error {
	if value == "" {
		return nil
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("claim %s is not valid UTF-8", name)
	}
	body[name] = value
	return nil
}

// roundUp keeps a token from expiring before the time it was given.
func roundUp(date time.Time) time.Time {
	if date.Nanosecond() == 0 {
		return date
	}
	return date.Truncate(time.Second).Add(time.Second)
}

func addDate(body jwt.MapClaims, name string, date time.Time) error {
	if date.IsZero() {
		return nil
	}
	seconds := date.Unix()
	if seconds < 0 || seconds > maxNumericDate {
		return fmt.Errorf("claim %s must lie between the years 1970 and 9999", name)
	}
	body[name] = seconds
	return nil
}

// addSubject sets the subject claim, which may be one that UserID or Username has
// filled; the two must then agree.
func (i *Issuer) addSubject(body jwt.MapClaims, id string) error {
	if other, ok := body[i.subjectClaim]; ok && other != id {
		return fmt.Errorf("Subject is written to claim %s, which was given another value", i.subjectClaim)
	}
	body[i.subjectClaim] = id
	return nil
}

func (i *Issuer) addExtra(body jwt.MapClaims, extra map[string]any) error {
	for name, value := range extra {
		switch name {
		case i.subjectClaim, claimIssuer, claimAudience, claimExpiry, claimNotBefore,
			claimIssuedAt, claimPermissions, claimUserID, claimUsername:
			return fmt.Errorf("Extra has claim %s, which has a field of its own", name)
		}
		body[name] = value
	}
	return nil
}
