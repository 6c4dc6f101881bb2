package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

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
	if took := time.Since(begin); took < time.Second {
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
	if late := time.Since(exp.Add(opts.JWTLeeway)); late < -100*time.Millisecond {
		t.Errorf("closed %v after the end of the leeway", late)
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
