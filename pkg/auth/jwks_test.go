package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
)

type jwk map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf writes a public key as a JWK; more replaces or, with nil, removes members.
func jwkOf(key crypto.Signer, kid string, more jwk) jwk {
	k := jwk{"kid": kid, "use": "sig"}
	switch p := key.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(p.N.Bytes()), b64(big.NewInt(int64(p.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(p.Bytes())[1:]
		k["kty"], k["crv"] = "EC", p.Curve.Params().Name
		k["x"], k["y"] = b64(point[:len(point)/2]), b64(point[len(point)/2:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(p)
	}
	for name, value := range more {
		k[name] = value
		if value == nil {
			delete(k, name)
		}
	}
	return k
}

func keySet(keys ...jwk) string { return toJSON(map[string]any{"keys": keys}) }

// endpoint is a JWKS endpoint, over HTTP as a handler and without a network as a
// round tripper. It counts the requests.
type endpoint struct {
	mu       sync.Mutex
	body     string
	status   int
	err      error
	requests int
	block    chan struct{} // if set, requests wait for it
}

func (e *endpoint) set(status int, body string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status, e.body, e.err = status, body, err
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

func (e *endpoint) answer(ctx context.Context) (int, string, error) {
	e.mu.Lock()
	e.requests++
	status, body, err, block := e.status, e.body, e.err, e.block
	e.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return 0, "", ctx.Err()
		}
	}
	return status, body, err
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, _ := e.answer(r.Context())
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := e.answer(r.Context())
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func newEndpoint(keys ...jwk) *endpoint {
	return &endpoint{status: http.StatusOK, body: keySet(keys...)}
}

// verifierOf reads from the endpoint without a network.
func verifierOf(t *testing.T, e *endpoint, algorithm string) *auth.Verifier {
	t.Helper()
	return newVerifier(t, auth.VerifierConfig{
		JWKSURL: "https://id.example/keys?k=hidden", Algorithm: algorithm, HTTPClient: &http.Client{Transport: e},
	})
}

func tokenOf(t *testing.T, key crypto.Signer, kid, algorithm string) string {
	t.Helper()
	return mint(t, auth.IssuerConfig{PrivateKey: privatePEM(key), KeyID: kid, Algorithm: algorithm}, auth.TokenClaims{Subject: "a"}, time.Hour)
}

// Over real HTTP with the verifier's own client: keys of every kind, then rotation.
func TestJWKSOverHTTP(t *testing.T) {
	rs, es, ed, next := rsaKey(), ecKey(elliptic.P256()), edKey(), edKey()
	e := newEndpoint(jwkOf(rs, "r", jwk{"alg": "RS256"}), jwkOf(es, "e", nil), jwkOf(ed, "d", nil))
	server := httptest.NewServer(e)
	defer server.Close()
	v := newVerifier(t, auth.VerifierConfig{JWKSURL: server.URL})
	for kid, key := range map[string]crypto.Signer{"r": rs, "e": es, "d": ed} {
		for _, id := range []string{kid, ""} { // without an id every key of the algorithm is tried
			if _, err := v.Verify(t.Context(), tokenOf(t, key, id, "")); err != nil {
				t.Errorf("key %q, id %q: %v", kid, id, err)
			}
		}
	}
	if len(v.Warnings()) != 0 || v.Ready() != nil {
		t.Errorf("warnings %q, ready %v", v.Warnings(), v.Ready())
	}
	e.set(http.StatusOK, keySet(jwkOf(next, "n", nil)), nil)
	if _, err := v.Verify(t.Context(), tokenOf(t, next, "n", "")); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	_, err := v.Verify(t.Context(), tokenOf(t, rs, "r", ""))
	expectError(t, err, auth.ErrInvalidToken, "key id is not in the key set")
	if n := e.count(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	v.Close()
	v.Close()
	if _, err := v.Verify(t.Context(), tokenOf(t, next, "n", "")); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestJWKSFollowsNoRedirect(t *testing.T) {
	evil := httptest.NewServer(newEndpoint(jwkOf(edKey(), "k", nil)))
	defer evil.Close()
	server := httptest.NewServer(http.RedirectHandler(evil.URL, http.StatusFound))
	defer server.Close()
	v := newVerifier(t, auth.VerifierConfig{JWKSURL: server.URL})
	_, err := v.Verify(t.Context(), tokenOf(t, edKey(), "k", ""))
	expectError(t, err, auth.ErrKeysUnavailable, "status 302")
}

func TestJWKSPlainHTTPWarning(t *testing.T) {
	client := &http.Client{Transport: newEndpoint()}
	for address, want := range map[string]int{
		"http://id.example/keys": 1, "https://id.example/keys": 0, "http://localhost:1/keys": 0, "http://127.0.0.1/keys": 0, "http://[::1]/keys": 0,
	} {
		v := newVerifier(t, auth.VerifierConfig{JWKSURL: address, HTTPClient: client})
		if got := v.Warnings(); len(got) != want {
			t.Errorf("%s: warnings %q, want %d", address, got, want)
		}
	}
}

// Which keys of a set are used, and with which algorithm.
func TestJWKSBindsKeys(t *testing.T) {
	rs, es, ed := rsaKey(), ecKey(elliptic.P256()), edKey()
	other := jwkOf(edKey(), "other", nil) // so that the set is never empty
	oct := jwk{"kty": "oct", "kid": "k", "k": b64([]byte(secret)), "alg": "HS256"}
	shared := mint(t, auth.IssuerConfig{SecretKey: secret, KeyID: "k"}, auth.TokenClaims{Subject: "a"}, 0)
	const noKey, noAlg = "key id is not in the key set", "algorithm is not the one of its key"
	tests := map[string]struct {
		key       jwk
		algorithm string // configured
		token     string
		reason    string // empty: accepted
	}{
		"RSA by type":             {jwkOf(rs, "k", nil), "", tokenOf(t, rs, "k", "RS256"), ""},
		"RSA by type, other alg":  {jwkOf(rs, "k", nil), "", tokenOf(t, rs, "k", "PS256"), noAlg},
		"RSA by alg":              {jwkOf(rs, "k", jwk{"alg": "PS512"}), "", tokenOf(t, rs, "k", "PS512"), ""},
		"RSA by alg, usual":       {jwkOf(rs, "k", jwk{"alg": "PS512"}), "", tokenOf(t, rs, "k", "RS256"), noAlg},
		"RSA, configured":         {jwkOf(rs, "k", nil), "RS512", tokenOf(t, rs, "k", "RS512"), ""},
		"RSA, configured, other":  {jwkOf(rs, "k", nil), "RS512", tokenOf(t, rs, "k", "RS256"), noAlg},
		"alg and configured":      {jwkOf(rs, "k", jwk{"alg": "RS256"}), "RS256", tokenOf(t, rs, "k", ""), ""},
		"alg against configured":  {jwkOf(rs, "k", jwk{"alg": "RS256"}), "RS512", tokenOf(t, rs, "k", "RS256"), noKey},
		"alg against key type":    {jwkOf(es, "k", jwk{"alg": "RS256"}), "", tokenOf(t, es, "k", ""), noKey},
		"HS256 on an RSA key":     {jwkOf(rs, "k", jwk{"alg": "HS256"}), "", shared, noKey},
		"none on an RSA key":      {jwkOf(rs, "k", jwk{"alg": "none"}), "", tokenOf(t, rs, "k", ""), noKey},
		"encryption alg":          {jwkOf(rs, "k", jwk{"alg": "RSA-OAEP"}), "", tokenOf(t, rs, "k", ""), noKey},
		"symmetric key":           {oct, "", shared, noKey},
		"for encryption":          {jwkOf(es, "k", jwk{"use": "enc"}), "", tokenOf(t, es, "k", ""), noKey},
		"no use":                  {jwkOf(es, "k", jwk{"use": nil}), "", tokenOf(t, es, "k", ""), ""},
		"verify among key_ops":    {jwkOf(es, "k", jwk{"key_ops": []string{"verify"}}), "", tokenOf(t, es, "k", ""), ""},
		"verify not in key_ops":   {jwkOf(es, "k", jwk{"key_ops": []string{"deriveKey"}}), "", tokenOf(t, es, "k", ""), noKey},
		"certificate address":     {jwkOf(es, "k", jwk{"x5u": "https://evil.example/", "x5c": []string{"AAAA"}}), "", tokenOf(t, es, "k", ""), ""},
		"point not on the curve":  {jwkOf(es, "k", jwk{"y": b64([]byte("nonsense"))}), "", tokenOf(t, es, "k", ""), noKey},
		"P-521":                   {jwkOf(ecKey(elliptic.P521()), "k", nil), "", tokenOf(t, es, "k", ""), noAlg},
		"X25519":                  {jwkOf(ed, "k", jwk{"crv": "X25519"}), "", tokenOf(t, ed, "k", ""), noKey},
		"unknown kty":             {jwk{"kty": "AKP", "kid": "k"}, "", tokenOf(t, ed, "k", ""), noKey},
		"kty number":              {jwk{"kty": 1, "kid": "k"}, "", tokenOf(t, ed, "k", ""), noKey},
		"wrong key of the id":     {jwkOf(edKey(), "k", nil), "", tokenOf(t, ed, "k", ""), "signature"},
		"id of another key":       {jwkOf(ed, "k", nil), "", tokenOf(t, ed, "other", ""), "signature"},
		"key without id, id sent": {jwkOf(ed, "k", jwk{"kid": nil}), "", tokenOf(t, ed, "k", ""), noKey},
		"key without id":          {jwkOf(ed, "k", jwk{"kid": nil}), "", tokenOf(t, ed, "", ""), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := verifierOf(t, newEndpoint(tt.key, other), tt.algorithm)
			if tt.algorithm != "" {
				v = verifierOf(t, newEndpoint(tt.key, jwkOf(rs, "other", nil)), tt.algorithm)
			}
			_, err := v.Verify(t.Context(), tt.token)
			if tt.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			expectError(t, err, auth.ErrInvalidToken, tt.reason)
		})
	}
}

// What an endpoint may do wrong, and that the verifier works as soon as it is well.
func TestJWKSDownAtStart(t *testing.T) {
	key := edKey()
	good := keySet(jwkOf(key, "k", nil))
	tests := map[string]struct {
		status int
		body   string
		err    error
		reason string
	}{
		"unreachable": {0, "", errors.New("connection refused"), "connection refused"},
		"status":      {503, good, nil, "status 503"},
		"no JSON":     {200, "<html>", nil, "not a JSON Web Key Set"},
		"no keys":     {200, "{}", nil, "not a JSON Web Key Set"},
		"keys null":   {200, `{"keys":null}`, nil, "not a JSON Web Key Set"},
		"with a tail": {200, good + "x", nil, "not a JSON Web Key Set"},
		"too long":    {200, good + strings.Repeat(" ", 256<<10), nil, "longer than"},
		"empty set":   {200, `{"keys":[]}`, nil, "no usable signature key"},
		"only oct":    {200, keySet(jwk{"kty": "oct", "k": "AAAA"}), nil, "no usable signature key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token := tokenOf(t, key, "k", "")
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.set(tt.status, tt.body, tt.err)
				v := verifierOf(t, e, "")
				_, err := v.Verify(t.Context(), token)
				expectError(t, err, auth.ErrKeysUnavailable, tt.reason)
				if err != nil && strings.Contains(err.Error(), "hidden") {
					t.Errorf("the error quotes the address: %v", err)
				}
				if err := v.Ready(); !errors.Is(err, auth.ErrKeysUnavailable) {
					t.Errorf("Ready: %v", err)
				}
				e.set(200, good, nil)
				time.Sleep(10 * time.Second) // the bubble's clock; the first token may ask again then
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Errorf("endpoint is well: %v", err)
				}
				if err := v.Ready(); err != nil {
					t.Errorf("Ready: %v", err)
				}
			})
		})
	}
}

// An endpoint that is down is asked again by itself, ever more seldom.
func TestJWKSRetryPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.set(0, "", errors.New("down"))
		verifierOf(t, e, "")
		synctest.Wait()
		if n := e.count(); n != 1 {
			t.Fatalf("%d requests at the start, want 1", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := e.count(); n != 2 {
			t.Errorf("%d requests in the first second, want 2", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := e.count(); n < 60 || n > 140 {
			t.Errorf("%d requests in an hour, want one each 30 to 60 s", n)
		}
	})
}

// Keys are read again by themselves, withdrawn ones go, and an outage keeps the last.
func TestJWKSRefresh(t *testing.T) {
	first, second := edKey(), edKey()
	one, two := tokenOf(t, first, "1", ""), tokenOf(t, second, "2", "")
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(jwkOf(first, "1", nil))
		v := verifierOf(t, e, "")
		if _, err := v.Verify(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		e.set(200, keySet(jwkOf(second, "2", nil)), nil)
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		e.set(0, "", errors.New("down"))
		if _, err := v.Verify(t.Context(), two); err != nil {
			t.Errorf("new key: %v", err)
		}
		_, err := v.Verify(t.Context(), one)
		expectError(t, err, auth.ErrInvalidToken, "key id is not in the key set")
		time.Sleep(24 * time.Hour)
		if _, err := v.Verify(t.Context(), two); err != nil {
			t.Errorf("in an outage: %v", err)
		}
	})
}

// A flood of invented key ids causes one request each 10 s, and no waiting.
func TestJWKSRefreshIsRateLimited(t *testing.T) {
	key := edKey()
	var tokens []string
	for i := range 50 {
		tokens = append(tokens, tokenOf(t, key, fmt.Sprint("invented-", i), ""))
	}
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(jwkOf(key, "k", nil))
		v := verifierOf(t, e, "")
		start := time.Now()
		for range 6 {
			for _, token := range tokens {
				_, err := v.Verify(t.Context(), token)
				expectError(t, err, auth.ErrInvalidToken, "key id is not in the key set")
			}
			time.Sleep(10 * time.Second)
		}
		if n := e.count(); n != 7 { // the first and one in each of the 6 rounds
			t.Errorf("%d requests for 300 tokens in a minute, want 7", n)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("refusals took %v", d-time.Minute)
		}
	})
}

