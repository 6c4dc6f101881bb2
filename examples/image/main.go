// Image is a hub of your own for a container image: handlers in Go, everything
// else from a file and the environment, as the stock hub reads it.
//
//	docker build -f examples/image/Dockerfile -t my-hub .
//	docker run -p 8080:8080 -e GOHUB_LOG_LEVEL=debug my-hub
package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func main() {
	// The program's own defaults; GOHUB_CONFIG names a YAML file with more, and
	// GOHUB_* variables override both.
	opts, err := server.LoadOptions(&server.Options{MaxMessageSize: 16 << 10})
	if err != nil {
		log.Fatal(err)
	}
	s, err := newServer(opts)
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
	return s, s.RegisterHandler("echo", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
		return c.Reply(ctx, "echo", data)
	})
}
