package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
)

func TestMinimal(t *testing.T) {
	s, err := newServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	srv := hubtest.Attach(t, s)
	a, b := srv.Dial(t), srv.Dial(t)
	a.Join("lobby")
	b.Join("lobby")
	a.Send("room_message", map[string]any{"room_id": "lobby", "content": "hi"})
	if m := b.Expect("room_message"); !strings.Contains(string(m.Data), `"content":"hi"`) {
		t.Errorf("got %s", m.Data)
	}
	a.Silent() // a sender does not hear itself
}
