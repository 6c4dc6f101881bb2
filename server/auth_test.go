package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
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
