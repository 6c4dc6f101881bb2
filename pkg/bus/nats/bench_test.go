package nats_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/natsserver"
)

func benchBus(b *testing.B, c nats.Config, o bus.Options) *nats.Bus {
	b.Helper()
	conn, err := nats.Connect(c, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// BenchmarkCross is the time from Publish at one node to deliver at another.
func BenchmarkCross(b *testing.B) {
	c := nats.Config{URLs: []string{natsserver.New(b, natsserver.Config{}).URL()}}
	from, to := benchBus(b, c, bus.Options{}), benchBus(b, c, bus.Options{})
	got := make(chan struct{}, 1)
	if _, err := to.Subscribe("room.x", func(bus.Message) { got <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	if err := to.Probe(b.Context()); err != nil {
		b.Fatal(err)
	}
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

// BenchmarkThroughput is the messages a second from one node to another.
func BenchmarkThroughput(b *testing.B) {
	c := nats.Config{URLs: []string{natsserver.New(b, natsserver.Config{}).URL()}}
	from, to := benchBus(b, c, bus.Options{}), benchBus(b, c, bus.Options{})
	var got atomic.Int64
	if _, err := to.Subscribe("room.x", func(bus.Message) { got.Add(1) }); err != nil {
		b.Fatal(err)
	}
	if err := to.Probe(b.Context()); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 128)
	n := int64(0)
	for b.Loop() {
		n++
		for n-got.Load() > 10_000 {
			runtime.Gosched()
		}
		if err := from.Publish("room.x", payload); err != nil {
			b.Fatal(err)
		}
	}
	for got.Load() < n {
		runtime.Gosched()
	}
}

// BenchmarkAppend is the acknowledged appends a second of one node, 64 at a time.
func BenchmarkAppend(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, storage := range []string{"file", "memory"} {
			for _, member := range []bool{true, false} {
				b.Run(fmt.Sprintf("replicas=%d/storage=%s/member=%v", replicas, storage, member), func(b *testing.B) {
					benchAppend(b, config.JetStream{Enable: true, Replicas: replicas, Storage: storage}, member)
				})
			}
		}
	}
}

func benchAppend(b *testing.B, j config.JetStream, member bool) {
	servers := natsserver.NewCluster(b, j.Replicas, natsserver.Config{JetStream: true})
	if j.Replicas == 1 {
		servers = []*natsserver.Server{natsserver.New(b, natsserver.Config{JetStream: true})}
	}
	natsserver.AwaitJetStream(b, servers)
	conn := benchBus(b, nats.Config{URLs: natsserver.URLs(servers), JetStream: j}, bus.Options{History: bus.Retention{Size: 100}})
	log := conn.Log()
	const rooms = 100
	for i := range rooms {
		if !member {
			break
		}
		if _, err := conn.Subscribe(fmt.Sprintf("room.%d", i), func(bus.Message) {}); err != nil {
			b.Fatal(err)
		}
	}
	if err := conn.Probe(b.Context()); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 128)
	if _, err := log.Append(b.Context(), "room.0", "first", payload, bus.Retention{}); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1)
			if _, err := log.Append(b.Context(), fmt.Sprintf("room.%d", i%rooms), fmt.Sprint(i), payload, bus.Retention{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkRead is the repair of 100 missed entries.
func BenchmarkRead(b *testing.B) {
	s := natsserver.New(b, natsserver.Config{JetStream: true})
	conn := benchBus(b, nats.Config{URLs: []string{s.URL()}, JetStream: config.JetStream{Enable: true}}, bus.Options{History: bus.Retention{Size: 200}})
	log := conn.Log()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := log.Append(b.Context(), "room.x", fmt.Sprint(i), make([]byte, 128), bus.Retention{}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	all, _, err := log.Read(b.Context(), "room.x", 0, 200)
	if err != nil || len(all) != 200 {
		b.Fatalf("%d entries, %v", len(all), err)
	}
	for b.Loop() {
		got, _, err := log.Read(b.Context(), "room.x", all[99].Offset, 100)
		if err != nil || len(got) != 100 {
			b.Fatalf("%d entries, %v", len(got), err)
		}
	}
}

// BenchmarkSubscriptions is what 200,000 subscriptions cost this process.
func BenchmarkSubscriptions(b *testing.B) {
	const n = 200_000
	c := nats.Config{URLs: []string{natsserver.New(b, natsserver.Config{}).URL()}}
	for b.Loop() {
		conn := benchBus(b, c, bus.Options{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		goroutines := runtime.NumGoroutine()
		begin := time.Now()
		for i := range n {
			if _, err := conn.Subscribe(fmt.Sprintf("room.%026d", i), func(bus.Message) {}); err != nil {
				b.Fatal(err)
			}
		}
		if err := conn.Probe(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/sub")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		b.ReportMetric(took.Seconds(), "s/200k")
		b.StopTimer()
		if err := conn.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
