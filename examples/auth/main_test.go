package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
)

func TestAuth(t *testing.T) {
	s, err := newServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	srv := hubtest.Run(t, s)
	token, err := newToken("alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	alice := srv.Dial(t, hubtest.Subprotocols("gohub.v1", "gohub.token."+token))
	alice.Expect("connected")
	alice.Join("chat.go")
	if m := alice.Request("join_room", map[string]any{"room_id": "secret"}); m.ErrorCode() != 2001 {
		t.Errorf("a room outside her pattern: %s %s", m.Type, m.Data)
	}
	nobody := srv.Dial(t)
	nobody.Join("news")
	if m := nobody.Request("room_message", map[string]any{"room_id": "news", "content": 1}); m.ErrorCode() != 2001 {
		t.Errorf("anonymous sends: %s %s", m.Type, m.Data)
	}
	expired, err := newToken("alice", -time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, resp, err := srv.TryDial(t, hubtest.Token(expired)); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("expired token: %v", err)
	}
}
