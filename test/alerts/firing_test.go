package alerts

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// hub are the labels of one of two hubs, as a ServiceMonitor gives them.
const (
	one = `namespace="chat",job="chat-admin",pod="chat-1"`
	two = `namespace="chat",job="chat-admin",pod="chat-2"`
)

// cases are the series, one sample a minute for two hours, with which an alert
// must fire at the end, and those with which it must not.
func cases() map[string]struct{ fires, quiet string } {
	const operator = `{controller="gohubcluster",namespace="gohub-system"}`
	return map[string]struct{ fires, quiet string }{
		"GoHubBusAway": {
			fires: `gohub_bus_degraded{` + one + `} 0x117 1 1 1`,
			quiet: `gohub_bus_degraded{` + one + `} 0x118 1 0`,
		},
		"GoHubSplit": {
			fires: "gohub_cluster_nodes{" + one + "} 1x120\n  gohub_cluster_nodes{" + two + "} 2x120",
			// The one that drains is no longer known to the other one.
			quiet: "gohub_cluster_nodes{" + one + "} 1x120\n  gohub_cluster_nodes{" + two + "} 2x120\n  gohub_draining{" + two + "} 1x120",
		},
		"GoHubBusFlaps": {
			fires: `gohub_bus_reconnects_total{` + one + `} 0+1x120`,
			quiet: `gohub_bus_reconnects_total{` + one + `} 0x110 1x10`,
		},
		"GoHubMessagesLost": {
			fires: "gohub_cluster_gaps_total{" + one + "} 0+1x120\n  gohub_bus_degraded{" + one + "} 0x120",
			quiet: "gohub_cluster_gaps_total{" + one + "} 0+1x120\n  gohub_bus_degraded{" + one + "} 0x110 1 0x9",
		},
		"GoHubNearlyFull": {
			fires: "gohub_connected_clients{" + one + "} 900x120\n  gohub_max_connections{" + one + "} 1000x120",
			// One has no limit.
			quiet: "gohub_connected_clients{" + one + "} 900x120\n  gohub_max_connections{" + one + "} 0x120",
		},
		"GoHubFull": {
			fires: `gohub_handshakes_refused_total{` + one + `,reason="full"} 0+5x120`,
			quiet: `gohub_handshakes_refused_total{` + one + `,reason="draining"} 0+5x120`,
		},
		"GoHubTokensRefused": {
			fires: `gohub_handshakes_refused_total{` + one + `,reason="auth"} 0+600x120` + "\n  gohub_connections_total{" + two + "} 0+60x120",
			quiet: `gohub_handshakes_refused_total{` + one + `,reason="auth"} 0+30x120` + "\n  gohub_connections_total{" + two + "} 0+60x120",
		},
		"GoHubSlowClients": {
			fires: "gohub_room_messages_dropped_total{" + one + "} 0+50x120\n  gohub_room_messages_delivered_total{" + one + "} 0+1000x120",
			quiet: "gohub_room_messages_dropped_total{" + one + "} 0+5x120\n  gohub_room_messages_delivered_total{" + one + "} 0+1000x120",
		},
		"GoHubDeliverySlow": {
			fires: `gohub_fanout_duration_seconds_bucket{` + one + `,le="0.25"} 0+1x120` + "\n  " +
				`gohub_fanout_duration_seconds_bucket{` + one + `,le="1"} 0+100x120` + "\n  " +
				`gohub_fanout_duration_seconds_bucket{` + one + `,le="+Inf"} 0+100x120`,
			quiet: `gohub_fanout_duration_seconds_bucket{` + one + `,le="0.25"} 0+100x120` + "\n  " +
				`gohub_fanout_duration_seconds_bucket{` + one + `,le="1"} 0+100x120` + "\n  " +
				`gohub_fanout_duration_seconds_bucket{` + one + `,le="+Inf"} 0+100x120`,
		},
		"GoHubPanics": {
			fires: `gohub_panics_total{` + one + `} 0x115 1x5`,
			quiet: `gohub_panics_total{` + one + `} 0x20 1x100`,
		},
		"GoHubDrainStuck": {
			fires: `gohub_draining{` + one + `} 1x120`,
			quiet: `gohub_draining{` + one + `} 0x80 1x40`,
		},
		"GoHubClusterNotReady": {
			fires: `gohub_operator_cluster_ready{namespace="chat",name="chat"} 1x100 0x20`,
			quiet: `gohub_operator_cluster_ready{namespace="chat",name="chat"} 1x115 0x5`,
		},
		"GoHubHubsMissing": {
			fires: `gohub_operator_cluster_hubs_ready{namespace="chat",name="chat"} 2x120` + "\n  " +
				`gohub_operator_cluster_hubs_desired{namespace="chat",name="chat"} 3x120`,
			quiet: `gohub_operator_cluster_hubs_ready{namespace="chat",name="chat"} 3x120` + "\n  " +
				`gohub_operator_cluster_hubs_desired{namespace="chat",name="chat"} 2x120`,
		},
		"GoHubOperatorFails": {
			fires: `controller_runtime_reconcile_errors_total` + operator + ` 0+1x120`,
			quiet: `controller_runtime_reconcile_errors_total` + operator + ` 0x90 7x30`,
		},
		"GoHubOperatorAbsent": {
			fires: `controller_runtime_max_concurrent_reconciles` + operator + ` 4x100`,
			quiet: `controller_runtime_max_concurrent_reconciles` + operator + ` 4x120`,
		},
	}
}

func TestAlertsFire(t *testing.T) {
	all := cases()
	for _, alert := range readAlerts(t) {
		t.Run(alert.Alert, func(t *testing.T) {
			c, ok := all[alert.Alert]
			if !ok {
				t.Fatal("it has no case")
			}
			if !fires(t, alert, c.fires) {
				t.Errorf("it does not fire with\n  %s", c.fires)
			}
			if fires(t, alert, c.quiet) {
				t.Errorf("it fires with\n  %s", c.quiet)
			}
			if alert.Alert != "GoHubOperatorAbsent" && fires(t, alert, "") {
				t.Error("it fires without any series")
			}
		})
		delete(all, alert.Alert)
	}
	for name := range all {
		t.Errorf("there is no alert %s", name)
	}
}

// fires reports whether an alert fires after two hours: whether its expression
// has been true for as long as it says.
func fires(t *testing.T, alert rulefmt.Rule, series string) bool {
	t.Helper()
	store := promqltest.LoadedStorage(t, "load 1m\n  "+series)
	engine := promqltest.NewTestEngine(t, false, 0, 100_000)
	end := time.Unix(0, 0).Add(2 * time.Hour)
	for at := end.Add(-time.Duration(alert.For)); !at.After(end); at = at.Add(time.Minute) {
		q, err := engine.NewInstantQuery(t.Context(), store, nil, alert.Expr, at)
		if err != nil {
			t.Fatal(err)
		}
		v, err := q.Exec(t.Context()).Vector()
		q.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(v) == 0 {
			return false
		}
	}
	return true
}