// Whoever comes at the very moment when the first keys do is let in.
func TestJWKSFirstKeys(t *testing.T) {
	key := edKey()
	token := tokenOf(t, key, "k", "")
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			v := verifierOf(t, newEndpoint(jwkOf(key, "k", nil)), "")
			var clients sync.WaitGroup
			for range 20 {
				clients.Go(func() {
					if _, err := v.Verify(t.Context(), token); err != nil {
						t.Error(err)
					}
				})
			}
			clients.Wait()
		})
	}
}

// Many clients with a new key share one request, and one slow endpoint holds
// nobody longer than its context.
func TestJWKSConcurrentRotation(t *testing.T) {
	first, second := edKey(), edKey()
	one, two := tokenOf(t, first, "1", ""), tokenOf(t, second, "2", "")
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(jwkOf(first, "1", nil))
		v := verifierOf(t, e, "")
		if _, err := v.Verify(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		e.set(200, keySet(jwkOf(first, "1", nil), jwkOf(second, "2", nil)), nil)
		e.mu.Lock()
		e.block = make(chan struct{})
		e.mu.Unlock()

		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				if _, err := v.Verify(t.Context(), two); err != nil {
					t.Error(err)
				}
			})
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := v.Verify(hurried, two)
		expectError(t, err, auth.ErrInvalidToken, "key id")
		if _, err := v.Verify(t.Context(), one); err != nil {
			t.Errorf("a known key waits for the endpoint: %v", err)
		}
		close(e.block)
		clients.Wait()
		if n := e.count(); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

