//go:build unix

package redis_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/test/redisserver"
)

// memoryOnly is a server without files, so that the disk is not what is measured.
var memoryOnly = redisserver.Config{Lines: []string{"appendonly no"}}

// From Publish on one node to deliver on another, one message at a time.
func BenchmarkPublishReceive(b *testing.B) {
	s := redisserver.Start(b, memoryOnly)
	from, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{})
	to, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{})
	heard := subscribe(b, to, "x")
	probe(b, to)
	var took []time.Duration
	payload := make([]byte, 128)
	for b.Loop() {
		began := time.Now()
		if err := from.Publish("x", payload); err != nil {
			b.Fatal(err)
		}
		<-heard
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// As many messages as go through, from one node to another.
func BenchmarkPublishFlood(b *testing.B) {
	s := redisserver.Start(b, memoryOnly)
	from, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{})
	to, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{})
	var heard atomic.Int64
	if _, err := to.Subscribe("x", func(bus.Message) { heard.Add(1) }); err != nil {
		b.Fatal(err)
	}
	probe(b, to)
	payload := make([]byte, 128)
	sent := int64(0)
	for b.Loop() {
		for from.Publish("x", payload) != nil {
			probe(b, from)
		}
		sent++
	}
	for heard.Load()+int64(to.Stats().Dropped) < sent {
		probe(b, to)
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
}

// Acknowledged appends to one log by many goroutines.
func BenchmarkAppend(b *testing.B) {
	s := redisserver.Start(b, memoryOnly)
	keep := bus.Retention{Size: 100, TTL: time.Hour}
	node, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{History: keep})
	log := bus.LogOf(node)
	payload := make([]byte, 128)
	var id atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := log.Append(b.Context(), "x", fmt.Sprint(id.Add(1)), payload, keep); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// The repair of 100 missed messages.
func BenchmarkRead100(b *testing.B) {
	s := redisserver.Start(b, memoryOnly)
	keep := bus.Retention{Size: 200, TTL: time.Hour}
	node, _ := connect(b, redis.Config{Addr: s.Addr}, bus.Options{History: keep})
	log := bus.LogOf(node)
	for i := range 200 {
		if _, err := log.Append(b.Context(), "x", fmt.Sprint(i), make([]byte, 128), keep); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if entries, _, err := log.Read(b.Context(), "x", 100, 100); err != nil || len(entries) != 100 {
			b.Fatal(len(entries), err)
		}
	}
}

// What 200,000 subscriptions cost a node, and how long they take to be in force,
// the first time and after a reconnect.
func BenchmarkSubscriptions(b *testing.B) {
	const n = 200_000
	s := redisserver.Start(b, memoryOnly)
	for b.Loop() {
		node, notices := connect(b, redis.Config{Addr: s.Addr}, bus.Options{})
		before, goroutines := heap(), runtime.NumGoroutine()
		began := time.Now()
		for i := range n {
			if _, err := node.Subscribe(fmt.Sprintf("room.%032d", i), func(bus.Message) {}); err != nil {
				b.Fatal(err)
			}
		}
		probe(b, node)
		b.ReportMetric(time.Since(began).Seconds(), "s-in-force")
		b.ReportMetric(float64(heap()-before)/n, "bytes/subscription")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")

		began = time.Now()
		if err := s.Client(b).ClientKillByFilter(b.Context(), "TYPE", "pubsub").Err(); err != nil {
			b.Fatal(err)
		}
		next(b, "Connected", notices, ofKind(bus.Connected))
		b.ReportMetric(time.Since(began).Seconds(), "s-reconnect")
		if err := node.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
