package bustest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// The times of the contract: until a dead broker is known, and until everything
// works again when it is back.
const (
	noticeTime   = 10 * time.Second // 3 at most on a quiet machine
	recoveryTime = 5 * time.Second
)

func (s *suite) faultTests() []subtest {
	var tests []subtest
	if s.Kill != nil {
		tests = append(tests,
			subtest{"killed and restarted", s.testKill},
			subtest{"killed again and again", s.testKillAgain},
			subtest{"connect while the broker is dead", s.testConnectDead},
			subtest{"close while the broker is dead", s.testCloseDead},
		)
	}
	if s.Kill != nil && s.History {
		tests = append(tests,
			subtest{"append while the broker is dead", s.testAppendDead},
			subtest{"log after a restart", s.testLogRestart},
		)
		if s.RestartEmpty != nil {
			tests = append(tests, subtest{"another epoch without the data", s.testLogEmpty})
		}
	}
	if s.Pause != nil {
		tests = append(tests,
			subtest{"paused", s.testPause},
			subtest{"close while the broker is paused", s.testClosePaused},
		)
		if s.History {
			tests = append(tests, subtest{"append while the broker is paused", s.testAppendPaused})
		}
	}
	return tests
}

// kill ends the brokers, and has them restarted when the subtest ends before it
// did that itself.
func (s *suite) kill(t *testing.T) {
	t.Helper()
	s.Kill(t)
	s.dead = true
	t.Cleanup(func() {
		if s.dead {
			s.dead = false
			s.Restart(t)
		}
	})
}

func (s *suite) restart(t *testing.T) {
	t.Helper()
	s.dead = false
	s.Restart(t)
}

// pause stops the brokers until the function it returns is called, or the subtest
// ends.
func (s *suite) pause(t *testing.T) (resume func()) {
	t.Helper()
	s.Pause(t)
	resume = sync.OnceFunc(func() { s.Resume(t) })
	t.Cleanup(resume)
	return resume
}

func (s *suite) testKill(t *testing.T) {
	publisher, receiver := s.node(t), s.node(t)
	r, ended := s.trace(t, publisher, receiver), s.subject()
	sub := receiver.subscribe(t, ended, func(bus.Message) { t.Error("delivered to a subscription that has ended") })
	r.arrives(t, patience)
	s.kill(t)
	eventually(t, noticeTime, "publish to a dead broker is refused", func() bool {
		err := r.publish()
		if err != nil && !errors.Is(err, bus.ErrRefused) && !errors.Is(err, bus.ErrUnknown) {
			t.Fatalf("publish to a dead broker: %v", err)
		}
		return errors.Is(err, bus.ErrRefused)
	})
	for _, n := range []*node{publisher, receiver} {
		n.noticed(t, bus.Disconnected, 0, noticeTime)
	}
	probeFails(t, publisher)
	// What is subscribed to and unsubscribed from meanwhile takes effect, too.
	var late tally[bus.Message]
	lateSubject := s.subject()
	receiver.subscribe(t, lateSubject, late.add)
	if err := sub.Unsubscribe(); err != nil {
		t.Errorf("unsubscribe from a dead broker: %v", err)
	}
	for range 100 {
		if err := r.publish(); !errors.Is(err, bus.ErrRefused) {
			t.Fatalf("publish to a dead broker: %v, want ErrRefused", err)
		}
	}

	s.restart(t)
	back := time.Now()
	for _, n := range []*node{publisher, receiver} {
		n.noticed(t, bus.Connected, 0, recoveryTime-time.Since(back))
	}
	// Every subscription is in force as after a probe: nothing is missed.
	if !s.greet(receiver, publisher, recoveryTime-time.Since(back)) {
		t.Fatalf("the publisher hears nothing %v after the restart", time.Since(back))
	}
	first := r.sent
	if err := r.publish(); err != nil {
		t.Fatalf("publish after Connected: %v", err)
	}
	publisher.publish(t, lateSubject, nil)
	if !r.heard.wait(recoveryTime, func(got []int) bool { return len(got) > 0 && got[len(got)-1] >= first }) {
		t.Error("a message was missed after Connected")
	}
	if !late.wait(recoveryTime, func(got []bus.Message) bool { return len(got) > 0 }) {
		t.Error("a message for a subscription made meanwhile was missed after Connected")
	}
	if took := time.Since(back); took > recoveryTime {
		t.Errorf("messages arrived %v after the restart, want %v", took, recoveryTime)
	}
	publisher.publish(t, ended, nil)
	r.arrives(t, patience)
	r.check(t)
	for _, n := range []*node{publisher, receiver} {
		if n.Stats().Reconnects == 0 {
			t.Errorf("Stats of %s count no reconnect", n.name)
		}
		for _, o := range n.notices.all() {
			if (o.Err == nil) != (o.Kind == bus.Connected) {
				t.Errorf("notice %s with error %v", kindName(o.Kind), o.Err)
			}
		}
	}
}

