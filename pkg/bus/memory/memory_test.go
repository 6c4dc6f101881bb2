package memory_test

import (
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/memory"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	broker := memory.NewBroker()
	bustest.Run(t, harness(broker))
}

// harness runs the suite at a broker with all its faults.
func harness(broker *memory.Broker) bustest.Harness {
	var mu sync.Mutex
	var names []string
	return bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus {
			mu.Lock()
			defer mu.Unlock()
			names = append(names, o.Node)
			return connect(t, broker, o)
		},
		Kill:    func(*testing.T) { broker.Stop() },
		Restart: func(*testing.T) { broker.Start() },
		RestartEmpty: func(*testing.T) {
			broker.Wipe()
			broker.Start()
		},
		Pause:  func(*testing.T) { broker.Pause() },
		Resume: func(*testing.T) { broker.Resume() },
		Partition: func(*testing.T) {
			mu.Lock()
			defer mu.Unlock()
			n := len(names)
			broker.Partition(nil, names[n-2:n-1], names[n-1:])
		},
		Heal:           func(*testing.T) { broker.Partition() },
		Failover:       func(*testing.T) { broker.Stop(); broker.Start() },
		FailedBack:     func(*testing.T) {},
		History:        true,
		ExactRetention: true,
		TTL:            50 * time.Millisecond,
		Leases:         true,
		TotalOrder:     true,
	}
}

func connect(t testing.TB, broker *memory.Broker, o bus.Options) *memory.Bus {
	t.Helper()
	b, err := broker.Connect(o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return b
}
