package main

import (
	"strings"
	"testing"

	"github.com/chenxilol/gohub/bench/internal/result"
)

func TestParseSkipsConsoleLines(t *testing.T) {
	runs, err := parse(strings.NewReader("booting\n{\"set\":\"a\",\"conns\":7}\n\nexit 0\n"))
	if err != nil || len(runs) != 1 || runs[0].Conns != 7 {
		t.Fatalf("got %+v, %v", runs, err)
	}
	if _, err := parse(strings.NewReader("{broken\n")); err == nil {
		t.Fatal("a broken line was accepted")
	}
}

func TestJudge(t *testing.T) {
	run := func(server string, round int, cpu float64, lost int64) result.Run {
		return result.Run{Set: "Fan-out, 1 queued", Mode: "fanout", Server: server, Round: round, CPUPerMsg: cpu, Lost: lost}
	}
	for _, c := range []struct {
		name   string
		runs   []result.Run
		missed int
	}{
		// The ratio is taken within a round: in each the hub costs 1.05 of bare, though the machine slowed down.
		{"within bounds", []result.Run{run("bare", 1, 4, 0), run(hubName, 1, 4.2, 0), run("bare", 2, 8, 0), run(hubName, 2, 8.4, 0)}, 0},
		{"too slow", []result.Run{run("bare", 1, 4, 0), run(hubName, 1, 4.5, 0)}, 1},
		{"lost once in three", []result.Run{run("bare", 1, 4, 0), run(hubName, 1, 4, 1), run(hubName, 1, 4, 0), run(hubName, 1, 4, 0)}, 1},
		{"no hub", []result.Run{run("bare", 1, 4, 9)}, 0},
	} {
		if _, missed := judge(c.runs); missed != c.missed {
			t.Errorf("%s: %d missed, want %d", c.name, missed, c.missed)
		}
	}
}

// TestMinimum: a bound holds, whatever the machine gave the others.
func TestMinimum(t *testing.T) {
	for perCPU, want := range map[float64]int{2.1e6: 0, 1.9e6: 1} {
		run := result.Run{Set: "Fan-out, 10 queued, x", Mode: "fanout", Server: hubName, PerCPUSecond: perCPU}
		if table, missed := judge([]result.Run{run}); missed != want {
			t.Errorf("%v: %d missed, want %d: %v", perCPU, missed, want, table.rows)
		}
	}
}

func TestTables(t *testing.T) {
	tables := build([]result.Run{
		{Set: "Echo, closed loop", Mode: "echo", Server: "bare", CPUPerMsg: 2},
		{Set: "Echo, closed loop", Mode: "echo", Server: "gohub", CPUPerMsg: 3},
		{Set: "Churn", Mode: "churn", Server: "gohub", Left: &result.Left{Goroutines: 2}},
	})
	if len(tables) != 2 || tables[0].rows[1][2] != "1.50" || tables[1].rows[0][5] != "2" {
		t.Fatalf("tables %+v", tables)
	}
	var md, text strings.Builder
	tables[0].markdown(&md)
	tables[0].text(&text)
	if !strings.Contains(md.String(), "| gohub | 3.000 | 1.50 |") || !strings.Contains(text.String(), "gohub") {
		t.Fatalf("markdown:\n%s\ntext:\n%s", md.String(), text.String())
	}
}
