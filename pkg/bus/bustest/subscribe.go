package bustest

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) subscribeTests() []subtest {
	return []subtest{
		{"interest", s.testInterest},
		{"twice", s.testSubscribeTwice},
		{"unsubscribe", s.testUnsubscribe},
		{"unsubscribe and subscribe again", s.testResubscribe},
		{"probed is in force", s.testBarrier},
		{"ten thousand", s.testManySubscriptions},
	}
}

// A node without a member gets nothing.
func (s *suite) testInterest(t *testing.T) {
	const n = 1000
	publisher, member, stranger := s.node(t), s.node(t), s.node(t)
	subject := s.subject()
	heard := member.listen(t, subject)
	stranger.listen(t, s.subject())
	s.ready(t, member, publisher)
	s.ready(t, stranger, publisher)
	s.ready(t, publisher, stranger)

	before, greetings := stranger.Stats().ReceivedMessages, stranger.greetings.len()
	memberBefore := member.Stats().ReceivedMessages
	for i := range n {
		publisher.publish(t, subject, numbered(0, i))
	}
	heard.waitLen(t, n, "messages")
	s.ready(t, publisher, stranger) // what has been published before is there, too
	if got := member.Stats().ReceivedMessages - memberBefore; got != n {
		t.Errorf("Stats of the member count %d received, want %d", got, n)
	}
	greetings = stranger.greetings.len() - greetings
	if got := stranger.Stats().ReceivedMessages - before; got != uint64(greetings) {
		t.Errorf("the node that subscribed to something else received %d messages and %d greetings", int(got)-greetings, greetings)
	}
}

func (s *suite) testSubscribeTwice(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	sub, err := receiver.Subscribe(subject, func(bus.Message) { t.Error("delivered to the second subscription") })
	mistake(t, "second subscription", err)
	if err != nil && sub != nil {
		t.Error("the second Subscribe returns a subscription and an error")
	}
	s.ready(t, receiver, publisher)
	publisher.publish(t, subject, nil)
	publisher.publish(t, subject, nil)
	heard.waitLen(t, 2, "messages for the first subscription")
	s.ready(t, publisher, receiver)
	if n := heard.len(); n != 2 {
		t.Errorf("2 messages were delivered %d times", n)
	}
}

func (s *suite) testUnsubscribe(t *testing.T) {
	const n = 100
	receiver, publisher := s.node(t), s.node(t)
	subject, marker := s.subject(), s.subject()
	var heard tally[bus.Message]
	sub := receiver.subscribe(t, subject, heard.add)
	other := receiver.listen(t, marker)
	s.ready(t, receiver, publisher)
	publisher.publish(t, subject, nil)
	heard.waitLen(t, 1, "messages before Unsubscribe")

	if err := sub.Unsubscribe(); err != nil {
		t.Fatalf("unsubscribe: %v", err)
	}
	s.ready(t, receiver, publisher)
	had, received := heard.len(), receiver.Stats().ReceivedMessages
	for range n {
		publisher.publish(t, subject, nil)
	}
	publisher.publish(t, marker, nil)
	other.waitLen(t, 1, "message behind the others")
	s.ready(t, publisher) // on every connection
	if got := heard.len(); got != had {
		t.Errorf("%d messages were delivered after Unsubscribe was in force", got-had)
	}
	if got := receiver.Stats().ReceivedMessages - received; got > n/2 {
		t.Errorf("%d messages came to a node that has unsubscribed", got)
	}
}

// An end and a new beginning in quick succession, which brokers and drivers may
// see in batches, leave the new subscription in force.
func (s *suite) testResubscribe(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	var old bus.Subscription
	for range 500 {
		sub := receiver.subscribe(t, subject, func(bus.Message) { t.Error("delivered to a subscription that has ended") })
		if err := sub.Unsubscribe(); err != nil {
			t.Fatalf("unsubscribe: %v", err)
		}
		old = sub
	}
	heard := receiver.listen(t, subject)
	// Whether this is an error is left open; it must not end the new one.
	_ = old.Unsubscribe()
	s.ready(t, receiver, publisher)
	publisher.publish(t, subject, nil)
	heard.waitLen(t, 1, "message for the subscription that is left")
	s.ready(t, publisher, receiver)
	if n := heard.len(); n != 1 {
		t.Errorf("1 message was delivered %d times", n)
	}
}

// Joined means joined: after Subscribe and Probe, and a message of this node to
// the publisher, nothing is missed.
func (s *suite) testBarrier(t *testing.T) {
	const rounds = 1000
	receiver, publisher := s.node(t), s.node(t)
	s.ready(t, receiver, publisher)

	// The publisher answers a subject's name with a message on that subject.
	ask := s.subject()
	asked := &tally[string]{}
	publisher.subscribe(t, ask, func(m bus.Message) { asked.add(string(m.Payload)) })
	s.ready(t, publisher, receiver)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			if !asked.wait(patience, func(got []string) bool { return len(got) > i }) {
				return // the receiver tells of it
			}
			if err := publisher.Publish(asked.all()[i], nil); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	}()
	for i := range rounds {
		subject := s.subject()
		got := make(chan struct{}, 1)
		receiver.subscribe(t, subject, func(bus.Message) { got <- struct{}{} })
		receiver.probe(t)
		receiver.publish(t, ask, []byte(subject))
		select {
		case <-got:
		case <-time.After(patience):
			t.Fatalf("round %d: the message published behind a probe was missed", i)
		}
	}
	<-done
}

// Subscriptions are cheap: no goroutine each, and many are in force soon.
func (s *suite) testManySubscriptions(t *testing.T) {
	const n = 10_000
	limit := 2 * time.Second
	if raceDetector {
		limit *= 5
	}
	receiver, publisher := s.node(t), s.node(t)
	s.ready(t, receiver, publisher)
	goroutines := runtime.NumGoroutine()
	heard := &tally[bus.Message]{}
	subjects := make([]string, n)
	subs := make([]bus.Subscription, n)
	begin := time.Now()
	for i := range subjects {
		subjects[i] = s.subject()
		subs[i] = receiver.subscribe(t, subjects[i], heard.add)
	}
	receiver.probe(t)
	if took := time.Since(begin); took > limit {
		t.Errorf("%d subscriptions were in force after %v, want %v", n, took, limit)
	}
	if more := runtime.NumGoroutine() - goroutines; more > 100 {
		t.Errorf("%d goroutines for %d subscriptions", more, n)
	}

	s.ready(t, receiver, publisher)
	for i, subject := range subjects {
		publisher.publish(t, subject, numbered(0, i))
	}
	seen := make(map[string]bool, n)
	for _, m := range heard.waitLen(t, n, "messages on as many subjects") {
		seen[m.Subject] = true
	}
	if len(seen) != n {
		t.Errorf("messages came on %d subjects of %d", len(seen), n)
	}
	var errs []error
	for _, sub := range subs {
		errs = append(errs, sub.Unsubscribe())
	}
	if err := errors.Join(errs...); err != nil {
		t.Errorf("unsubscribe: %v", fmt.Sprintf("%.200s", err.Error()))
	}
}
