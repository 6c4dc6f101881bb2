package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
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

const (
	secret      = "a secret of the tests, 32 bytes or more"
	otherSecret = "another secret of the tests, 32 bytes or more"
)

// withTokens are options that want tokens signed with secret, expiring to the
// second.
func withTokens() server.Options {
	return server.Options{EnableAuth: true, JWTSecretKey: secret, JWTLeeway: -1}
}

// mint makes a token with secret, or as cfg says.
func mint(t testing.TB, cfg auth.IssuerConfig, claims auth.TokenClaims, ttl time.Duration) string {
	t.Helper()
	if cfg.SecretKey == "" && cfg.PrivateKey == "" {
		cfg.SecretKey = secret
	}
	issuer, err := auth.NewIssuer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Issue(claims, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// tokenFor makes a good token of an hour.
func tokenFor(t testing.TB, id string, permissions ...auth.Permission) string {
	t.Helper()
	return mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: id, Permissions: permissions}, time.Hour)
}

// sign makes a token that no issuer of ours would.
func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for k, v := range header {
		token.Header[k] = v
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// wantRefused dials and wants a status with a JSON error of that code, whose
// text it returns with the header.
func wantRefused(t testing.TB, srv *hubtest.Server, status, code int, opts ...hubtest.Option) (string, http.Header) {
	t.Helper()
	c, resp, err := srv.TryDial(t, opts...)
	if err == nil {
		c.Drop()
		t.Fatalf("accepted, want status %d", status)
	}
	if resp == nil {
		t.Fatalf("no response, want status %d: %v", status, err)
	}
	var body struct {
		Code    int
		Message string
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatalf("status %d, body: %v", resp.StatusCode, err)
	}
	if resp.StatusCode != status || body.Code != code || body.Message == "" {
		t.Errorf("status %d, code %d %q; want %d and %d", resp.StatusCode, body.Code, body.Message, status, code)
	}
	return body.Message, resp.Header
}

// whoami is a handler that answers with what the hub knows of a client.
func whoami(t testing.TB) func(*server.Server) {
	return func(s *server.Server) {
		if err := s.RegisterHandler("whoami", func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.Reply(ctx, "whoami", map[string]any{
				"id": c.GetID(), "address": c.RemoteAddr(), "subprotocol": c.Subprotocol(), "claims": c.Claims(),
			})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// self is the answer of whoami.
type self struct {
	ID, Address, Subprotocol string
	Claims                   *auth.TokenClaims
}

func who(t testing.TB, c *hubtest.Client) self {
	t.Helper()
	return into[self](t, c.Request("whoami", nil))
}

func TestTokenWays(t *testing.T) {
	srv := start(t, withTokens(), whoami(t))
	a, b := tokenFor(t, "alice"), tokenFor(t, "bob")
	for _, tt := range []struct {
		name     string
		opts     []hubtest.Option
		id       string
		protocol string
	}{
		{"query", []hubtest.Option{hubtest.Query("token", a)}, "alice", ""},
		{"header", []hubtest.Option{hubtest.Token(a)}, "alice", ""},
		{"header scheme in small letters", []hubtest.Option{hubtest.Header("Authorization", "bearer "+a)}, "alice", ""},
		{"subprotocol", []hubtest.Option{hubtest.Subprotocols("gohub.v1", "gohub.token."+a)}, "alice", "gohub.v1"},
		{"subprotocol, token first", []hubtest.Option{hubtest.Subprotocols("gohub.token."+a, "x", "gohub.v1")}, "alice", "gohub.v1"},
		{"header before query", []hubtest.Option{hubtest.Token(a), hubtest.Query("token", b)}, "alice", ""},
		{"subprotocol before header", []hubtest.Option{hubtest.Subprotocols("gohub.v1", "gohub.token."+a), hubtest.Token(b)}, "alice", "gohub.v1"},
		{"other header schemes do not count", []hubtest.Option{hubtest.Header("Authorization", "Basic eA=="), hubtest.Query("token", b)}, "bob", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := srv.Dial(t, tt.opts...)
			if got := who(t, c); got.ID != tt.id || got.Subprotocol != tt.protocol {
				t.Errorf("id %q, subprotocol %q", got.ID, got.Subprotocol)
			}
			if got := c.Conn().Subprotocol(); got != tt.protocol {
				t.Errorf("selected %q, want %q", got, tt.protocol)
			}
		})
	}
	t.Run("token without gohub.v1", func(t *testing.T) {
		for _, offered := range [][]string{{"gohub.token." + a}, {"chat", "gohub.token." + a}} {
			reason, _ := wantRefused(t, srv, 400, hub.CodeFormat, hubtest.Subprotocols(offered...))
			if !strings.Contains(reason, "gohub.v1") || strings.Contains(reason, a) {
				t.Errorf("reason %q", reason)
			}
		}
	})
	t.Run("bad token does not fall back", func(t *testing.T) {
		wantRefused(t, srv, 401, hub.CodeTokenInvalid, hubtest.Token("x"), hubtest.Query("token", a))
	})
}

func TestTokensRefused(t *testing.T) {
	opts := withTokens()
	opts.JWTIssuer, opts.JWTAudience, opts.RequireExpiry = "iss", "aud", true
	srv := start(t, opts)
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"sub": "alice", "iss": "iss", "aud": []string{"x", "aud"}, "exp": time.Now().Add(time.Hour).Unix()}
	}
	with := func(name string, value any) jwt.MapClaims {
		claims := good()
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return claims
	}
	key := []byte(secret)
	private, _ := newKey(t)
	hs := func(claims jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, key, nil, claims) }
	whole := hs(good())
	parts := strings.Split(whole, ".")
	for _, tt := range []struct {
		name, token string
		code        int
	}{
		{"missing", "", hub.CodeUnauthorized},
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good()), hub.CodeTokenInvalid},
		{"HS384 for HS256", sign(t, jwt.SigningMethodHS384, key, nil, good()), hub.CodeTokenInvalid},
		{"ES256 for HS256", sign(t, jwt.SigningMethodES256, private, nil, good()), hub.CodeTokenInvalid},
		{"unknown algorithm", sign(t, jwt.SigningMethodHS256, key, map[string]any{"alg": "XX1"}, good()), hub.CodeTokenInvalid},
		{"wrong secret", sign(t, jwt.SigningMethodHS256, []byte(otherSecret), nil, good()), hub.CodeTokenInvalid},
		{"no signature", parts[0] + "." + parts[1] + ".", hub.CodeTokenInvalid},
		{"other claims", parts[0] + "." + strings.Split(hs(with("sub", "root")), ".")[1] + "." + parts[2], hub.CodeTokenInvalid},
		{"crit", sign(t, jwt.SigningMethodHS256, key, map[string]any{"crit": []string{"b64"}, "b64": true}, good()), hub.CodeTokenInvalid},
		{"expired", hs(with("exp", time.Now().Add(-time.Second).Unix())), hub.CodeTokenExpired},
		{"expired of another issuer", hs(jwt.MapClaims{"sub": "alice", "exp": 1}), hub.CodeTokenInvalid},
		{"exp missing", hs(with("exp", nil)), hub.CodeTokenInvalid},
		{"exp a text", hs(with("exp", "tomorrow")), hub.CodeTokenInvalid},
		{"nbf in the future", hs(with("nbf", time.Now().Add(time.Hour).Unix())), hub.CodeTokenInvalid},
		{"iss wrong", hs(with("iss", "ISS")), hub.CodeTokenInvalid},
		{"iss missing", hs(with("iss", nil)), hub.CodeTokenInvalid},
		{"aud wrong", hs(with("aud", "audience")), hub.CodeTokenInvalid},
		{"aud missing", hs(with("aud", nil)), hub.CodeTokenInvalid},
		{"sub missing", hs(with("sub", nil)), hub.CodeTokenInvalid},
		{"sub empty", hs(with("sub", "")), hub.CodeTokenInvalid},
		{"sub too long", hs(with("sub", strings.Repeat("x", 513))), hub.CodeTokenInvalid},
		{"sub with control characters", hs(with("sub", "a\nb")), hub.CodeTokenInvalid},
		{"sub of an anonymous client", hs(with("sub", "anon:x")), hub.CodeTokenInvalid},
		{"permissions no list", hs(with("permissions", 7)), hub.CodeTokenInvalid},
		{"garbage", "garbage", hub.CodeTokenInvalid},
		{"three parts of garbage", "a.b.c", hub.CodeTokenInvalid},
		{"line break", parts[0] + ".\n" + parts[1] + "." + parts[2], hub.CodeTokenInvalid},
		{"padding", whole + "=", hub.CodeTokenInvalid},
		{"oversized", hs(with("pad", strings.Repeat("x", auth.MaxTokenBytes))), hub.CodeTokenInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ways := map[string]hubtest.Option{"query": hubtest.Query("token", tt.token)}
			if !strings.ContainsAny(tt.token, "\n=") && tt.token != "" {
				ways["header"] = hubtest.Token(tt.token)
				ways["subprotocol"] = hubtest.Subprotocols("gohub.v1", "gohub.token."+tt.token)
			}
			for way, opt := range ways {
				reason, header := wantRefused(t, srv, 401, tt.code, opt)
				if header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s: no WWW-Authenticate", way)
				}
				if tt.token != "" && len(tt.token) > 10 && strings.Contains(reason, tt.token) {
					t.Errorf("%s: the reason quotes the token: %s", way, reason)
				}
			}
		})
	}
	srv.Dial(t, hubtest.Token(whole)) // the claims all these differ from are good
	if n := srv.SDK().GetClientCount(); n != 1 {
		t.Errorf("%d clients", n)
	}
}

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

