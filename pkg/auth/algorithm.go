package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
)

// minRSABits is the least RSA key size (RFC 7518, sections 3.3 and 3.5).
const minRSABits = 2048

// secretAlgorithms and publicKeyAlgorithms are the signature algorithms of
// RFC 7518, section 3.1, and RFC 8037 that can be configured. "none" is in
// neither: a token without a signature is never accepted.
func secretAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

func publicKeyAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// boundKey is a key together with the only algorithm it may be used with.
// Without the bond a public key could be taken for an HMAC secret
// (RFC 8725, section 2.1).
type boundKey struct {
	alg string
	id  string // the "kid" of a JWK, empty otherwise
	key any    // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// checkAlgorithm refuses an algorithm that is not among allowed. Empty means
// that the keys decide.
func checkAlgorithm(alg string, allowed []string, keys string) error {
	switch {
	case alg == "" || slices.Contains(allowed, alg):
		return nil
	case strings.EqualFold(alg, "none"):
		return fmt.Errorf("Algorithm: %w %q: unsigned tokens are never accepted", ErrAlgorithm, alg)
	case slices.Contains(secretAlgorithms(), alg) || slices.Contains(publicKeyAlgorithms(), alg):
		return fmt.Errorf("Algorithm: %w %q with %s: must be one of %s", ErrAlgorithm, alg, keys, strings.Join(allowed, ", "))
	}
	return fmt.Errorf("Algorithm: %w %q: unknown; with %s it must be one of %s", ErrAlgorithm, alg, keys, strings.Join(allowed, ", "))
}

// bindPublicKey binds key to alg, or to the usual algorithm of its type when alg
// is empty.
func bindPublicKey(key any, alg string) (boundKey, error) {
	usual, err := usualAlgorithm(key)
	if err != nil {
		return boundKey{}, err
	}
	if alg == "" {
		alg = usual
	}
	fits := alg == usual
	if _, isRSA := key.(*rsa.PublicKey); isRSA {
		fits = slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, alg)
	}
	if !fits {
		return boundKey{}, fmt.Errorf("%w %q for a key whose usual algorithm is %s", ErrAlgorithm, alg, usual)
	}
	return boundKey{alg: alg, key: key}, nil
}

func usualAlgorithm(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return "", fmt.Errorf("%w: RSA key of %d bits, at least %d are needed", ErrBadKey, k.N.BitLen(), minRSABits)
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "ES256", nil
		case 384:
			return "ES384", nil
		case 521:
			return "ES512", nil
		}
		return "", fmt.Errorf("%w: elliptic curve must be P-256, P-384 or P-521", ErrBadKey)
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fmt.Errorf("%w: must be RSA, ECDSA or Ed25519", ErrBadKey)
}

// bindSecret binds secret to alg, or to HS256 when alg is empty.
func bindSecret(secret, alg string) (boundKey, error) {
	if strings.TrimSpace(secret) == "" {
		return boundKey{}, ErrNoKey
	}
	if alg == "" {
		alg = "HS256"
	}
	return boundKey{alg: alg, key: []byte(secret)}, nil
}

// secretWarning says what is unwise about a usable secret, or nothing.
// RFC 7518, section 3.2, asks for a secret at least as long as the hash.
func secretWarning(name string, k boundKey) string {
	secret, _ := k.key.([]byte)
	least := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[k.alg]
	switch {
	case len(secret) < least:
		return fmt.Sprintf("%s has %d bytes; %s needs at least %d to be safe", name, len(secret), k.alg, least)
	case strings.TrimSpace(string(secret)) != string(secret):
		return name + " begins or ends with white space, perhaps the newline of a file"
	}
	return ""
}
