package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// node is one connection under test.
type node struct {
	bus.Bus
	log       bus.Log // nil without history()
	name      string
	hello     string // the subject on which others greet it
	greetings tally[string]
	notices   tally[bus.Notice]
}

// node connects a node without a log.
func (s *suite) node(t *testing.T) *node {
	t.Helper()
	return s.connect(t, bus.Options{})
}

// logNode connects a node with a log.
func (s *suite) logNode(t *testing.T) *node {
	t.Helper()
	n := s.connect(t, bus.Options{History: history()})
	if n.log = bus.LogOf(n.Bus); n.log == nil {
		t.Fatal("LogOf returns nil for a bus with Options.History")
	}
	return n
}

func (s *suite) connect(t *testing.T, o bus.Options) *node {
	t.Helper()
	n := &node{name: fmt.Sprintf("node-%d", s.count.Add(1)), hello: s.subject()}
	o.Node, o.Notify = n.name, n.notices.receiver(t)
	n.Bus = s.Connect(t, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("close %s: %v", n.name, err)
		}
	})
	n.subscribe(t, n.hello, func(m bus.Message) { n.greetings.add(string(m.Payload)) })
	return n
}

func (n *node) subscribe(t *testing.T, subject string, deliver func(bus.Message)) bus.Subscription {
	t.Helper()
	sub, err := n.Subscribe(subject, deliver)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return sub
}

// listen subscribes and collects the messages. It checks that one message of the
// subject is delivered at a time.
func (n *node) listen(t *testing.T, subject string) *tally[bus.Message] {
	t.Helper()
	heard := &tally[bus.Message]{}
	n.subscribe(t, subject, heard.receiver(t))
	return heard
}

// receiver returns a callback that adds to the tally, for one subject or for
// notices. It checks that it is called for one at a time.
func (l *tally[T]) receiver(t *testing.T) func(T) {
	busy := &atomic.Bool{}
	return func(v T) {
		if !busy.CompareAndSwap(false, true) {
			t.Errorf("called with two %T at a time", v)
		}
		l.add(v)
		busy.Store(false)
	}
}

func (n *node) probe(t *testing.T) {
	t.Helper()
	if err := n.Probe(soon(t)); err != nil {
		t.Fatalf("probe of %s: %v", n.name, err)
	}
}

func (n *node) publish(t *testing.T, subject string, payload []byte) {
	t.Helper()
	if err := n.Publish(subject, payload); err != nil {
		t.Fatalf("publish by %s: %v", n.name, err)
	}
}

// ready makes sure that what the others publish from now on on subjects that n
// has subscribed to will be heard by n: it probes, and has each of them receive a
// message of n, as the contract wants it where brokers form a cluster.
func (s *suite) ready(t *testing.T, n *node, others ...*node) {
	t.Helper()
	n.probe(t)
	for _, other := range others {
		if !s.greet(n, other, patience) {
			t.Fatalf("%s hears nothing of %s", other.name, n.name)
		}
	}
}

// greet has a message of n arrive at another node; false means that none did in
// that time. It is sent again and again, as the other may not be heard of yet.
func (s *suite) greet(n, other *node, within time.Duration) bool {
	greeting := fmt.Sprintf("%d", s.count.Add(1))
	end := time.Now().Add(within)
	for {
		// A refusal is one of the ways in which it does not arrive.
		_ = n.Publish(other.hello, []byte(greeting))
		if other.greetings.wait(50*time.Millisecond, func(got []string) bool {
			return slices.Contains(last(got, 16), greeting)
		}) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// last returns at most n of the newest items.
func last[T any](items []T, n int) []T { return items[max(0, len(items)-n):] }

// noticed waits for a notice of a kind among those behind the first `seen`.
func (n *node) noticed(t *testing.T, kind bus.NoticeKind, seen int, within time.Duration) {
	t.Helper()
	if !n.notices.wait(within, func(all []bus.Notice) bool {
		return slices.ContainsFunc(all[seen:], func(o bus.Notice) bool { return o.Kind == kind }) ||
			kind == bus.Disconnected && away(all) // it was away already, for another reason
	}) {
		t.Fatalf("%s: no notice %s within %v", n.name, kindName(kind), within)
	}
}

// away tells whether a node's last word on its connection is that it is gone.
func away(all []bus.Notice) bool {
	for _, o := range slices.Backward(all) {
		if o.Kind != bus.Dropped {
			return o.Kind == bus.Disconnected
		}
	}
	return false
}

func kindName(k bus.NoticeKind) string {
	switch k {
	case bus.Disconnected:
		return "Disconnected"
	case bus.Connected:
		return "Connected"
	case bus.Dropped:
		return "Dropped"
	}
	return fmt.Sprintf("NoticeKind(%d)", k)
}

// mistake checks that an error means the caller's mistake.
func mistake(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
	for _, not := range []error{bus.ErrRefused, bus.ErrUnknown, bus.ErrClosed} {
		if errors.Is(err, not) {
			t.Errorf("%s: %v is no error of the caller's mistake", what, err)
		}
	}
}
