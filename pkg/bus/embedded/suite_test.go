package embedded_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/test/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each node that the suite connects is a hub of its own, with a route to one that
// is always there.
func TestMesh(t *testing.T) {
	first := embedded.Config{ClusterAddress: natsserver.FreeAddress(t), Username: "hub", Password: "pw"}
	seed := connect(t, first, bus.Options{Node: "seed"})
	bustest.Run(t, bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus {
			c := first
			c.ClusterAddress, c.Routes = natsserver.FreeAddress(t), []string{first.ClusterAddress}
			return connect(t, c, o)
		},
	})
	await(t, "the last hub has no peers", func() bool { return len(seed.Peers()) == 0 })
}

// await waits until a condition is met that gives no sign.
func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(30 * time.Second)
	for !met() {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

func connect(t *testing.T, c embedded.Config, o bus.Options) *embedded.Bus {
	t.Helper()
	b, err := embedded.Connect(c, o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(fmt.Errorf("close: %w", err))
		}
	})
	return b
}
