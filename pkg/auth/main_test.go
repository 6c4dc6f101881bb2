package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/pkg/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret      = "0123456789abcdef0123456789abcdef"
	otherSecret = "fedcba9876543210fedcba9876543210"
)

// epoch is the time of every test; 1700000000 in claims.
var epoch = time.Unix(1_700_000_000, 0)

func atEpoch() time.Time { return epoch }

// rsaKey is made once, because it takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func ecKey(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }

func edKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicPEM(key crypto.Signer) string {
	return toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

func privatePEM(key crypto.Signer) string {
	return toPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign makes a token out of any header and payload, good or bad.
func sign(header, payload, alg string, key any) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature := must(jwt.GetSigningMethod(alg).Sign(text, key))
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// hs256 signs a payload with the usual header and secret.
func hs256(payload string) string {
	return sign(`{"alg":"HS256","typ":"JWT"}`, payload, "HS256", []byte(secret))
}

func newVerifier(t testing.TB, cfg auth.VerifierConfig) *auth.Verifier {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = atEpoch
	}
	v, err := auth.NewVerifier(context.Background(), cfg)
	if err != nil {
		t.Fatalf("NewVerifier: %v", err)
	}
	t.Cleanup(v.Close)
	return v
}

func mint(t testing.TB, cfg auth.IssuerConfig, claims auth.TokenClaims, ttl time.Duration) string {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = atEpoch
	}
	issuer, err := auth.NewIssuer(cfg)
	if err != nil {
		t.Fatalf("NewIssuer: %v", err)
	}
	token, err := issuer.Issue(claims, ttl)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return token
}

func toJSON(v any) string { return string(must(json.Marshal(v))) }

// x25519PEM is a public key that cannot sign.
func x25519PEM() string {
	key := must(ecdh.X25519().GenerateKey(rand.Reader))
	return toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.PublicKey())))
}

func selfSigned(key crypto.Signer) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	return must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
}
