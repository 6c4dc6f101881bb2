package server_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// TestDrain sends every client away in a slot of the window; those that speak
// gohub.v1 are told before, the others get nothing but their close frame.
func TestDrain(t *testing.T) {
	const clients = 20
	window := 400 * time.Millisecond
	srv := start(t, server.Options{APIKey: "key"})
	var v1 []*hubtest.Client
	var plain []*bare
	for range clients / 2 {
		c := srv.Dial(t, hubtest.Subprotocols("gohub.v1"))
		c.Expect("connected")
		v1 = append(v1, c)
		plain = append(plain, upgradeBare(t, srv))
	}
	begin := time.Now()
	post(t, srv, "/api/v1/drain", `{"delay":"0s","window":"400ms"}`)
	slots := map[int64]bool{}
	for _, c := range v1 {
		frame := c.NextFrame()
		slot := into[struct {
			AfterMS int64 `json:"after_ms"`
		}](t, decode(t, frame)).AfterMS
		wantMessage(t, frame, "reconnect", fmt.Sprintf(`{"after_ms":%d}`, slot), 0)
		if slot < 0 || slot >= window.Milliseconds() {
			t.Errorf("slot at %d ms", slot)
		}
		slots[slot] = true
		if code, reason := c.ExpectClose(); code != 1012 || reason == "" {
			t.Errorf("gohub.v1 client: closed with %d %q", code, reason)
		}
		if took := time.Since(begin); took < time.Duration(slot)*time.Millisecond {
			t.Errorf("closed after %v, before its slot at %d ms", took, slot)
		}
	}
	if len(slots) != len(v1) {
		t.Errorf("%d slots for %d clients", len(slots), len(v1))
	}
	for _, b := range plain {
		if op, payload := b.frame(); op != opClose || closeCode(payload) != 1012 {
			t.Errorf("plain client: frame %#x %q, want to be closed with 1012", op, payload)
		}
	}
	if _, header := wantRefused(t, srv, 503, hub.CodeServer); header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if status, body, _ := get(t, srv.URL("http")+"/readyz"); status != 503 {
		t.Errorf("readyz when drained: %d %s", status, body)
	}
	post(t, srv, "/api/v1/undrain", ``)
	srv.Dial(t).Request("ping", nil)
}

// run runs a server that the test stops itself, by a context.
func run(t *testing.T, opts server.Options) (srv *hubtest.Server, cancel context.CancelFunc, done <-chan error) {
	t.Helper()
	s := newServer(t, opts)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return hubtest.Attach(t, s), cancel, ended
}

// TestRunDrains: Run ends with its context as Options.Drain says, and returns
// nil.
func TestRunDrains(t *testing.T) {
	t.Parallel()
	const delay, window = 100 * time.Millisecond, 300 * time.Millisecond
	srv, cancel, done := run(t, server.Options{Drain: server.Drain{Delay: delay, Window: window}})
	var clients []*hubtest.Client
	for range 10 {
		clients = append(clients, srv.Dial(t))
	}
	begin := time.Now()
	cancel()
	for _, c := range clients {
		if code, _ := c.ExpectClose(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
		if took := time.Since(begin); took < delay {
			t.Errorf("closed after %v, within the delay", took)
		}
		c.Drop()
	}
	if err := within(t, "end of Run", done); err != nil {
		t.Errorf("Run: %v", err)
	}
	if took := time.Since(begin); took < delay+window/2 { // the last slot is a tenth before the window's end
		t.Errorf("over after %v", took)
	}
}

// TestDrainTimeout: a server ends in time, whatever drain is under way.
func TestDrainTimeout(t *testing.T) {
	const timeout = 200 * time.Millisecond
	srv, cancel, done := run(t, server.Options{APIKey: "key", Drain: server.Drain{Delay: -1, Window: -1, Timeout: timeout}})
	clients := []*bare{upgradeBare(t, srv), upgradeBare(t, srv)}
	post(t, srv, "/api/v1/drain", `{"delay":"0s","window":"1h","timeout":"3h"}`)
	eventually(t, "the first is sent away", func() bool { return srv.Stats().Clients < 2 })
	begin := time.Now()
	cancel()
	codes := map[int]bool{}
	for _, c := range clients {
		_, payload := c.frame()
		codes[closeCode(payload)] = true
	}
	if !codes[1012] || !codes[1001] {
		t.Errorf("closed with %v, want one by the drain and one by its end", codes)
	}
	if took := time.Since(begin); took < timeout {
		t.Errorf("closed after %v", took)
	}
	if err := within(t, "end of Run", done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestShutdownAmidDelay: whoever stops a server does not wait for the delay of
// a drain that the admin API has begun.
func TestShutdownAmidDelay(t *testing.T) {
	srv, _, done := run(t, server.Options{APIKey: "key"})
	c := srv.Dial(t)
	post(t, srv, "/api/v1/drain", `{"delay":"1h","window":"1h","timeout":"3h"}`)
	shut := make(chan error, 1)
	go func() { shut <- srv.Shutdown(t.Context()) }()
	if code, _ := c.ExpectClose(); code != 1012 {
		t.Errorf("closed with %d", code)
	}
	c.Drop()
	if err := within(t, "end of Shutdown", shut); err != nil {
		t.Error(err)
	}
	if err := within(t, "end of Run", done); err != nil {
		t.Error(err)
	}
}

// TestUndrainWhileStopping: there is no way back for a server that ends.
func TestUndrainWhileStopping(t *testing.T) {
	srv, cancel, done := run(t, server.Options{APIKey: "key", Drain: server.Drain{Delay: time.Hour, Timeout: -1}})
	cancel()
	eventually(t, "the server drains", func() bool { return srv.Stats().Draining })
	status, body := request(t, srv, "POST", "/api/v1/undrain", "")
	if status != 409 {
		t.Errorf("undrain: %d %s", status, body)
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond) // the delay would take an hour
	defer stop()
	if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := within(t, "end of Run", done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestShutdownAmidConnects: whoever connects while the server ends is refused,
// or let in and sent away properly; nobody is cut off.
func TestShutdownAmidConnects(t *testing.T) {
	const dialers, first = 4, 30
	s := newServer(t, server.Options{})
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	srv := hubtest.Attach(t, s)
	var accepted atomic.Int64
	var dialling sync.WaitGroup
	for range dialers {
		dialling.Go(func() {
			for {
				ws, resp, err := websocket.DefaultDialer.Dial(srv.URL("ws")+"/ws", nil)
				if err != nil {
					if resp != nil && resp.StatusCode != 503 {
						t.Errorf("refused with status %d", resp.StatusCode)
					}
					return
				}
				accepted.Add(1)
				dialling.Go(func() {
					defer ws.Close()
					if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 1001, 1012) {
						t.Errorf("ended with %v", err)
					}
				})
			}
		})
	}
	eventually(t, "there are clients", func() bool { return accepted.Load() >= first })
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := within(t, "end of Start", done); err != nil {
		t.Error(err)
	}
	dialling.Wait()
	if n := srv.SDK().GetClientCount(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}
