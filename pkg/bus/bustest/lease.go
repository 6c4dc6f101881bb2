package bustest

import (
	"context"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) leaseTests() []subtest {
	tests := []subtest{{"leaser", s.testLease}}
	if s.Leases && s.Kill != nil {
		tests = append(tests, subtest{"not while the broker is dead", s.testLeaseKilled})
	}
	if s.Leases && s.Pause != nil {
		tests = append(tests, subtest{"not while the broker is paused", s.testLeasePaused})
	}
	return tests
}

// leaseNode connects a node whose bus has all that its broker can.
func (s *suite) leaseNode(t *testing.T) (*node, bus.Leaser) {
	t.Helper()
	n := s.node(t)
	if s.History {
		n = s.logNode(t)
	}
	return n, bus.LeaserOf(n.Bus)
}

func (s *suite) testLease(t *testing.T) {
	n, leaser := s.leaseNode(t)
	if (leaser != nil) != s.Leases {
		t.Fatalf("LeaserOf returns %T, the harness says Leases: %v", leaser, s.Leases)
	}
	if leaser == nil {
		return
	}
	for range 3 { // it is renewed
		if err := leaser.Confirm(soon(t), n.name, time.Second); err != nil {
			t.Fatalf("confirm: %v", err)
		}
	}
	other, otherLeaser := s.leaseNode(t)
	if err := otherLeaser.Confirm(soon(t), other.name, time.Second); err != nil {
		t.Errorf("confirm of another node: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := leaser.Confirm(ctx, n.name, time.Second); err == nil {
		t.Error("confirm with an ended context: no error")
	}
}

func (s *suite) testLeaseKilled(t *testing.T) {
	n, leaser := s.leaseNode(t)
	s.kill(t)
	s.notConfirmed(t, n, leaser)
	s.restart(t)
	s.confirmedAgain(t, n, leaser)
}

func (s *suite) testLeasePaused(t *testing.T) {
	n, leaser := s.leaseNode(t)
	resume := s.pause(t)
	s.notConfirmed(t, n, leaser)
	resume()
	s.confirmedAgain(t, n, leaser)
}

func (s *suite) notConfirmed(t *testing.T, n *node, leaser bus.Leaser) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := leaser.Confirm(ctx, n.name, time.Second); err == nil {
		t.Error("confirmed by nobody")
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("it took %v, the context had 500ms", took)
	}
}

func (s *suite) confirmedAgain(t *testing.T, n *node, leaser bus.Leaser) {
	t.Helper()
	eventually(t, patience, "a lease is confirmed again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return leaser.Confirm(ctx, n.name, time.Second) == nil
	})
}
