package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func TestEmptySecret(t *testing.T) {
	for _, secret := range []string{"", " "} {
		_, err := server.NewServer(hubtest.Options(&server.Options{EnableAuth: true, JWTSecretKey: secret}))
		if e, ok := errors.AsType[*config.FieldError](err); !ok || !strings.Contains(err.Error(), "jwtSecretKey") {
			t.Errorf("secret %q: %v (%v), want an error that names jwtSecretKey", secret, err, e)
		}
	}
}

func TestPreviousSecrets(t *testing.T) {
	opts := withTokens()
	opts.JWTPreviousSecretKeys = []string{"the first secret, which is 32 bytes or more", otherSecret}
	srv := start(t, opts)
	for _, key := range append(opts.JWTPreviousSecretKeys, secret) {
		srv.Dial(t, hubtest.Token(mint(t, auth.IssuerConfig{SecretKey: key}, auth.TokenClaims{Subject: "a"}, time.Hour))).Request("ping", nil)
	}
	wantRefused(t, srv, 401, hub.CodeTokenInvalid,
		hubtest.Token(mint(t, auth.IssuerConfig{SecretKey: "a secret that nobody has configured at all"}, auth.TokenClaims{Subject: "a"}, time.Hour)))
}

func TestJWTAlgorithm(t *testing.T) {
	opts := withTokens()
	opts.JWTAlgorithm = "HS512"
	srv := start(t, opts)
	claims := auth.TokenClaims{Subject: "a"}
	srv.Dial(t, hubtest.Token(mint(t, auth.IssuerConfig{Algorithm: "HS512"}, claims, time.Hour)))
	wantRefused(t, srv, 401, hub.CodeTokenInvalid, hubtest.Token(mint(t, auth.IssuerConfig{Algorithm: "HS256"}, claims, time.Hour)))
}

// newKey returns a new P-256 key, as it is and in PEM.
func newKey(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestPublicKeys(t *testing.T) {
	one, onePEM := newKey(t)
	two, twoPEM := newKey(t)
	_, strange := newKey(t)
	public := publicPEM(t, one)
	srv := start(t, server.Options{EnableAuth: true, JWTPublicKeys: []string{public, publicPEM(t, two)}})
	for _, key := range []string{onePEM, twoPEM} {
		srv.Dial(t, hubtest.Token(mint(t, auth.IssuerConfig{PrivateKey: key}, auth.TokenClaims{Subject: "a"}, time.Hour))).Request("ping", nil)
	}
	wantRefused(t, srv, 401, hub.CodeTokenInvalid,
		hubtest.Token(mint(t, auth.IssuerConfig{PrivateKey: strange}, auth.TokenClaims{Subject: "a"}, time.Hour)))
	wantRefused(t, srv, 401, hub.CodeTokenInvalid, // what is public is no secret
		hubtest.Token(sign(t, jwt.SigningMethodHS256, []byte(public), nil, jwt.MapClaims{"sub": "a"})))
}

func TestJWKS(t *testing.T) {
	key, private := newKey(t)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	available := make(chan bool) // closed: the keys are there
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-available:
			fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":%q,"y":%q}]}`, encode(point[1:33]), encode(point[33:]))
		default:
			http.Error(w, "not yet", http.StatusInternalServerError)
		}
	}))
	defer keys.Close()
	token := hubtest.Token(mint(t, auth.IssuerConfig{PrivateKey: private, KeyID: "k1"}, auth.TokenClaims{Subject: "a"}, time.Hour))
	t.Run("not there yet", func(t *testing.T) {
		srv := start(t, server.Options{EnableAuth: true, JWKSURL: keys.URL})
		if _, header := wantRefused(t, srv, 503, hub.CodeServer, token); header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if status, body, _ := get(t, srv.URL("http")+"/health"); status != 200 || !strings.Contains(body, `"status":"degraded"`) || !strings.Contains(body, `"auth":"no verification keys yet"`) {
			t.Errorf("health: %d %s", status, body)
		}
	})
	close(available)
	srv := start(t, server.Options{EnableAuth: true, JWKSURL: keys.URL})
	for deadline := time.Now().Add(hubtest.Timeout); ; { // until the keys have been read
		_, resp, err := srv.TryDial(t, token)
		if err == nil {
			break
		}
		if resp == nil || resp.StatusCode != 503 || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if status, body, _ := get(t, srv.URL("http")+"/health"); status != 200 || !strings.Contains(body, `"status":"ok"`) || !strings.Contains(body, `"auth":"ok"`) {
		t.Errorf("health: %d %s", status, body)
	}
	_, strange := newKey(t)
	wantRefused(t, srv, 401, hub.CodeTokenInvalid,
		hubtest.Token(mint(t, auth.IssuerConfig{PrivateKey: strange, KeyID: "k1"}, auth.TokenClaims{Subject: "a"}, time.Hour)))
}
