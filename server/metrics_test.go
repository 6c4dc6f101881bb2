package server_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

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
	_, body, _ := get(t, srv.URL("http")+"/metrics")
	for _, want := range []string{
		"gohub_connected_clients 2", "gohub_connections_total 3", "gohub_rooms 1",
		"gohub_messages_received_total 5", "gohub_messages_sent_total 6", "gohub_room_messages_published_total 1",
		"gohub_room_messages_delivered_total 1", `gohub_errors_sent_total{code="1001"} 1`, `gohub_closes_total{code="1000"} 1`,
		`gohub_handler_duration_seconds_count{message_type="join_room"} 2`, "gohub_fanout_duration_seconds_count 1",
		"gohub_send_queue_bytes 0", "gohub_draining 0", "gohub_build_info{", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		for line := range strings.SplitSeq(body, "\n") {
			if strings.HasPrefix(line, "gohub_") && !strings.Contains(line, "_bucket") {
				t.Log(line)
			}
		}
	}
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
