package main

import (
	"bytes"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
)

func TestRaw(t *testing.T) {
	s, err := newServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	srv := hubtest.Run(t, s)
	a := srv.Dial(t)
	a.SendFrame(hub.Binary([]byte("a"))) // what comes back tells that the hub knows its sender
	a.NextFrame()
	b := srv.Dial(t)
	b.SendFrame(hub.Binary([]byte("b")))
	b.NextFrame()
	a.NextFrame()
	want := []byte{0, 1, 0xff}
	a.SendFrame(hub.Binary(want))
	for _, c := range []*hubtest.Client{a, b} {
		if f := c.NextFrame(); f.MsgType != hub.BinaryMessage || !bytes.Equal(f.Data, want) {
			t.Errorf("got %d %x", f.MsgType, f.Data)
		}
	}
	a.SendFrame(hub.Text([]byte("text")))
	if code, _ := a.ExpectClose(); code != 1003 {
		t.Errorf("text frame: close code %d", code)
	}
}
