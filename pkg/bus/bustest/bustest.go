// Package bustest holds what every driver of a bus must do: [Run] tests each line
// of the contract in package bus against the brokers that a [Harness] runs.
package bustest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// historySize is what every node of the suite is connected with where it wants a
// log. It is always the same, since brokers have one setting for all.
const historySize = 200

func history() bus.Retention { return bus.Retention{Size: historySize} }

// Harness runs the brokers of one driver. The suite calls its functions from the
// goroutine of the subtest whose t they are given; they fail that t where they
// cannot do what is asked. Nil faults are not tested.
type Harness struct {
	// Connect makes a new connection, which is a new node, to a running broker
	// or to one that Kill has ended; each may go to another broker of a cluster.
	// The options are to be passed on as they are. The suite closes the bus.
	Connect func(t *testing.T, o bus.Options) bus.Bus

	// Kill ends all brokers at once, without a word.
	Kill func(t *testing.T)
	// Restart starts the brokers again that Kill has ended, at the same
	// addresses and with the data they have kept. It returns when they take
	// connections and, in a cluster, have found each other.
	Restart func(t *testing.T)
	// RestartEmpty is Restart without the data.
	RestartEmpty func(t *testing.T)
	// Pause stops all brokers without closing a connection (SIGSTOP). It returns
	// when every thread has stopped, which is a little after the signal was sent.
	// Resume has them go on.
	Pause, Resume func(t *testing.T)
	// Failover takes one broker of several away for good, the one that matters
	// most (a leader, a master); FailedBack puts it back. Within FailoverTime
	// (30 s if 0) the others must have taken over.
	Failover, FailedBack func(t *testing.T)
	FailoverTime         time.Duration
	// Partition cuts brokers from each other, or some of the nodes from theirs,
	// without closing a connection; Heal ends that.
	Partition, Heal func(t *testing.T)

	// History says that a bus connected with Options.History has a Log.
	History bool
	// ExactRetention says that the keep of an Append holds exactly where it is
	// smaller than Options.History; otherwise at least that many are kept.
	ExactRetention bool
	// TTL is a Retention.TTL that is short enough to wait for; 0: the log's TTL
	// is not tested.
	TTL time.Duration
	// Leases says that a bus has a Leaser.
	Leases bool
	// TotalOrder says that one node's messages arrive at another in the order
	// of publishing over all subjects, and not only within each.
	TotalOrder bool
	// SlowBytes is how much is published to a node that delivers nothing, in
	// bytes; 96 MiB if 0. It should exceed what the driver keeps for a slow
	// receiver.
	SlowBytes int
}

// Run tests the driver. Its subtests share the brokers and run one after
// another; each leaves the brokers running.
func Run(t *testing.T, h Harness) {
	s := &suite{Harness: h, run: "bustest." + rand.Text()[:8]}
	if s.FailoverTime == 0 {
		s.FailoverTime = 30 * time.Second
	}
	if s.SlowBytes == 0 {
		s.SlowBytes = 96 << 20
	}
	for _, group := range []struct {
		name  string
		tests []subtest
	}{
		{"order", s.orderTests()},
		{"payload", s.payloadTests()},
		{"subscribe", s.subscribeTests()},
		{"life", s.lifeTests()},
		{"slow", s.slowTests()},
		{"log", s.logTests()},
		{"lease", s.leaseTests()},
		{"faults", s.faultTests()},
		{"cluster", s.clusterTests()},
	} {
		if len(group.tests) == 0 {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, test.run)
			}
		})
	}
}

// subtest is one line of the contract.
type subtest struct {
	name string
	run  func(t *testing.T)
}

// suite is one Run.
type suite struct {
	Harness
	run   string // begins every subject of this Run
	dead  bool   // Kill was called, and no restart
	count atomic.Uint64
}

// subject returns one that nobody has used before.
func (s *suite) subject() string {
	return fmt.Sprintf("%s.s-%d_", s.run, s.count.Add(1))
}

// The time that something may take which must happen. It is long, as machines
// may be busy; where a time is part of the contract, it is written out.
const patience = 30 * time.Second

// soon is a context for what must not take long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