func TestSubjectClaim(t *testing.T) {
	opts := withTokens()
	opts.JWTSubjectClaim = "user_id"
	srv := start(t, opts, whoami(t))
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), nil, jwt.MapClaims{"sub": "not this", "user_id": "u7"})
	if got := who(t, srv.Dial(t, hubtest.Token(token))); got.ID != "u7" {
		t.Errorf("id %q", got.ID)
	}
	wantRefused(t, srv, 401, hub.CodeTokenInvalid, hubtest.Token(tokenFor(t, "alice")))
}

// TestLeeway: clocks may differ by 30 s, or by what is configured.
func TestLeeway(t *testing.T) {
	at := func(claim string, offset time.Duration) hubtest.Option {
		return hubtest.Token(sign(t, jwt.SigningMethodHS256, []byte(secret), nil, jwt.MapClaims{"sub": "a", claim: time.Now().Add(offset).Unix()}))
	}
	for _, tt := range []struct {
		leeway, within, beyond time.Duration
	}{
		{0, 20 * time.Second, 40 * time.Second},
		{2 * time.Minute, 110 * time.Second, 130 * time.Second},
	} {
		opts := withTokens()
		opts.JWTLeeway = tt.leeway
		srv := start(t, opts)
		srv.Dial(t, at("exp", -tt.within)).Request("ping", nil)
		srv.Dial(t, at("nbf", tt.within)).Request("ping", nil)
		wantRefused(t, srv, 401, hub.CodeTokenExpired, at("exp", -tt.beyond))
		wantRefused(t, srv, 401, hub.CodeTokenInvalid, at("nbf", tt.beyond))
	}
}

