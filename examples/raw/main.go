// Raw speaks no message format: every frame, text or binary, goes to one
// handler. This one is a relay of binary frames between everybody connected,
// as a game or a sensor feed may want it.
package main

import (
	"context"
	"log"

	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func main() {
	s, err := newServer(&server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
}

func newServer(opts *server.Options) (*server.Server, error) {
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	s.HandleRaw(func(_ context.Context, c *hub.Client, frame hub.Frame) error {
		if frame.MsgType != hub.BinaryMessage {
			c.Close(1003, "binary frames only")
			return nil
		}
		return s.SDK().BroadcastFrame(frame)
	})
	return s, nil
}
