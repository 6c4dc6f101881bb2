// Package hubtest runs a hub and clients inside a test:
//
//	srv := hubtest.NewServer(t, nil)
//	c := srv.Dial(t)
//	c.Request("ping", nil)
//
// A program that makes its server itself is tested with Options and Run.
// Everything is closed with the test. Failures end the test with t.Fatal, so
// the methods must be called from the test's goroutine.
package hubtest

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/chenxilol/gohub/server"
)

// Timeout is how long a client waits for what a test expects.
const Timeout = 10 * time.Second

// Server is a hub that a test runs.
type Server struct {
	*server.Server
	addr string
}

// Options completes opts (nil: all defaults) for a test: a free port of the
// loopback interface, no signals and, where opts says nothing else, no log and
// a drain without delay. opts itself is not changed.
func Options(opts *server.Options) *server.Options {
	o := server.Options{}
	if opts != nil {
		o = *opts
	}
	o.Address = "127.0.0.1:0"
	o.DisableSignals = true
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Drain == (server.Drain{}) {
		o.Drain = server.Drain{Delay: -1, Window: -1}
	}
	return &o
}

// NewServer starts a hub with Options(opts). setup is called before the start,
// to register handlers.
func NewServer(t testing.TB, opts *server.Options, setup ...func(*server.Server)) *Server {
	t.Helper()
	s, err := server.NewServer(Options(opts))
	if err != nil {
		t.Fatalf("hubtest: %v", err)
	}
	for _, f := range setup {
		f(s)
	}
	return Run(t, s)
}

// Run starts a server that the test has made, best with Options.
func Run(t testing.TB, s *server.Server) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("hubtest: %v", err)
		}
	})
	return attach(t, s, done)
}

// Attach waits until a server that the test starts itself listens.
func Attach(t testing.TB, s *server.Server) *Server {
	t.Helper()
	return attach(t, s, nil)
}

// attach waits until s listens or has ended with an error that comes from done.
func attach(t testing.TB, s *server.Server, done chan error) *Server {
	t.Helper()
	for deadline := time.Now().Add(Timeout); s.Addr() == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("hubtest: the server does not listen after %v", Timeout)
		}
		select {
		case err := <-done:
			done <- nil // for the clean-up
			t.Fatalf("hubtest: %v", err)
		default:
			runtime.Gosched()
		}
	}
	return &Server{Server: s, addr: s.Addr().String()}
}

// URL returns the server's address as scheme://host:port, where scheme is
// http, https, ws or wss.
func (s *Server) URL(scheme string) string { return scheme + "://" + s.addr }
