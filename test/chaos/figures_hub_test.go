package chaos_test

import (
	"context"
	"testing"
	"time"
)

// figures are the sizes of the worlds that are measured: nobody but a crowd is
// in them.
var figures = size{hubs: 3, brokers: 1, slow: "close", environ: []string{"GOHUB_DRAIN_WINDOW=10s", "GOHUB_DRAIN_TIMEOUT=20s"}}

// BenchmarkHubKilled: how long the clients of a killed hub take until they are
// connected to another one and have all that they missed. At most 3 s (p99).
func BenchmarkHubKilled(b *testing.B) {
	const rooms, n = 10, 900
	for b.Loop() {
		w := newWorld(b, "jetstream", figures)
		c := newCrowd(b, w, n, rooms)
		ctx, stop := context.WithCancel(w.alive)
		acked := make(chan []acknowledged, 1)
		go func() { acked <- c.publish(ctx, rooms, 20*time.Millisecond) }()
		pause(w.alive, 2*time.Second)
		killed := c.on(w.hubs[0].name)
		at := w.now()
		w.hubs[0].kill()
		eventually(b, "all clients are back", func() bool { took, _ := c.back(at); return len(took) >= killed })
		took, lost := c.back(at)
		stop()
		list := <-acked
		eventually(b, "all that was acknowledged has come", func() bool { return c.missing(list) == 0 })
		b.ReportMetric(percentile(took, 0.5).Seconds(), "p50-s")
		b.ReportMetric(percentile(took, 0.99).Seconds(), "p99-s")
		b.ReportMetric(float64(killed), "clients")
		b.ReportMetric(float64(lost), "not-recovered")
	}
}

// BenchmarkRollingRestart: three hubs with 5,000 sessions are restarted in turn
// under load. No acknowledged message is lost, every connection is closed with
// 1012, and clients come back at less than twice the mean rate.
func BenchmarkRollingRestart(b *testing.B) {
	const rooms, n = 50, 5000
	for b.Loop() {
		w := newWorld(b, "jetstream", figures)
		c := newCrowd(b, w, n, rooms)
		ctx, stop := context.WithCancel(w.alive)
		acked := make(chan []acknowledged, 1)
		go func() { acked <- c.publish(ctx, rooms, 20*time.Millisecond) }()
		pause(w.alive, time.Second)
		worst := 0.0
		for _, h := range w.hubs {
			leaving, at := c.on(h.name), w.now()
			h.terminate(b)
			h.start(b)
			h.await(b)
			eventually(b, "all clients are back", func() bool { took, _ := c.back(at); return len(took) >= leaving })
			took, _ := c.back(at)
			ratio := peak(took) / (float64(leaving) / 10)
			b.Logf("%s: %d clients, back from %v to %v, at most %.0f a second: %.2f of the mean", h.name, leaving, took[0], took[len(took)-1], peak(took), ratio)
			worst = max(worst, ratio)
		}
		stop()
		list := <-acked
		missing := -1
		eventually(b, "all that was acknowledged has come", func() bool { missing = c.missing(list); return missing == 0 })
		_, lost := c.back(0)
		c.mu.Lock()
		for how, count := range c.codes {
			b.Logf("closed with %s: %d", how, count)
			if how != "1012" {
				b.Errorf("%d connections ended with %s", count, how)
			}
		}
		c.mu.Unlock()
		b.ReportMetric(float64(len(list)), "acknowledged")
		b.ReportMetric(float64(missing), "lost")
		b.ReportMetric(float64(lost), "not-recovered")
		b.ReportMetric(worst, "peak/mean")
	}
}

// peak is the most that happen in a second.
func peak(sorted []time.Duration) float64 {
	most, first := 0, 0
	for i := range sorted {
		for sorted[i]-sorted[first] >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return float64(most)
}
