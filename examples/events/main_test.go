package main

import (
	"bufio"
	"io"
	"log"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

func TestEvents(t *testing.T) {
	r, w := io.Pipe()
	s, err := newServer(hubtest.Options(&server.Options{EnableQueryClientID: true}), log.New(w, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		for scan := bufio.NewScanner(r); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	c := hubtest.Run(t, s).Dial(t, hubtest.ID("alice"))
	c.Join("lobby")
	if m := c.Expect("room_message"); !strings.Contains(string(m.Data), "welcome, alice") {
		t.Errorf("greeting: %s", m.Data)
	}
	c.Close()
	for _, want := range []string{"alice connected", ` in lobby: "welcome, alice"`, "alice left rooms [lobby] (code 1000)"} {
		if got := <-lines; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
