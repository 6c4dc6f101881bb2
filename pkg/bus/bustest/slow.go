package bustest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) slowTests() []subtest {
	return []subtest{{"nothing is lost in silence", s.testSlow}}
}

// A node that delivers too slowly may lose messages, but is told of it.
func (s *suite) testSlow(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	open := make(chan struct{})
	heard := &tally[int]{}
	receiver.subscribe(t, subject, func(m bus.Message) {
		<-open
		_, n := number(m.Payload)
		heard.add(n)
	})
	s.ready(t, receiver, publisher)

	size := min(64<<10, publisher.MaxPayload())
	sent := map[int]bool{}
	for n := range s.SlowBytes/size + 1 {
		payload := make([]byte, size)
		copy(payload, numbered(0, n))
		err := publisher.Publish(subject, payload[:size:size])
		switch {
		case err == nil:
			sent[n] = true
		case !errors.Is(err, bus.ErrRefused):
			t.Fatalf("publish: %v", err)
		}
		if n%64 == 0 {
			publisher.probe(t) // what is tested is the receiver's side
		}
	}
	close(open)
	got := s.drained(t, publisher, subject, heard)
	for i, n := range got {
		if i > 0 && n <= got[i-1] {
			t.Fatalf("message %d came behind %d", n, got[i-1])
		}
		if !sent[n] {
			t.Fatalf("message %d was refused and came", n)
		}
	}
	lost := len(sent) - len(got)
	stats := receiver.Stats()
	t.Logf("%d of %d messages were lost, %d counted as dropped", lost, len(sent), stats.Dropped)
	if lost == 0 {
		return
	}
	told := receiver.notices.wait(patience, func(all []bus.Notice) bool {
		return slices.ContainsFunc(all, func(n bus.Notice) bool {
			return n.Kind == bus.Disconnected ||
				n.Kind == bus.Dropped && (n.Subjects == nil || slices.Contains(n.Subjects, subject))
		})
	})
	if !told {
		t.Errorf("%d messages were lost and the node was not told", lost)
	}
	if stats.Dropped == 0 && stats.Reconnects == 0 {
		t.Errorf("%d messages were lost and Stats count none", lost)
	}
}

// drained returns what was heard of a subject up to a marker that is published
// until it arrives.
func (s *suite) drained(t *testing.T, publisher *node, subject string, heard *tally[int]) []int {
	t.Helper()
	const marker = 1 << 40
	eventually(t, patience, "something new arrives at a node that was slow", func() bool {
		_ = publisher.Publish(subject, numbered(0, marker+int(s.count.Add(1))))
		return heard.wait(50*time.Millisecond, func(got []int) bool {
			return len(got) > 0 && got[len(got)-1] > marker
		})
	})
	got := heard.all()
	return got[:slices.IndexFunc(got, func(n int) bool { return n > marker })]
}
