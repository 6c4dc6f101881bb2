package main

import (
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

func TestImage(t *testing.T) {
	t.Setenv("GOHUB_MAX_MESSAGE_SIZE", "100")
	opts, err := server.LoadOptions(&server.Options{MaxMessageSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(hubtest.Options(opts))
	if err != nil {
		t.Fatal(err)
	}
	c := hubtest.Run(t, s).Dial(t)
	if m := c.Request("echo", "hello"); m.Type != "echo" || string(m.Data) != `"hello"` {
		t.Errorf("echo: %s %s", m.Type, m.Data)
	}
	c.Send("echo", make([]byte, 200))
	if code, _ := c.ExpectClose(); code != 1009 {
		t.Errorf("a message over the environment's limit: close code %d", code)
	}
}
