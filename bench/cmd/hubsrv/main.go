// Command hubsrv is the GoHub server under test: the framework as a user would
// embed it, with an echo handler, and with the side door that all servers of the
// comparison have (package probe).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/chenxilol/gohub/bench/internal/probe"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen address")
	side := flag.String("probe", "127.0.0.1:9100", "listen address of the side door")
	ping := flag.Duration("ping", 0, "ping interval (0: the hub's default)")
	readTimeout := flag.Duration("read-timeout", 0, "read timeout (0: the hub's default)")
	flag.Parse()
	if err := run(*addr, *side, *ping, *readTimeout); err != nil {
		fmt.Fprintln(os.Stderr, "hubsrv:", err)
		os.Exit(1)
	}
}

func run(addr, side string, ping, readTimeout time.Duration) error {
	s, err := server.NewServer(&server.Options{
		Address:             addr,
		EnableQueryClientID: true,
		PingInterval:        ping,
		ReadTimeout:         readTimeout,
		MaxConnections:      -1,
		MaxRooms:            -1,
		Compression:         true,
		RateLimit:           server.RateLimit{MessagesPerSecond: -1}, // a closed loop asks as fast as it can
		Drain:               server.Drain{Delay: -1, Window: -1},
		LogLevel:            "warn",
	})
	if err != nil {
		return fmt.Errorf("create server: %w", err)
	}
	if err := s.RegisterHandler("echo", echo); err != nil {
		return fmt.Errorf("register echo: %w", err)
	}
	ln, err := net.Listen("tcp", side)
	if err != nil {
		return fmt.Errorf("open side door: %w", err)
	}
	go func() { log.Fatal(http.Serve(ln, probe.Handler(publish(s), gauges(s)))) }()
	return s.Start()
}

func echo(ctx context.Context, c *hub.Client, data json.RawMessage) error {
	return c.Reply(ctx, "echo", data)
}

func publish(s *server.Server) probe.Publish {
	return func(room string, payloads [][]byte) error {
		for _, p := range payloads {
			if err := s.SDK().BroadcastToRoom(room, p); err != nil {
				return err
			}
		}
		return nil
	}
}

func gauges(s *server.Server) probe.Gauges {
	return func() (clients, rooms int) { return s.SDK().GetClientCount(), s.SDK().GetRoomCount() }
}
