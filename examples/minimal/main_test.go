package main

import (
	"testing"

	"github.com/chenxilol/gohub/hubtest"
)

func TestMinimal(t *testing.T) {
	s := hubtest.NewServer(t, nil)
	a, b := s.Dial(t), s.Dial(t)
	a.Join("lobby")
	b.Join("lobby")
	a.Send("room_message", map[string]any{"room_id": "lobby", "content": "hi"})
	b.Expect("room_message")
}
