package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func newServer(t *testing.T, opts server.Options) *server.Server {
	t.Helper()
	opts.Engine = server.Engine(*engine)
	s, err := server.NewServer(hubtest.Options(&opts))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get makes a request and returns its status and body.
func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body.String(), resp.Header
}

func TestNilOptions(t *testing.T) {
	s, err := server.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestShutdownBeforeStart(t *testing.T) {
	s := newServer(t, server.Options{})
	for range 2 {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(); !errors.Is(err, server.ErrStopped) {
		t.Errorf("Start after Shutdown: %v", err)
	}
}

func TestStartTwice(t *testing.T) {
	s := start(t, server.Options{})
	if err := s.Start(); !errors.Is(err, server.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, opts := range map[string]server.Options{
		"main":  {Address: ln.Addr().String()},
		"admin": {Address: "127.0.0.1:0", AdminAddress: ln.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			opts.DisableSignals = true
			s, err := server.NewServer(&opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("Start: %v", err)
			}
		})
	}
}

// TestShutdown ends Start with nil, its clients with 1012.
func TestShutdown(t *testing.T) {
	s := newServer(t, server.Options{})
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	srv := hubtest.Attach(t, s)
	c := srv.Dial(t)
	shut := make(chan error, 1)
	go func() { shut <- s.Shutdown(t.Context()) }()
	if code, _ := c.ExpectClose(); code != 1012 {
		t.Errorf("close code %d", code)
	}
	c.Drop() // the server waits for that
	if err := within(t, "end of Shutdown", shut); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "end of Start", done); err != nil {
		t.Errorf("Start: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
	if _, err := http.Get(srv.URL("http") + "/health"); err == nil {
		t.Error("still listening")
	}
}

// TestShutdownDeadline: what is left when the context ends is closed all the
// same.
func TestShutdownDeadline(t *testing.T) {
	s := newServer(t, server.Options{})
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	conn, err := net.Dial("tcp", hubtest.Attach(t, s).URL("")[len("://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	upgrade(t, conn) // a peer that never answers a close frame
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	<-done
}

// upgrade makes a bare handshake.
func upgrade(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Write([]byte("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 12)
	if _, err := conn.Read(buf); err != nil || string(buf) != "HTTP/1.1 101" {
		t.Fatalf("handshake: %q %v", buf, err)
	}
}

// TestHandler serves a hub under an http.Server of the program's own.
func TestHandler(t *testing.T) {
	s := newServer(t, server.Options{})
	if err := s.RegisterHandler("echo", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
		return c.Reply(ctx, "echo", data)
	}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"message_type":"echo","data":5,"message_id":1}`)); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := ws.ReadMessage(); err != nil || !strings.Contains(string(msg), `"data":5`) {
		t.Errorf("echo: %s %v", msg, err)
	}
	if err := s.RegisterHandler("late", func(context.Context, *hub.Client, json.RawMessage) error { return nil }); err == nil {
		t.Error("RegisterHandler after the first request succeeded")
	}
	go func() {
		_, _, _ = ws.ReadMessage() // answers the close frame
		_ = ws.Close()
	}()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRoutes(t *testing.T) {
	srv := start(t, server.Options{}, func(s *server.Server) {
		s.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
		s.Handle("GET /", http.NotFoundHandler())
	})
	if status, body, _ := get(t, srv.URL("http")+"/hello"); status != 200 || !strings.HasSuffix(body, "hello") {
		t.Errorf("own route: %d %s", status, body)
	}
	srv.Dial(t)

	s := newServer(t, server.Options{})
	s.HandleFunc("GET /ws", func(http.ResponseWriter, *http.Request) {})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "/ws") {
		t.Errorf("a pattern that is taken: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNotServed: what only looks like an endpoint of the hub is refused in JSON,
// unless the program serves it.
func TestNotServed(t *testing.T) {
	srv := start(t, server.Options{}, func(s *server.Server) {
		s.HandleFunc("GET /api/v1/mine", func(http.ResponseWriter, *http.Request) {})
		s.HandleFunc("PATCH /ws", func(http.ResponseWriter, *http.Request) {})
	})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/api/v1/rooms", 404, "admin API is not served here"},
		{"DELETE", "/api/v1/", 404, "admin API is not served here"},
		{"GET", "/api/v1/mine", 200, ""},
		{"POST", "/ws", 405, "method must be GET"},
		{"PATCH", "/ws", 200, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL("http")+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status {
			t.Errorf("%s %s: %d %s, %v", tt.method, tt.path, resp.StatusCode, body, err)
		}
		var e struct {
			Code    int
			Message string
		}
		if tt.status == 200 {
			continue
		}
		if err := json.Unmarshal(body, &e); err != nil || e.Code != hub.CodeFormat || !strings.Contains(e.Message, tt.body) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s, %v", tt.method, tt.path, body, err)
		}
		if (tt.status == 405) != (resp.Header.Get("Allow") == "GET, HEAD") {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, resp.Header.Get("Allow"))
		}
	}
}

func TestProbes(t *testing.T) {
	srv := start(t, server.Options{Drain: server.Drain{Delay: time.Minute, Window: time.Minute, Timeout: time.Hour}, APIKey: "key"})
	if status, body, _ := get(t, srv.URL("http")+"/health"); status != 200 || !strings.Contains(body, `"status":"ok"`) {
		t.Errorf("health: %d %s", status, body)
	}
	if status, _, _ := get(t, srv.URL("http")+"/readyz"); status != 200 {
		t.Errorf("readyz: %d", status)
	}
	post(t, srv, "/api/v1/drain", `{}`)
	if status, _, _ := get(t, srv.URL("http")+"/readyz"); status != 503 {
		t.Errorf("readyz while draining: %d", status)
	}
	if status, _, _ := get(t, srv.URL("http")+"/health"); status != 200 {
		t.Errorf("health while draining: %d", status)
	}
	c := srv.Dial(t) // within the delay upgrades are still taken
	c.Request("ping", nil)
	post(t, srv, "/api/v1/undrain", ``)
	if status, _, _ := get(t, srv.URL("http")+"/readyz"); status != 200 {
		t.Errorf("readyz after undrain: %d", status)
	}
	c.Close()
	if err := srv.Shutdown(t.Context()); err != nil { // the configured drain would take a minute
		t.Error(err)
	}
}

// request calls the admin API with the key "key".
func request(t *testing.T, srv *hubtest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL("http")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// post makes a request to the admin API that must succeed.
func post(t *testing.T, srv *hubtest.Server, path, body string) {
	t.Helper()
	if status, text := request(t, srv, "POST", path, body); status >= 300 {
		t.Fatalf("POST %s: %d %s", path, status, text)
	}
}

// TestStrangers: two servers in one process share nothing.
func TestStrangers(t *testing.T) {
	a, b := start(t, server.Options{EnableQueryClientID: true}), start(t, server.Options{EnableQueryClientID: true})
	ca, cb := a.Dial(t, hubtest.ID("x")), b.Dial(t, hubtest.ID("x"))
	ca.Join("r")
	cb.Join("r")
	ca.Send("room_message", map[string]any{"room_id": "r", "content": 1})
	ca.Silent()
	cb.Silent()
	if a.SDK().GetClientCount() != 1 || b.SDK().GetClientCount() != 1 {
		t.Error("they count each other's clients")
	}
}

func TestRegisterer(t *testing.T) {
	r := prometheus.NewRegistry()
	s := newServer(t, server.Options{Registerer: r})
	if _, err := server.NewServer(&server.Options{Registerer: r}); err == nil || !strings.Contains(err.Error(), "Registerer") {
		t.Errorf("second server: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := newServer(t, server.Options{Registerer: r}) // the first has given its metrics back
	if err := again.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if families, err := r.Gather(); err != nil || len(families) > 0 {
		t.Errorf("left behind: %v %v", families, err)
	}
}

func TestAdminAddress(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free, most likely
	if err != nil {
		t.Fatal(err)
	}
	admin := ln.Addr().String()
	ln.Close()
	srv := start(t, server.Options{AdminAddress: admin, APIKey: "key"})
	for path, want := range map[string][2]int{ // on the main and the admin address
		"/health":       {200, 200},
		"/readyz":       {200, 200},
		"/metrics":      {404, 200},
		"/api/v1/stats": {404, 401},
		"/ws":           {426, 404},
	} {
		onMain, _, _ := get(t, srv.URL("http")+path)
		onAdmin, _, _ := get(t, "http://"+admin+path)
		if got := [2]int{onMain, onAdmin}; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
