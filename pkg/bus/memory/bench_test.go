package memory_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

// BenchmarkDelivery is one message of 100 bytes from one node to another.
func BenchmarkDelivery(b *testing.B) {
	broker := memory.NewBroker()
	from, to := connect(b, broker, bus.Options{}), connect(b, broker, bus.Options{})
	defer from.Close(b.Context())
	defer to.Close(b.Context())
	var heard atomic.Int64
	done := make(chan struct{}, 1)
	if _, err := to.Subscribe("a.room", func(bus.Message) {
		if heard.Add(1)%1000 == 0 {
			done <- struct{}{}
		}
	}); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 100)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := from.Publish("a.room", payload); err != nil {
			b.Fatal(err)
		}
		if (i+1)%1000 == 0 {
			<-done
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	n := connect(b, memory.NewBroker(), bus.Options{History: logged})
	defer n.Close(b.Context())
	payload := make([]byte, 100)
	b.ReportAllocs()
	for i := range b.N {
		if _, err := n.Log().Append(b.Context(), "a.room", fmt.Sprint(i), payload, logged); err != nil {
			b.Fatal(err)
		}
	}
}

// A subscription is cheap: a room costs a node at most 2 KiB on the whole.
func TestSubscriptionMemory(t *testing.T) {
	const n = 100_000
	c := connect(t, memory.NewBroker(), bus.Options{})
	defer c.Close(t.Context())
	subjects := make([]string, n)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("room.%d", i)
	}
	deliver := func(bus.Message) {}
	before := heap()
	for _, subject := range subjects {
		if _, err := c.Subscribe(subject, deliver); err != nil {
			t.Fatalf("subscribe: %v", err)
		}
	}
	each := (heap() - before) / n
	t.Logf("%d bytes a subscription", each)
	if each > 300 {
		t.Errorf("%d bytes a subscription, want at most 300", each)
	}
	runtime.KeepAlive(subjects)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
