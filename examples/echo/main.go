// Echo registers handlers for message types of its own. Send
//
//	{"message_type":"echo","data":{"hello":"world"},"message_id":1}
//	{"message_type":"divide","data":{"a":1,"b":0},"message_id":2}
package main

import (
	"context"
	"encoding/json"
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
	if err := s.RegisterHandler("echo", echo); err != nil {
		return nil, err
	}
	return s, s.RegisterHandler("divide", divide)
}

// echo answers with the data it got. Reply carries the request's message_id.
func echo(ctx context.Context, c *hub.Client, data json.RawMessage) error {
	return c.Reply(ctx, "echo", data)
}

// divide shows errors: a *hub.Error is what the client gets to see; any other
// becomes "the server could not handle the message" and is logged.
func divide(ctx context.Context, c *hub.Client, data json.RawMessage) error {
	var in struct{ A, B float64 }
	if err := json.Unmarshal(data, &in); err != nil {
		return hub.NewError(hub.CodeFormat, "data must be {\"a\": number, \"b\": number}")
	}
	if in.B == 0 {
		return hub.NewError(10001, "division by zero") // codes from 10000 are yours
	}
	return c.Reply(ctx, "quotient", in.A/in.B)
}
