package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func TestAdminNodesAndStats(t *testing.T) {
	srv, a := newAdmin(t, server.Options{MaxConnections: 7})
	alice, bob := srv.Dial(t), srv.Dial(t)
	alice.Join("r")
	bob.Join("r")
	alice.Send("room_message", map[string]any{"room_id": "r", "content": 1})
	bob.Expect("room_message")
	var nodes api.NodeList
	a.want(200, "GET", api.PathNodes, "", &nodes)
	if nodes.Count != 1 || len(nodes.Nodes) != 1 {
		t.Fatalf("got %+v", nodes)
	}
	n := nodes.Nodes[0]
	if n.ID != srv.Node() || n.Version != server.Version() || n.Address != srv.Addr().String() || n.Connections != 2 || n.Rooms != 1 || n.Draining {
		t.Errorf("got %+v", n)
	}
	var stats api.Stats
	a.want(200, "GET", api.PathStats, "", &stats)
	if stats.Node != srv.Node() || stats.Clients != 2 || stats.Rooms != 1 || stats.MessagesReceived != 3 || stats.MessagesSent < 2 || stats.Draining ||
		stats.Capacity != 7 || stats.Bus != "noop" {
		t.Errorf("got %+v", stats)
	}
}

// state checks readiness and whether connections are taken.
func state(t *testing.T, srv *hubtest.Server, a *admin, ready, takes bool) {
	t.Helper()
	want := map[bool]int{true: 200, false: 503}[ready]
	if got := a.do("GET", "/readyz", ""); got.status != want {
		t.Errorf("/readyz: %d %s, want %d", got.status, got.body, want)
	}
	c, resp, err := srv.TryDial(t)
	switch {
	case takes && err != nil:
		t.Errorf("dial: %v", err)
	case !takes && (resp == nil || resp.StatusCode != http.StatusServiceUnavailable):
		t.Errorf("dial: %v %v, want 503", resp, err)
	case takes:
		c.Close()
	}
}

func TestAdminDrain(t *testing.T) {
	for _, path := range []string{api.PathDrain, api.PathPlainDrain} {
		srv, a := newAdmin(t, server.Options{})
		state(t, srv, a, true, true)
		c := srv.Dial(t, hubtest.Subprotocols("gohub.v1"))
		c.Expect("connected")
		var n api.Node
		a.want(202, "POST", path, "", &n)
		if !n.Draining || n.ID != srv.Node() {
			t.Errorf("got %+v", n)
		}
		c.Expect("reconnect")
		if code, _ := c.ExpectClose(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
		state(t, srv, a, false, false)
		a.want(200, "GET", api.PathStats, "", nil)
		a.want(202, "POST", path, `{"delay":"1s"}`, nil) // nobody is let in again
		state(t, srv, a, false, false)
		var after api.Node
		a.want(200, "POST", api.PathUndrain, "", &after)
		if after.Draining {
			t.Errorf("got %+v", after)
		}
		state(t, srv, a, true, true)
		a.want(200, "POST", api.PathUndrain, "", nil)
		state(t, srv, a, true, true)
	}
}

func TestAdminDrainSettings(t *testing.T) {
	srv, a := newAdmin(t, server.Options{})
	c := srv.Dial(t)
	a.want(202, "POST", api.PathDrain, `{"delay":"1h","timeout":"0s"}`, nil)
	state(t, srv, a, false, true)
	a.want(202, "POST", api.PathDrain, `{"delay":"0s"}`, nil) // changes nothing
	state(t, srv, a, false, true)
	c.Silent()
	// A drain that follows an undrain at once is a new one.
	a.want(200, "POST", api.PathUndrain, "", nil)
	a.want(202, "POST", api.PathDrain, `{"delay":"0s","window":"0s"}`, nil)
	if code, _ := c.ExpectClose(); code != 1012 {
		t.Errorf("closed with %d", code)
	}
	state(t, srv, a, false, false)
	a.want(200, "POST", api.PathUndrain, "", nil)
	for body, words := range map[string]string{
		`{"delay":"5"}`:                            "delay must be a duration",
		`{"window":"-1s"}`:                         "window must be a duration",
		`{"timeout":"soon"}`:                       "timeout must be a duration",
		`{"timeout":5}`:                            "timeout must be a string",
		`{"delay":"20s","window":"20s"}`:           "timeout (30s) must not be less",
		`{"delay":"2000000h","window":"2000000h"}`: "timeout (30s) must not be less",
	} {
		a.refused(400, hub.CodeFormat, words, "POST", api.PathDrain, body)
	}
	state(t, srv, a, true, true)
}

// TestAdminDrainThenStop stops a server that has been drained: there is nobody
// left for whom the stop should take its time.
func TestAdminDrainThenStop(t *testing.T) {
	opts := &server.Options{
		Address: "127.0.0.1:0", APIKey: adminKey, Logger: slog.New(slog.DiscardHandler),
		Drain: server.Drain{Delay: time.Hour, Window: -1, Timeout: -1},
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(s.Handler())
	defer ts.Close()
	a := &admin{t: t, base: ts.URL, credential: adminKey}
	a.want(202, "POST", api.PathDrain, `{"delay":"0s"}`, nil)
	for a.do("GET", "/ws", "").status != http.StatusServiceUnavailable {
		runtime.Gosched() // the drain is in the background
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(hubtest.Timeout):
		t.Error("the stop waits for the delay")
	}
}