// TestExpiry: a connection ends with its token, unless that is renewed.
func TestExpiry(t *testing.T) {
	t.Parallel()
	srv := start(t, withTokens(), whoami(t))
	brief := func() string {
		return mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: "alice"}, time.Second)
	}
	long := tokenFor(t, "alice", auth.PermJoinRoom, auth.PermCreateRoom)
	opts := withTokens()
	opts.DuplicateID = server.DuplicateAllow
	renewing := start(t, opts, whoami(t))

	begin := time.Now()
	c := srv.Dial(t, hubtest.Token(brief()))
	renewed := renewing.Dial(t, hubtest.Token(brief()))
	witness := renewing.Dial(t, hubtest.Token(brief())) // renewed by nobody
	m := renewed.Request("authenticate", fields{"token": long})
	data := into[struct {
		ClientID  string `json:"client_id"`
		ExpiresAt int64  `json:"expires_at"`
	}](t, m)
	if m.Type != "authenticated" || data.ClientID != "alice" || time.Until(time.UnixMilli(data.ExpiresAt)) < time.Minute {
		t.Errorf("authenticate: %s %s", m.Type, m.Data)
	}
	if code, reason := c.ExpectClose(); code != hub.CloseTokenExpired || reason != "token expired" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if took := time.Since(begin); took < time.Second || took > 4*time.Second {
		t.Errorf("closed after %v", took)
	}
	if code, _ := witness.ExpectClose(); code != hub.CloseTokenExpired {
		t.Errorf("not renewed: closed with %d", code)
	}
	renewed.Join("room") // and it has the new token's permission
}

