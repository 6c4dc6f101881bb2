package main

import (
	"log"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// lines takes what a logger writes, a line at a time.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- strings.TrimSuffix(string(line), "\n")
	return len(line), nil
}

func TestEvents(t *testing.T) {
	printed := make(lines, 100)
	s, err := newServer(hubtest.Options(&server.Options{EnableQueryClientID: true}), log.New(printed, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	c := hubtest.Run(t, s).Dial(t, hubtest.ID("alice"))
	c.Join("lobby")
	if m := c.Expect("room_message"); !strings.Contains(string(m.Data), `"welcome, alice"`) {
		t.Errorf("greeting: %s", m.Data)
	}
	if m := c.Request("room_message", map[string]any{"room_id": "lobby", "content": "hi"}); m.Type != "room_message_sent" {
		t.Fatalf("message: %s %s", m.Type, m.Data)
	}
	c.Close()
	for _, want := range []string{"alice connected", `alice in lobby: "hi"`, "alice left rooms [lobby] (code 1000)"} {
		select {
		case got := <-printed:
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(hubtest.Timeout):
			t.Fatalf("nothing printed, want %q", want)
		}
	}
}
