package conn_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

func TestEngineClose(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls})
			var sessions []*session
			for range 20 {
				_, s := srv.connect(t)
				sessions = append(sessions, s)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- srv.engine.Close(ctx) }()
			eventually(t, "Start is refused", func() bool {
				c := srv.knock(t, []byte(handshake()))
				if _, err := http.ReadResponse(c.r, nil); err != nil {
					return true // an end instead of an answer
				}
				sessions = append(sessions, get(t, srv.sessions)) // came before Close
				return false
			})
			select {
			case err := <-done:
				t.Fatalf("Close did not wait: %v", err)
			default:
			}
			sessions[0].Close(1012, "restart")
			cancel()
			if err := get(t, done); !errors.Is(err, context.Canceled) {
				t.Errorf("Close: %v", err)
			}
			for i, s := range sessions {
				select { // Close returns behind the last call
				case ev := <-s.closed:
					if want := 1006; ev.code != want && i > 0 {
						t.Errorf("session %d: closed with %d", i, ev.code)
					}
				default:
					t.Errorf("session %d was not told", i)
				}
			}
			if err := srv.engine.Close(t.Context()); err != nil {
				t.Errorf("second Close: %v", err)
			}
		})
	}
}

// TestEngineCloseWhileOpening: an opened function that takes its time does not
// hold up Close longer than its context lasts.
func TestEngineCloseWhileOpening(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	srv := serve(t, options{opened: func(*session) { close(entered); <-release }})
	srv.knock(t, []byte(handshake()))
	get(t, entered)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- srv.engine.Close(ctx) }()
	if err := get(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	close(release)
	get(t, srv.sessions).wantClosed(t, wire.CodeAbnormal, "")
}

// TestStorm has everybody do everything at once. It looks for races, dead
// locks and calls that come twice or never.
func TestStorm(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{SendQueueBytes: 8 << 10}})
			for round := range rounds {
				c, s := srv.connect(t)
				start := make(chan struct{})
				var wg sync.WaitGroup
				storm := func(f func()) { wg.Go(func() { <-start; f() }) }
				frame := wire.Frame(wire.Binary, make([]byte, 1500))
				for range 2 {
					storm(func() {
						for range 40 {
							_ = s.Write(frame)
						}
					})
				}
				storm(func() {
					for range 40 {
						s.Hold()
						s.Resume()
					}
				})
				storm(func() { _, _ = c.nc.Write(bytes.Repeat(text("input"), 500)) })
				storm(func() {
					for range 40 {
						s.Lock()
						_ = s.WriteLocked(frame)
						s.Unlock()
						_ = s.Open()
					}
				})
				switch round % 4 {
				case 0:
					storm(func() { s.Close(1000, "") })
				case 1:
					storm(func() { _ = c.nc.Close() })
				case 2:
					storm(func() { _ = c.nc.Close() })
					storm(func() { s.Close(1001, "") })
				case 3:
					storm(func() { _, _ = c.r.WriteTo(discard{}) })
					storm(func() { s.Close(1001, ""); s.Close(1002, "") })
				}
				close(start)
				wg.Wait()
				_ = c.nc.Close()
				get(t, s.closed)
				if len(s.closed) > 0 {
					t.Fatal("Closed was called twice")
				}
			}
			srv.wantAllClosed(t)
			if q := srv.engine.Queued(); q != 0 {
				t.Errorf("%d bytes queued for nobody", q)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
