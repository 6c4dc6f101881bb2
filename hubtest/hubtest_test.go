package hubtest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

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

func TestAnswer(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{EnableQueryClientID: true})
	c := srv.Dial(t, hubtest.ID("me"))
	answers := make(chan string, 1)
	go func() {
		data, err := srv.SDK().Request(t.Context(), "me", "add", []int{1, 2})
		if err != nil {
			t.Error(err)
		}
		answers <- string(data)
	}()
	question := c.Expect("add")
	var terms []int
	if err := question.Decode(&terms); err != nil || len(terms) != 2 {
		t.Fatalf("%v, %v", terms, err)
	}
	var text string
	if err := question.Decode(&text); err == nil {
		t.Error("a list was decoded as text")
	}
	c.Answer(question, terms[0]+terms[1])
	if got := <-answers; got != "3" {
		t.Errorf("answer %s", got)
	}
}

// TestClientsLeave: the end of a server does not wait for the sockets of
// clients that it has closed.
func TestClientsLeave(t *testing.T) {
	s, err := server.NewServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	c := hubtest.Attach(t, s).Dial(t)
	c.Request("ping", nil)
	begin := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > time.Second { // the hub would wait for 2 s
		t.Errorf("took %v", took)
	}
	if code, _ := c.ExpectClose(); code != 1012 {
		t.Errorf("closed with %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
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
