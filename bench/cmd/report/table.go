package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/chenxilol/gohub/bench/internal/result"
)

type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t table) text(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\n%s\n", t.title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		_, _ = fmt.Fprintln(tw, "  "+strings.Join(row, "\t"))
	}
	_ = tw.Flush()
}

func (t table) markdown(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\n### %s\n\n| %s |\n|---|%s\n", t.title, strings.Join(t.head, " | "), strings.Repeat("--:|", len(t.head)-1))
	for _, row := range t.rows {
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// column is one figure of a run; all holds every run there is.
type column struct {
	name   string
	format string
	value  func(r result.Run, all []result.Run) float64
}

func plain(name, format string, value func(result.Run) float64) column {
	return column{name, format, func(r result.Run, _ []result.Run) float64 { return value(r) }}
}

// columns are what each mode is about.
func columns(mode string) []column {
	conns := plain("connections", "%.0f", func(r result.Run) float64 { return float64(r.Conns) })
	failed := plain("failed", "%.0f", func(r result.Run) float64 { return float64(r.Failed + r.Closed) })
	rss := plain("RSS/conn after GC", "%.0f", func(r result.Run) float64 { return r.RSSPerConnGC })
	lost := plain("lost", "%.0f", func(r result.Run) float64 { return float64(r.Lost) })
	wrong := plain("reordered, self-heard or wrong", "%.0f", func(r result.Run) float64 {
		return float64(r.Reordered + r.SelfHeard + r.Errors)
	})
	perCPU := plain("per server CPU second", "%.0f", func(r result.Run) float64 { return r.PerCPUSecond })
	cpu := plain("server CPU us", "%.3f", func(r result.Run) float64 { return r.CPUPerMsg })
	ratio := column{"x bare", "%.2f", cpuRatio}
	switch mode {
	case "idle":
		return []column{conns, failed,
			plain("RSS/conn", "%.0f", func(r result.Run) float64 { return r.RSSPerConn }),
			rss,
			plain("heap/conn", "%.0f", func(r result.Run) float64 { return r.HeapPerConn }),
			plain("goroutines", "%.0f", func(r result.Run) float64 { return float64(r.Goroutines) }),
			plain("idle % of a core", "%.2f", func(r result.Run) float64 { return r.IdleCPU }),
			plain("CPU us/connect", "%.0f", func(r result.Run) float64 { return r.ConnectCPU }),
			plain("left behind", "%.0f", func(r result.Run) float64 { return leftBehind(r) })}
	case "fanout":
		return []column{conns, failed, rss, cpu, ratio, perCPU,
			plain("bytes", "%.0f", func(r result.Run) float64 { return r.BytesPerMsg }),
			plain("p50 ms", "%.1f", func(r result.Run) float64 { return r.P50 / 1e3 }),
			lost, wrong}
	case "echo":
		return []column{cpu, ratio, perCPU,
			plain("per second", "%.0f", func(r result.Run) float64 { return r.PerSecond }),
			plain("p50 ms", "%.3f", func(r result.Run) float64 { return r.P50 / 1e3 }),
			plain("p99 ms", "%.3f", func(r result.Run) float64 { return r.P99 / 1e3 }),
			plain("allocations", "%.2f", func(r result.Run) float64 { return r.AllocsPerMsg }),
			lost, wrong}
	case "join":
		return []column{
			plain("small room", "%.0f", func(r result.Run) float64 { return float64(r.Small.Members) }),
			plain("p50 us", "%.0f", func(r result.Run) float64 { return r.Small.P50 }),
			plain("CPU us", "%.1f", func(r result.Run) float64 { return r.Small.CPU }),
			plain("large room", "%.0f", func(r result.Run) float64 { return float64(r.Large.Members) }),
			plain("p50 us", "%.0f", func(r result.Run) float64 { return r.Large.P50 }),
			plain("CPU us", "%.1f", func(r result.Run) float64 { return r.Large.CPU }),
			plain("x small, p50", "%.2f", joinRatio),
			plain("x small, CPU", "%.2f", joinCPURatio)}
	default: // churn
		return []column{
			plain("cycles", "%.0f", func(r result.Run) float64 { return float64(r.Cycles) }), failed,
			plain("per second", "%.0f", func(r result.Run) float64 { return r.PerSecond }),
			plain("CPU us/cycle", "%.0f", func(r result.Run) float64 { return r.ConnectCPU }),
			plain("left behind", "%.0f", func(r result.Run) float64 { return leftBehind(r) }),
			plain("RSS over base, KiB", "%.0f", func(r result.Run) float64 {
				if r.Left == nil {
					return 0
				}
				return float64(r.Left.RSS) / 1024
			})}
	}
}

// cpuRatio compares with the bare server of the same repetition; 0 is none.
func cpuRatio(r result.Run, all []result.Run) float64 {
	for _, b := range all {
		if b.Server == "bare" && b.Set == r.Set && b.Round == r.Round && b.CPUPerMsg > 0 {
			return r.CPUPerMsg / b.CPUPerMsg
		}
	}
	return 0
}

func joinRatio(r result.Run) float64    { return r.Large.P50 / max(r.Small.P50, 1) }
func joinCPURatio(r result.Run) float64 { return r.Large.CPU / max(r.Small.CPU, .1) }

// leftBehind counts descriptors, goroutines, clients and rooms over the base.
func leftBehind(r result.Run) float64 {
	if r.Left == nil {
		return 0
	}
	return float64(max(r.Left.FDs, 0) + max(r.Left.Goroutines, 0) + max(r.Left.Clients, 0) + max(r.Left.Rooms, 0))
}

// build makes a table of each comparison, in the order of first appearance.
func build(runs []result.Run) (tables []table) {
	for _, set := range distinct(runs, func(r result.Run) string { return r.Set }) {
		all := filter(runs, func(r result.Run) bool { return r.Set == set })
		cols := columns(all[0].Mode)
		t := table{title: set, head: []string{"server"}}
		for _, c := range cols {
			t.head = append(t.head, c.name)
		}
		for _, server := range distinct(all, func(r result.Run) string { return r.Server }) {
			mine := filter(all, func(r result.Run) bool { return r.Server == server })
			row := []string{server}
			for _, c := range cols {
				row = append(row, fmt.Sprintf(c.format, over(mine, runs, c.value)))
			}
			t.rows = append(t.rows, row)
		}
		tables = append(tables, t)
	}
	return tables
}

// over is the median of a figure over the repetitions.
func over(mine, all []result.Run, value func(result.Run, []result.Run) float64) float64 {
	var v []float64
	for _, r := range mine {
		v = append(v, value(r, all))
	}
	return median(v)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func inSet(prefix string) func(result.Run) bool {
	return func(r result.Run) bool { return strings.HasPrefix(r.Set, prefix) }
}

func distinct(runs []result.Run, key func(result.Run) string) (keys []string) {
	for _, r := range runs {
		if k := key(r); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func filter(runs []result.Run, keep func(result.Run) bool) (kept []result.Run) {
	for _, r := range runs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
