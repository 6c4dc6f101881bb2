package embedded_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/test/natsserver"
)

func benchPair(b *testing.B) (from, to *embedded.Bus) {
	b.Helper()
	addresses := []string{natsserver.FreeAddress(b), natsserver.FreeAddress(b)}
	var hubs []*embedded.Bus
	for _, a := range addresses {
		h, err := embedded.Connect(embedded.Config{ClusterAddress: a, Routes: addresses}, bus.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = h.Close(context.Background()) })
		hubs = append(hubs, h)
	}
	for len(hubs[0].Peers()) == 0 || len(hubs[1].Peers()) == 0 {
		runtime.Gosched()
	}
	return hubs[0], hubs[1]
}

// BenchmarkCross is the time from Publish at one node to deliver at another.
func BenchmarkCross(b *testing.B) {
	from, to := benchPair(b)
	got := make(chan struct{}, 1)
	if _, err := to.Subscribe("room.x", func(bus.Message) {
		select {
		case got <- struct{}{}:
		default:
		}
	}); err != nil {
		b.Fatal(err)
	}
	for len(got) == 0 { // until the other server knows of it
		if err := from.Publish("room.x", nil); err != nil {
			b.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	<-got
	payload := make([]byte, 128)
	times := make([]time.Duration, 0, b.N)
	for b.Loop() {
		begin := time.Now()
		if err := from.Publish("room.x", payload); err != nil {
			b.Fatal(err)
		}
		<-got
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
}

// BenchmarkSubscriptions is what 200,000 subscriptions cost two hubs together: the
// one that has them, its server, and the server of the other.
func BenchmarkSubscriptions(b *testing.B) {
	const n = 200_000
	for b.Loop() {
		_, hub := benchPair(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		goroutines := runtime.NumGoroutine()
		begin := time.Now()
		for i := range n {
			if _, err := hub.Subscribe(fmt.Sprintf("room.%026d", i), func(bus.Message) {}); err != nil {
				b.Fatal(err)
			}
		}
		if err := hub.Probe(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/sub")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		b.ReportMetric(took.Seconds(), "s/200k")
	}
}
