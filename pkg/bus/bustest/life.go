package bustest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"go.uber.org/goleak"
)

func (s *suite) lifeTests() []subtest {
	return []subtest{
		{"concurrent use", s.testConcurrentUse},
		{"stats", s.testStats},
		{"closed", s.testClosed},
		{"close sends what was taken", s.testCloseSends},
		{"nothing is delivered after close", s.testCloseIsTheEnd},
		{"close with an ended context", s.testCloseEndedContext},
		{"no goroutine is left", s.testGoroutines},
		{"no log unless wanted", s.testNoLog},
		{"no options", s.testNoOptions},
	}
}

// For the race detector: everything at once, on one node.
func (s *suite) testConcurrentUse(t *testing.T) {
	const rounds = 100
	n, other := s.node(t), s.node(t)
	var wg sync.WaitGroup
	shared := s.subject()
	other.subscribe(t, shared, func(bus.Message) {})
	for range 4 {
		wg.Go(func() {
			for range rounds {
				subject := s.subject()
				sub, err := n.Subscribe(subject, func(bus.Message) {})
				if err != nil {
					t.Errorf("subscribe: %v", err)
					return
				}
				if err := n.Publish(shared, []byte("x")); err != nil {
					t.Errorf("publish: %v", err)
				}
				_ = other.Publish(subject, []byte("x"))
				n.Stats()
				n.MaxPayload()
				if err := sub.Unsubscribe(); err != nil {
					t.Errorf("unsubscribe: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range rounds / 4 {
				if err := n.Probe(soon(t)); err != nil {
					t.Errorf("probe: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.ready(t, n, other)
	s.ready(t, other, n)
}

func (s *suite) testStats(t *testing.T) {
	const n, size = 300, 70
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)
	s.ready(t, publisher, receiver)

	received, published := receiver.Stats(), publisher.Stats()
	for range n {
		publisher.publish(t, subject, make([]byte, size))
	}
	heard.waitLen(t, n, "messages")
	got := publisher.Stats()
	if m, b := got.PublishedMessages-published.PublishedMessages, got.PublishedBytes-published.PublishedBytes; m != n || b != n*size {
		t.Errorf("Stats of the publisher: %d messages, %d bytes; want %d, %d", m, b, n, n*size)
	}
	got = receiver.Stats()
	if m, b := got.ReceivedMessages-received.ReceivedMessages, got.ReceivedBytes-received.ReceivedBytes; m != n || b != n*size {
		t.Errorf("Stats of the receiver: %d messages, %d bytes; want %d, %d", m, b, n, n*size)
	}
	if got.Dropped != 0 || got.Reconnects != 0 {
		t.Errorf("Stats of a quiet bus: %d dropped, %d reconnects", got.Dropped, got.Reconnects)
	}
}

func (s *suite) testClosed(t *testing.T) {
	n := s.node(t)
	if s.History {
		n = s.logNode(t)
	}
	sub := n.subscribe(t, s.subject(), func(bus.Message) {})
	for range 2 {
		if err := n.Close(soon(t)); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	// Nil or an error, but no panic.
	_ = sub.Unsubscribe()
	n.Stats()
	n.MaxPayload()

	calls := map[string]func() error{
		"Publish": func() error { return n.Publish(s.subject(), nil) },
		"Subscribe": func() error {
			_, err := n.Subscribe(s.subject(), func(bus.Message) {})
			return err
		},
		"Probe": func() error { return n.Probe(soon(t)) },
	}
	if n.log != nil {
		calls["Append"] = func() error {
			_, err := n.log.Append(soon(t), s.subject(), "id", nil, history())
			return err
		}
		calls["Read"] = func() error {
			_, _, err := n.log.Read(soon(t), s.subject(), 0, 1)
			return err
		}
		calls["Tails"] = func() error {
			_, err := n.log.Tails(soon(t), []string{s.subject()})
			return err
		}
	}
	if l := bus.LeaserOf(n.Bus); l != nil {
		calls["Confirm"] = func() error { return l.Confirm(soon(t), n.name, time.Second) }
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func (s *suite) testCloseSends(t *testing.T) {
	const n = 2000
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)
	for i := range n {
		publisher.publish(t, subject, numbered(0, i))
	}
	if err := publisher.Close(soon(t)); err != nil {
		t.Fatalf("close: %v", err)
	}
	heard.waitLen(t, n, "messages of a node that has closed at once")
}

func (s *suite) testCloseIsTheEnd(t *testing.T) {
	publisher := s.node(t)
	for range 10 {
		var closed atomic.Bool
		receiver := s.connect(t, bus.Options{})
		subject := s.subject()
		heard := &tally[bus.Message]{}
		receiver.subscribe(t, subject, func(m bus.Message) {
			if closed.Load() {
				t.Error("delivered after Close has returned")
			}
			heard.add(m)
		})
		s.ready(t, receiver, publisher)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = publisher.Publish(subject, make([]byte, 100))
				}
			}
		})
		heard.waitLen(t, 50, "messages before Close")
		err := receiver.Close(soon(t))
		closed.Store(true)
		notices := receiver.notices.len()
		if err != nil {
			t.Errorf("close: %v", err)
		}
		s.ready(t, publisher) // while messages still come
		close(stop)
		wg.Wait()
		if receiver.notices.len() != notices {
			t.Error("a notice after Close has returned")
		}
	}
}

// Close disconnects even if there is no time to wait for anything.
func (s *suite) testCloseEndedContext(t *testing.T) {
	n, other := s.node(t), s.node(t)
	s.ready(t, n, other)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Whether that is an error depends on what was left to send.
	_ = n.Close(ctx)
	if err := n.Publish(s.subject(), nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish after Close with an ended context: %v, want ErrClosed", err)
	}
}

func (s *suite) testGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("connect and close", func(t *testing.T) {
		nodes := []*node{s.node(t), s.node(t)}
		if s.History {
			n := s.logNode(t)
			if _, err := n.log.Append(soon(t), s.subject(), "a", nil, history()); err != nil {
				t.Errorf("append: %v", err)
			}
			nodes = append(nodes, n)
		}
		for _, n := range nodes {
			sub := n.subscribe(t, s.subject(), func(bus.Message) {})
			n.probe(t)
			if err := sub.Unsubscribe(); err != nil {
				t.Errorf("unsubscribe: %v", err)
			}
		}
	}) // its cleanup closes them
	var err error
	end := time.Now().Add(patience)
	for err = goleak.Find(before); err != nil && time.Now().Before(end); {
		err = goleak.Find(before) // which waits a little itself
	}
	if err != nil {
		t.Error(err)
	}
}

func (s *suite) testNoLog(t *testing.T) {
	n := s.node(t)
	if l := bus.LogOf(n.Bus); l != nil {
		t.Errorf("LogOf returns %T for a bus that wants no history", l)
	}
}

// The zero Options make a bus.
func (s *suite) testNoOptions(t *testing.T) {
	b := s.Connect(t, bus.Options{})
	if err := b.Probe(soon(t)); err != nil {
		t.Errorf("probe: %v", err)
	}
	if err := b.Publish(s.subject(), nil); err != nil {
		t.Errorf("publish: %v", err)
	}
	if err := b.Close(soon(t)); err != nil {
		t.Errorf("close: %v", err)
	}
}