// probeFails checks that a probe fails by its deadline.
func probeFails(t *testing.T, n *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := n.Probe(ctx); err == nil {
		t.Error("a probe succeeded without a broker")
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("the probe took %v, its context had 500ms", took)
	}
}

// Several outages leave each subscription in force once.
func (s *suite) testKillAgain(t *testing.T) {
	publisher, receiver := s.node(t), s.node(t)
	r := s.trace(t, publisher, receiver)
	for range 3 {
		seen := receiver.notices.len()
		s.kill(t)
		receiver.noticed(t, bus.Disconnected, seen, noticeTime)
		s.restart(t)
		receiver.noticed(t, bus.Connected, seen, recoveryTime)
		r.arrives(t, recoveryTime)
	}
	s.ready(t, receiver, publisher)
	first := r.sent
	for range 100 {
		if err := r.publish(); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	r.heard.wait(patience, func(got []int) bool { return len(got) > 0 && got[len(got)-1] >= first+99 })
	r.check(t)
	if got := last(r.heard.all(), 100); len(got) != 100 || got[0] != first {
		t.Errorf("not all of 100 messages were heard after the outages: %d, from %d on, want from %d", len(got), got[0], first)
	}
}

// A bus can be made while its broker is away; it becomes connected later.
func (s *suite) testConnectDead(t *testing.T) {
	s.kill(t)
	begin := time.Now()
	receiver := s.node(t)
	if s.History {
		receiver = s.logNode(t)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("connecting to a dead broker took %v", took)
	}
	subject := s.subject()
	heard := receiver.listen(t, subject)
	if err := receiver.Publish(subject, nil); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("publish to a dead broker: %v, want ErrRefused", err)
	}
	probeFails(t, receiver)
	s.restart(t)
	receiver.noticed(t, bus.Connected, 0, recoveryTime)
	publisher := s.node(t)
	s.ready(t, publisher, receiver)
	s.ready(t, receiver, publisher)
	publisher.publish(t, subject, []byte("x"))
	heard.waitLen(t, 1, "messages")
	if receiver.log != nil {
		receiver.append(t, subject, "1", []byte("y"))
	}
}

func (s *suite) testCloseDead(t *testing.T) {
	n := s.node(t)
	n.probe(t)
	s.kill(t)
	closeFails(t, n)
}

func (s *suite) testClosePaused(t *testing.T) {
	n := s.node(t)
	n.probe(t)
	s.pause(t)
	_ = n.Publish(s.subject(), []byte("x"))
	closeFails(t, n)
}

// closeFails closes without a broker: with or without an error, but in time.
func closeFails(t *testing.T, n *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begin := time.Now()
	_ = n.Close(ctx)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("close took %v, its context had 1s", took)
	}
	if err := n.Publish(n.hello, nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish after Close: %v, want ErrClosed", err)
	}
}

func (s *suite) testPause(t *testing.T) {
	publisher, receiver := s.node(t), s.node(t)
	r := s.trace(t, publisher, receiver)
	r.arrives(t, patience)
	resume := s.pause(t)
	begin := time.Now()
	for range 500 {
		if err := r.publish(); err != nil && !errors.Is(err, bus.ErrRefused) && !errors.Is(err, bus.ErrUnknown) {
			t.Fatalf("publish to a paused broker: %v", err)
		}
	}
	var late tally[bus.Message]
	lateSubject := s.subject()
	receiver.subscribe(t, lateSubject, late.add)
	if took := time.Since(begin); took > noticeTime {
		t.Errorf("publishing to and subscribing at a paused broker took %v", took)
	}
	for _, n := range []*node{publisher, receiver} {
		probeFails(t, n)
	}
	resume()
	back := time.Now()
	r.arrives(t, recoveryTime)
	eventually(t, max(time.Second, recoveryTime-time.Since(back)), "a message for a later subscription arrives", func() bool {
		return publisher.Publish(lateSubject, nil) == nil &&
			late.wait(20*time.Millisecond, func(got []bus.Message) bool { return len(got) > 0 })
	})
	for _, n := range []*node{publisher, receiver} {
		n.probe(t)
	}
	r.check(t)
}
