package server_test

import (
	"encoding/json"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// TestSendMessage reaches every connection of a client, with an envelope.
func TestSendMessage(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, DuplicateID: server.DuplicateAllow})
	clients := dialEach(t, srv, "me", "me", "other")
	for data, want := range map[any]string{
		"text": `"text"`, nil: "null", 5: "5",
	} {
		if err := srv.SDK().SendMessage("me", "news", data); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients[:2] {
			wantMessage(t, c.NextFrame(), "news", want, 0)
		}
	}
	for name, data := range map[string]any{
		"no JSON": json.RawMessage("{"), "no UTF-8": json.RawMessage("\"\xff\""), "a function": func() {},
	} {
		if err := srv.SDK().SendMessage("me", "news", data); err == nil {
			t.Errorf("%s was sent", name)
		}
	}
	for _, c := range []*hubtest.Client{clients[0], clients[1], clients[2]} {
		c.Silent()
	}
}
