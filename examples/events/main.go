// Events prints who comes and goes, and greets everybody who joins a room.
package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

func main() {
	s, err := newServer(&server.Options{}, log.Default())
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
}

func newServer(opts *server.Options, out *log.Logger) (*server.Server, error) {
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	// Events of one client come one at a time and in order; those of different
	// clients, and of the server itself, come side by side.
	s.On(sdk.EventClientConnected, func(_ context.Context, e sdk.Event) error {
		out.Printf("%s connected", e.ClientID)
		return nil
	})
	s.On(sdk.EventClientDisconnected, func(_ context.Context, e sdk.Event) error {
		out.Printf("%s left rooms %v (code %d)", e.ClientID, e.Rooms, e.Code)
		return nil
	})
	s.On(sdk.EventRoomMessage, func(_ context.Context, e sdk.Event) error {
		if e.ClientID != "" { // the greeting below comes from the server, not from a client
			out.Printf("%s in %s: %s", e.ClientID, e.RoomID, e.Message)
		}
		return nil
	})
	s.On(sdk.EventRoomJoined, func(_ context.Context, e sdk.Event) error {
		greeting, err := json.Marshal("welcome, " + e.ClientID)
		if err != nil {
			return err
		}
		_, err = s.SDK().Publish(sdk.Publication{Room: e.RoomID, Content: greeting, SenderID: "host"})
		return err // an error is logged
	})
	return s, nil
}