// TestExpiryWithinLeeway: a token that is accepted though its time is up, since
// clocks differ, lasts as long as that allows.
func TestExpiryWithinLeeway(t *testing.T) {
	t.Parallel()
	opts := withTokens()
	opts.JWTLeeway = 3 * time.Second
	srv := start(t, opts)
	exp := time.Now().Truncate(time.Second).Add(-time.Second)
	c := srv.Dial(t, hubtest.Token(sign(t, jwt.SigningMethodHS256, []byte(secret), nil, jwt.MapClaims{"sub": "a", "exp": exp.Unix()})))
	c.Silent()
	if code, _ := c.ExpectClose(); code != hub.CloseTokenExpired {
		t.Errorf("closed with %d", code)
	}
	if late := time.Since(exp.Add(opts.JWTLeeway)); late < -100*time.Millisecond || late > 2*time.Second {
		t.Errorf("closed %v after the leeway's end", late)
	}
}

// TestExpiryShortens: a renewed token counts also where it ends earlier.
func TestExpiryShortens(t *testing.T) {
	t.Parallel()
	srv := start(t, withTokens())
	c := srv.Dial(t, hubtest.Token(tokenFor(t, "alice")))
	if m := c.Request("authenticate", fields{"token": mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: "alice"}, time.Second)}); m.Type != "authenticated" {
		t.Fatalf("%s %s", m.Type, m.Data)
	}
	if code, _ := c.ExpectClose(); code != hub.CloseTokenExpired {
		t.Errorf("closed with %d", code)
	}
}

func TestAuthenticate(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous, opts.EnableQueryClientID = true, true
	srv := start(t, opts, whoami(t))
	c := srv.Dial(t, hubtest.Token(tokenFor(t, "alice")))
	refuse := func(c *hubtest.Client, token string, code int) {
		t.Helper()
		if m := c.Request("authenticate", fields{"token": token}); m.ErrorCode() != code {
			t.Errorf("%s %s, want error %d", m.Type, m.Data, code)
		}
	}
	refuse(c, tokenFor(t, "bob"), hub.CodeTokenInvalid)
	refuse(c, "garbage", hub.CodeTokenInvalid)
	refuse(c, mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: "alice"}, -time.Second), hub.CodeTokenExpired)
	if m := c.Request("join_room", fields{"room_id": "r"}); m.ErrorCode() != hub.CodeForbidden {
		t.Errorf("join: %s %s", m.Type, m.Data)
	}
	endless := mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: "alice", Permissions: []auth.Permission{auth.PermJoinRoom, auth.PermCreateRoom}}, 0)
	if m := c.Request("authenticate", fields{"token": endless}); m.Type != "authenticated" || string(m.Data) != `{"client_id":"alice"}` {
		t.Errorf("%s %s", m.Type, m.Data)
	}
	c.Join("r")
	if got := who(t, c).Claims; !slices.Contains(got.Permissions, auth.PermJoinRoom) || !got.ExpiresAt.IsZero() {
		t.Errorf("claims %+v", got)
	}
	c.Send("authenticate", fields{"token": endless}) // no request, no answer
	c.Silent()
	anonymous := srv.Dial(t, hubtest.ID("carol"))
	refuse(anonymous, tokenFor(t, "carol"), hub.CodeTokenInvalid)

	off := start(t, server.Options{EnableQueryClientID: true}).Dial(t, hubtest.ID("dave"))
	if m := off.Request("authenticate", fields{"token": "whatever"}); m.Type != "authenticated" || string(m.Data) != `{"client_id":"dave"}` {
		t.Errorf("authentication off: %s %s", m.Type, m.Data)
	}
}

// TestClaims: handlers see the claims, and what the application put into them.
func TestClaims(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous, opts.JWTIssuer, opts.JWTAudience = true, "iss", "aud"
	srv := start(t, opts, whoami(t))
	token := mint(t, auth.IssuerConfig{Issuer: "iss", Audience: "aud"}, auth.TokenClaims{
		Subject: "alice", UserID: "7", Username: "Alice", Permissions: []auth.Permission{auth.PermJoinRoom, "own:thing"},
		Extra: map[string]any{"metadata": map[string]any{"team": "red"}},
	}, time.Hour)
	got := who(t, srv.Dial(t, hubtest.Token(token))).Claims
	metadata, _ := got.Extra["metadata"].(map[string]any)
	if got.Subject != "alice" || got.UserID != "7" || got.Username != "Alice" || got.Issuer != "iss" || !slices.Contains(got.Audience, "aud") ||
		!slices.Equal(got.Permissions, []auth.Permission{auth.PermJoinRoom, "own:thing"}) || metadata["team"] != "red" || time.Until(got.ExpiresAt) < time.Minute {
		t.Errorf("claims %+v", got)
	}
	if got := who(t, srv.Dial(t)).Claims; got != nil {
		t.Errorf("claims of an anonymous client: %+v", got)
	}
}
