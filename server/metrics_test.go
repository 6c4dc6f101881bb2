package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// wantMetrics waits until /metrics has these lines, or lines that begin so: the
// hub counts what it has sent, which a client may see before.
func wantMetrics(t *testing.T, srv *hubtest.Server, lines ...string) {
	t.Helper()
	var body string
	missing := func() (list []string) {
		_, body, _ = get(t, srv.URL("http")+"/metrics")
		for _, want := range lines {
			if !strings.Contains(body, "\n"+want) {
				list = append(list, want)
			}
		}
		return list
	}
	for deadline := time.Now().Add(hubtest.Timeout); len(missing()) > 0; {
		if time.Now().Before(deadline) {
			continue
		}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "gohub_") && !strings.Contains(line, "_bucket") {
				t.Log(line)
			}
		}
		t.Fatalf("no %q", missing())
	}
}

func TestMetrics(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true})
	a, b := srv.Dial(t, hubtest.ID("a")), srv.Dial(t, hubtest.ID("b"))
	a.Join("r")
	b.Join("r")
	a.Request("room_message", map[string]any{"room_id": "r", "content": "hi"})
	b.Expect("room_message")
	a.Request("nonsense", nil)
	c := srv.Dial(t)
	c.Request("ping", nil)
	c.Close()
	wantMetrics(t, srv,
		"gohub_connected_clients 2\n", "gohub_connections_total 3\n", "gohub_rooms 1\n",
		"gohub_messages_received_total 5\n", "gohub_messages_sent_total 6\n", "gohub_room_messages_published_total 1\n",
		"gohub_room_messages_delivered_total 1\n", `gohub_errors_sent_total{code="1001"} 1`+"\n", `gohub_closes_total{code="1000"} 1`+"\n",
		`gohub_handler_duration_seconds_count{message_type="join_room"} 2`+"\n", "gohub_fanout_duration_seconds_count 1\n",
		"gohub_send_queue_bytes 0\n", "gohub_draining 0\n", "gohub_build_info{", "go_goroutines ", "process_open_fds ",
	)
}

// TestMetricsTellWhy: what was refused, closed or dropped is counted by reason.
func TestMetricsTellWhy(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous, opts.DuplicateID, opts.MaxConnections = true, server.DuplicateReject, 2
	opts.RateLimit = server.RateLimit{MessagesPerSecond: 1, Burst: 2}
	srv := start(t, opts)
	alice := hubtest.Token(tokenFor(t, "alice"))
	c := srv.Dial(t, alice)
	const ping, join = `{"message_type":"ping"}`, `{"message_type":"join_room","data":{"room_id":"r"}}`
	pings := 0
	for m := (hubtest.Message{}); m.ErrorCode() != hub.CodeRateLimited; pings++ {
		raw(c, ping)
		m = c.Next()
	}
	wantRefused(t, srv, 409, hub.CodeForbidden, alice)
	wantRefused(t, srv, 401, hub.CodeTokenInvalid, hubtest.Token("x"))
	wantRefused(t, srv, 401, hub.CodeTokenExpired, hubtest.Token(mint(t, auth.IssuerConfig{}, auth.TokenClaims{Subject: "a"}, -time.Hour)))
	wantRefused(t, srv, 403, hub.CodeForbidden, hubtest.Header("Origin", "https://evil.example"))
	wantRefused(t, srv, 400, hub.CodeFormat, hubtest.Subprotocols("gohub.token.x"))
	anonymous := srv.Dial(t)
	wantRefused(t, srv, 503, hub.CodeRateLimited)
	raw(anonymous, join)
	if m := anonymous.Next(); m.ErrorCode() != hub.CodeForbidden {
		t.Errorf("%s %s", m.Type, m.Data)
	}
	anonymous.Drop()
	wantClients(t, srv, 1)
	wantMetrics(t, srv,
		`gohub_auth_results_total{result="anonymous"} 1`, `gohub_auth_results_total{result="ok"} 2`,
		`gohub_auth_results_total{result="invalid"} 1`, `gohub_auth_results_total{result="expired"} 1`,
		`gohub_handshakes_refused_total{reason="auth"} 2`, `gohub_handshakes_refused_total{reason="duplicate"} 1`,
		`gohub_handshakes_refused_total{reason="origin"} 1`, `gohub_handshakes_refused_total{reason="full"} 1`,
		`gohub_handshakes_refused_total{reason="handshake"} 1`, "gohub_max_connections 2\n", `gohub_messages_dropped_total{reason="rate"} 1`,
		`gohub_errors_sent_total{code="1005"} 1`, `gohub_errors_sent_total{code="2001"} 1`, `gohub_closes_total{code="1006"} 1`,
		fmt.Sprint("gohub_messages_received_total ", pings+1), fmt.Sprint("gohub_received_bytes_total ", pings*len(ping)+len(join)),
	)
}

// TestMetricsStyle holds the metrics against Prometheus's conventions.
func TestMetricsStyle(t *testing.T) {
	r := prometheus.NewRegistry()
	srv := start(t, server.Options{Registerer: r})
	c := srv.Dial(t)
	c.Request("ping", nil)
	c.SendFrame(hub.Text([]byte("nonsense")))
	c.Expect("error")
	c.Close()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "gohub_") {
			t.Errorf("%s is not ours", f.GetName())
		}
	}
}
