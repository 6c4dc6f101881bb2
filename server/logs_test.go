package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// TestNothingSecretIsLogged, and none of it is in the metrics: neither tokens,
// good or bad, nor what clients say.
func TestNothingSecretIsLogged(t *testing.T) {
	const said = "what a client says"
	var log syncBuffer
	opts := withTokens()
	opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts.JWTSecretKey = "a short secret" // works, with a warning
	srv := start(t, opts, handle(t, map[string]handlerFunc{
		"fail": func(context.Context, *hub.Client, json.RawMessage) error {
			return errors.New("the handler's own words")
		},
		"panic": func(context.Context, *hub.Client, json.RawMessage) error { panic("the handler's panic") },
	}), func(s *server.Server) {
		s.On(sdk.EventClientMessage, func(context.Context, sdk.Event) error { return errors.New("the listener's own words") })
	})
	good := mint(t, auth.IssuerConfig{SecretKey: opts.JWTSecretKey}, auth.TokenClaims{Subject: "alice", Permissions: auth.AllPermissions()}, time.Hour)
	expired := mint(t, auth.IssuerConfig{SecretKey: opts.JWTSecretKey}, auth.TokenClaims{Subject: "alice"}, -time.Hour)
	forged := mint(t, auth.IssuerConfig{SecretKey: otherSecret}, auth.TokenClaims{Subject: "alice"}, time.Hour)
	for _, token := range []string{expired, forged} {
		for _, way := range []hubtest.Option{hubtest.Token(token), hubtest.Query("token", token), hubtest.Subprotocols("gohub.v1", "gohub.token."+token)} {
			wantRefused(t, srv, 401, map[string]int{expired: hub.CodeTokenExpired, forged: hub.CodeTokenInvalid}[token], way)
		}
	}
	c := srv.Dial(t, hubtest.Query("token", good))
	c.Join("room")
	for _, text := range []string{"fail", "panic", "room_message", "direct_message", "authenticate", "unknown"} {
		c.Send(text, fields{"room_id": "room", "target_id": "alice", "content": said, "token": forged, "own": said})
	}
	raw(c, said)
	raw(c, `{"message_type":"`+said+`"}`)
	c.SendFrame(hub.Binary([]byte(said)))
	c.Request("ping", nil)
	b := upgradeBare(t, srv, "Authorization: Bearer "+good)
	b.send("\x81\x85" + said) // masked with what it says
	_, _ = io.ReadAll(b.r)
	_, metrics, _ := get(t, srv.URL("http")+"/metrics")
	for _, text := range []string{"the handler's own words", "the handler's panic", "the listener's own words", "level=WARN msg=authentication"} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("the log does not say %q", text)
		}
	}
	for _, secret := range append(strings.Split(good+"."+expired+"."+forged, "."), said, opts.JWTSecretKey) {
		if len(secret) > 40 || secret == said || secret == opts.JWTSecretKey {
			for name, text := range map[string]string{"log": log.String(), "metrics": metrics} {
				if i := strings.Index(text, secret); i >= 0 {
					t.Errorf("the %s tells %q: %s", name, secret, text[max(0, i-200):i])
				}
			}
		}
	}
}

// TestLogIsBounded: what clients do wrong does not fill the log.
func TestLogIsBounded(t *testing.T) {
	const messages = 2000
	var log syncBuffer
	srv := start(t, server.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), RateLimit: server.RateLimit{MessagesPerSecond: -1},
	}, handle(t, map[string]handlerFunc{
		"fail": func(context.Context, *hub.Client, json.RawMessage) error { return errors.New("failed") },
	}))
	begin := time.Now()
	c := srv.Dial(t)
	for i := range messages {
		c.Send("fail", i)
	}
	for range messages {
		if m := c.Next(); m.ErrorCode() != hub.CodeServer {
			t.Fatalf("%s %s", m.Type, m.Data)
		}
	}
	lines := strings.Count(log.String(), "msg=\"message handler failed\"")
	if most := 50 + 10*int(time.Since(begin)/time.Second+1); lines < 10 || lines > most {
		t.Errorf("%d lines for %d failures, want at most %d", lines, messages, most)
	}
}

// TestMetricLabelsAreBounded: no client can make a time series of its own.
func TestMetricLabelsAreBounded(t *testing.T) {
	srv := start(t, queryIDs, handle(t, map[string]handlerFunc{
		"own": func(context.Context, *hub.Client, json.RawMessage) error { return hub.NewError(31_337, "own") },
	}))
	series := func() int {
		t.Helper()
		_, body, _ := get(t, srv.URL("http")+"/metrics")
		for _, odd := range []string{"31337", "dance", "4567", "odd"} {
			if strings.Contains(body, `"`+odd) {
				t.Errorf("%q is a label", odd)
			}
		}
		return strings.Count(body, "\ngohub_")
	}
	misbehave := func(i int) {
		c := srv.Dial(t, hubtest.ID(fmt.Sprint("odd", i)))
		c.Join(fmt.Sprint("odd", i))
		c.Request("own", nil)
		c.Request(fmt.Sprint("dance", i), nil)
		raw(c, "{")
		b := upgradeBare(t, srv)
		b.send(frame(opClose, string([]byte{4567 >> 8, byte(4567 & 0xff)})))
		_, _ = io.ReadAll(b.r)
		c.Close()
		wantClients(t, srv, 0)
	}
	misbehave(0)
	before := series()
	for i := range 10 {
		misbehave(i + 1)
	}
	if after := series(); after != before {
		t.Errorf("%d series, then %d", before, after)
	}
	http.DefaultClient.CloseIdleConnections()
}
