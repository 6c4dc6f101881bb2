package bustest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) clusterTests() []subtest {
	var tests []subtest
	if s.Failover != nil {
		tests = append(tests, subtest{"failover", s.testFailover})
		if s.History {
			tests = append(tests, subtest{"failover of the log", s.testFailoverLog})
		}
	}
	if s.Partition != nil {
		tests = append(tests, subtest{"partition", s.testPartition})
		if s.History {
			tests = append(tests, subtest{"partition of the log", s.testPartitionLog})
		}
	}
	return tests
}

// failover takes a broker away until the function it returns is called, or the
// subtest ends.
func (s *suite) failover(t *testing.T) (failedBack func()) {
	t.Helper()
	s.Failover(t)
	failedBack = sync.OnceFunc(func() { s.FailedBack(t) })
	t.Cleanup(failedBack)
	return failedBack
}

func (s *suite) partition(t *testing.T) (heal func()) {
	t.Helper()
	s.Partition(t)
	heal = sync.OnceFunc(func() { s.Heal(t) })
	t.Cleanup(heal)
	return heal
}

// together checks that every node hears every other within a time.
func (s *suite) together(t *testing.T, nodes []*node, within time.Duration) {
	t.Helper()
	end := time.Now().Add(within)
	for _, from := range nodes {
		for _, to := range nodes {
			if from != to && !s.greet(from, to, max(time.Second, time.Until(end))) {
				t.Fatalf("%s does not hear %s within %v", to.name, from.name, within)
			}
		}
	}
}

// A broker that is lost loses messages only where a node is told.
func (s *suite) testFailover(t *testing.T) {
	nodes := []*node{s.node(t), s.node(t), s.node(t)}
	var traces []*trace
	for i := range nodes {
		traces = append(traces, s.trace(t, nodes[i], nodes[(i+1)%len(nodes)]))
	}
	for _, r := range traces {
		r.arrives(t, patience)
	}
	publishing := publishSteadily(t, traces)
	failedBack := s.failover(t)
	s.together(t, nodes, s.FailoverTime)
	failedBack()
	s.together(t, nodes, s.FailoverTime)
	publishing()
	for i, r := range traces {
		s.ready(t, nodes[(i+1)%len(nodes)], nodes[i])
		r.arrives(t, patience)
		r.check(t)
		lost, told := r.lost(), nodes[i].notices.len()+nodes[(i+1)%len(nodes)].notices.len()
		t.Logf("%d sent, %d refused, %d lost, %d notices", r.sent, len(r.refused), lost, told)
		if lost > 0 && told == 0 {
			t.Errorf("%s to %s: %d messages were lost and neither was told", nodes[i].name, nodes[(i+1)%len(nodes)].name, lost)
		}
	}
}

// publishSteadily publishes 1,000 messages a second on each trace until the
// function it returns is called.
func publishSteadily(t *testing.T, traces []*trace) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, r := range traces {
		wg.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					_ = r.publish() // which keeps what came of it
				}
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// What was kept before a broker was lost is kept after it.
func (s *suite) testFailoverLog(t *testing.T) {
	nodes := []*node{s.logNode(t), s.logNode(t), s.logNode(t)}
	a := newAttempts(s.subject())
	heard := nodes[0].listen(t, a.subject)
	nodes[0].probe(t)
	for i := range 30 {
		if err := a.append(t, nodes[i%len(nodes)], fmt.Sprintf("before-%d", i), patience); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	failedBack := s.failover(t)
	for i, n := range nodes {
		if err := a.append(t, n, fmt.Sprintf("without-%d", i), s.FailoverTime); err != nil {
			t.Errorf("append by %s after a failover: %v", n.name, err)
		}
	}
	failedBack()
	for i, n := range nodes {
		if err := a.append(t, n, fmt.Sprintf("behind-%d", i), s.FailoverTime); err != nil {
			t.Errorf("append by %s after the broker is back: %v", n.name, err)
		}
	}
	s.sameLog(t, nodes, a.subject)
	for _, n := range nodes {
		a.check(t, n, heard)
	}
}

// sameLog checks that all nodes come to read the same log.
func (s *suite) sameLog(t *testing.T, nodes []*node, subject string) {
	t.Helper()
	eventually(t, patience, "all nodes read the same log", func() bool {
		want, tail := nodes[0].read(t, subject, 0, historySize)
		for _, n := range nodes[1:] {
			got, gotTail := n.read(t, subject, 0, historySize)
			if gotTail != tail || !slices.Equal(entryPlaces(got), entryPlaces(want)) {
				return false
			}
		}
		return true
	})
}

// No call outlives its context while the brokers are cut off, and afterwards
// everything works again by itself.
func (s *suite) testPartition(t *testing.T) {
	nodes := []*node{s.node(t), s.node(t), s.node(t)}
	var traces []*trace
	for i := range nodes {
		traces = append(traces, s.trace(t, nodes[i], nodes[(i+1)%len(nodes)]))
	}
	heal := s.partition(t)
	publishing := publishSteadily(t, traces)
	for range 5 {
		for _, n := range nodes {
			begin := time.Now()
			_ = n.Probe(ended(t, 300*time.Millisecond)) // some have their broker, some do not
			if took := time.Since(begin); took > 1300*time.Millisecond {
				t.Errorf("a probe took %v, its context had 300ms", took)
			}
		}
	}
	publishing()
	heal()
	s.together(t, nodes, s.FailoverTime)
	for i, r := range traces {
		s.ready(t, nodes[(i+1)%len(nodes)], nodes[i])
		r.arrives(t, patience)
		r.check(t)
	}
}

// The log has one order and keeps what it has promised through a partition.
func (s *suite) testPartitionLog(t *testing.T) {
	nodes := []*node{s.logNode(t), s.logNode(t), s.logNode(t)}
	a := newAttempts(s.subject())
	var heard []*tally[bus.Message]
	for _, n := range nodes {
		heard = append(heard, n.listen(t, a.subject))
		n.probe(t)
	}
	heal := s.partition(t)
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			for j := range 5 {
				_ = a.append(t, n, fmt.Sprintf("%d-%d", i, j), 300*time.Millisecond)
			}
		})
	}
	wg.Wait()
	t.Logf("while cut off: %d kept, %d refused, %d unknown", len(a.kept), len(a.refused), len(a.unknown))
	heal()
	s.together(t, nodes, s.FailoverTime)
	for i, n := range nodes {
		if err := a.append(t, n, fmt.Sprintf("behind-%d", i), s.FailoverTime); err != nil {
			t.Errorf("append by %s after Heal: %v", n.name, err)
		}
	}
	a.settle(t, heard[0])
	s.sameLog(t, nodes, a.subject)
	for i, n := range nodes {
		a.check(t, n, heard[i])
	}
}
