package main

import (
	"testing"

	"github.com/chenxilol/gohub/hubtest"
)

func TestEcho(t *testing.T) {
	s, err := newServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	c := hubtest.Run(t, s).Dial(t)
	if m := c.Request("echo", map[string]int{"n": 1}); m.Type != "echo" || string(m.Data) != `{"n":1}` {
		t.Errorf("echo: %s %s", m.Type, m.Data)
	}
	if m := c.Request("divide", map[string]int{"a": 1, "b": 4}); string(m.Data) != "0.25" {
		t.Errorf("divide: %s %s", m.Type, m.Data)
	}
	if m := c.Request("divide", map[string]int{"a": 1, "b": 0}); m.ErrorCode() != 10001 {
		t.Errorf("divide by zero: %s %s", m.Type, m.Data)
	}
	if m := c.Request("divide", "nonsense"); m.ErrorCode() != 1001 {
		t.Errorf("nonsense: %s %s", m.Type, m.Data)
	}
}