// The goroutine ends with the context or Close, even amid a request; whoever
// waits for keys is released. The bubble fails if anything stays behind.
func TestJWKSEnds(t *testing.T) {
	key := edKey()
	token := tokenOf(t, key, "k", "")
	for _, how := range []string{"Close", "context"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint(jwkOf(key, "k", nil))
				e.block = make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				v, err := auth.NewVerifier(ctx, auth.VerifierConfig{JWKSURL: "https://id.example/", HTTPClient: &http.Client{Transport: e}})
				if err != nil {
					t.Fatal(err)
				}
				expectError(t, v.Ready(), auth.ErrKeysUnavailable, "not been read yet")
				var client sync.WaitGroup
				client.Go(func() {
					_, err := v.Verify(t.Context(), token)
					expectError(t, err, auth.ErrKeysUnavailable, "key set")
				})
				synctest.Wait()
				if how == "Close" {
					v.Close()
				} else {
					cancel()
				}
				client.Wait()
				_, err = v.Verify(t.Context(), token)
				expectError(t, err, auth.ErrKeysUnavailable, "key set")
				v.Close()
			})
		})
	}
}

// An endpoint that never answers is given up after 10 s.
func TestJWKSTimeout(t *testing.T) {
	token := tokenOf(t, edKey(), "k", "")
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.block = make(chan struct{})
		v := verifierOf(t, e, "")
		start := time.Now()
		_, err := v.Verify(t.Context(), token)
		expectError(t, err, auth.ErrKeysUnavailable, "deadline exceeded")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("a token waited %v", d)
		}
	})
}
