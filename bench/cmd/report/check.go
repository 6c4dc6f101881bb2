package main

import (
	"fmt"
	"strings"

	"github.com/chenxilol/gohub/bench/internal/result"
)

// requirement is one figure that the hub must reach in the comparison whose name begins with set.
type requirement struct {
	set    string
	text   string
	value  func(r result.Run, all []result.Run) float64
	least  bool // the bound is a minimum, else a maximum
	bound  float64
	format string
}

// hubName is the label of the hub's runs.
const hubName = "gohub"

func requirements() []requirement {
	of := func(f func(result.Run) float64) func(result.Run, []result.Run) float64 {
		return func(r result.Run, _ []result.Run) float64 { return f(r) }
	}
	wrong := of(func(r result.Run) float64 {
		return float64(r.Failed + r.Closed + r.Errors + r.Lost + r.Reordered + r.SelfHeard)
	})
	gcRSS := of(func(r result.Run) float64 { return r.RSSPerConnGC })
	extra := of(func(r result.Run) float64 { return float64(r.Goroutines - r.GoroutinesBase) })
	return []requirement{
		{"", "failed, closed, lost, reordered, self-heard, wrong", wrong, false, 0, "%.0f"},
		{"Idle, anonymous", "bytes of RSS a connection after GC", gcRSS, false, 1024, "%.0f"},
		{"Idle, anonymous", "goroutines more than without connections", extra, false, 50, "%.0f"},
		{"Idle, with id and a room", "bytes of RSS a connection after GC", gcRSS, false, 1331, "%.0f"},
		{"Idle", "descriptors, goroutines, clients, rooms left behind", of(leftBehind), false, 0, "%.0f"},
		{"Fan-out, 1 queued", "server CPU of a delivery, x bare", cpuRatio, false, 1.1, "%.3f"},
		{"Fan-out, 10 queued", "deliveries per server CPU second", perCPUSecond, true, 2e6, "%.0f"},
		{"Fan-out, 100 queued", "deliveries per server CPU second", perCPUSecond, true, 8e6, "%.0f"},
		{"Fan-out, 100 senders", "deliveries per server CPU second", perCPUSecond, true, 6.4e6, "%.0f"},
		{"Join and leave", "time of a pair in the large room, x small", of(joinRatio), false, 2, "%.2f"},
		{"Echo, 1,000/s", "p50 in us", of(func(r result.Run) float64 { return r.P50 }), false, 150, "%.0f"},
		{"Echo, 1,000/s", "p99 in us", of(func(r result.Run) float64 { return r.P99 }), false, 1000, "%.0f"},
		{"Echo, closed loop", "messages per server CPU second, x bare", throughputRatio, true, .6, "%.2f"},
		{"Echo, closed loop", "allocations a message", of(func(r result.Run) float64 { return r.AllocsPerMsg }), false, 4, "%.2f"},
		{"Churn", "descriptors, goroutines, clients, rooms left behind", of(leftBehind), false, 0, "%.0f"},
		{"One process", "connections", of(func(r result.Run) float64 { return float64(r.Conns) }), true, 100_000, "%.0f"},
		{"One process", "bytes of RSS a connection after GC, with a room", gcRSS, false, 1331, "%.0f"},
		{"One process", "deliveries of a broadcast to all", of(func(r result.Run) float64 {
			return float64(r.Delivered) / float64(max(r.Sent, 1))
		}), true, 100_000, "%.0f"},
	}
}

func perCPUSecond(r result.Run, _ []result.Run) float64 { return r.PerCPUSecond }

func throughputRatio(r result.Run, all []result.Run) float64 {
	if x := cpuRatio(r, all); x > 0 {
		return 1 / x
	}
	return 0
}

// judge lists the requirements that the runs say something about.
func judge(runs []result.Run) (t table, missed int) {
	t = table{title: "Requirements", head: []string{"comparison", "figure", "bound", "measured", ""}}
	for _, q := range requirements() {
		for _, set := range distinct(runs, func(r result.Run) string { return r.Set }) {
			mine := filter(runs, func(r result.Run) bool { return r.Set == set && r.Server == hubName })
			if !strings.HasPrefix(set, q.set) || len(mine) == 0 {
				continue
			}
			v := over(mine, runs, q.value)
			if q.bound == 0 { // a count of faults: none may hide behind a median
				v = 0
				for _, r := range mine {
					v += q.value(r, runs)
				}
			}
			verdict, sign := "ok", "<="
			if q.least {
				sign = ">="
			}
			if q.least && v < q.bound || !q.least && v > q.bound {
				verdict = "MISSED"
				missed++
			}
			t.rows = append(t.rows, []string{set, q.text, sign + " " + fmt.Sprintf(q.format, q.bound), fmt.Sprintf(q.format, v), verdict})
		}
	}
	return t, missed
}
