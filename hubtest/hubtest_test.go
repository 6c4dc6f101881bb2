package hubtest_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func TestThreeLines(t *testing.T) {
	srv := hubtest.NewServer(t, nil)
	c := srv.Dial(t)
	if m := c.Request("ping", map[string]any{"ts": 1}); m.Type != "pong" {
		t.Fatalf("got %s", m.Type)
	}
}

func TestHandler(t *testing.T) {
	srv := hubtest.NewServer(t, nil, func(s *server.Server) {
		if err := s.RegisterHandler("echo", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			return c.Reply(ctx, "echo", data)
		}); err != nil {
			t.Fatal(err)
		}
	})
	a, b := srv.Dial(t), srv.Dial(t, hubtest.Subprotocols("gohub.v1"))
	if m := a.Request("echo", []int{1, 2}); string(m.Data) != "[1,2]" {
		t.Fatalf("got %s", m.Data)
	}
	b.Expect("connected")
	a.Join("r")
	b.Join("r")
	a.Send("room_message", map[string]any{"room_id": "r", "content": "hi"})
	b.Expect("room_message")
	a.Silent()
	a.Close()
	b.Drop()
}
