package bustest

import (
	"errors"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// trace is what one node publishes on a subject and what another hears of it.
type trace struct {
	from    *node
	subject string
	heard   *tally[int]
	sent    int
	refused map[int]bool
	unknown map[int]bool
}

func (s *suite) trace(t *testing.T, from, to *node) *trace {
	t.Helper()
	r := &trace{from: from, subject: s.subject(), heard: &tally[int]{}, refused: map[int]bool{}, unknown: map[int]bool{}}
	to.subscribe(t, r.subject, func(m bus.Message) {
		_, n := number(m.Payload)
		r.heard.add(n)
	})
	s.ready(t, to, from)
	return r
}

// publish sends the next message and returns what came of it.
func (r *trace) publish() error {
	err := r.from.Publish(r.subject, numbered(0, r.sent))
	switch {
	case errors.Is(err, bus.ErrUnknown):
		r.unknown[r.sent] = true
	case err != nil:
		r.refused[r.sent] = true
	}
	r.sent++
	return err
}

// arrives publishes until something that was sent from now on arrives.
func (r *trace) arrives(t *testing.T, within time.Duration) {
	t.Helper()
	first := r.sent
	eventually(t, within, "a message arrives", func() bool {
		return r.publish() == nil && r.heard.wait(20*time.Millisecond, func(got []int) bool {
			return len(got) > 0 && got[len(got)-1] >= first
		})
	})
}

// check holds order, at most once, and that what was refused has not come.
func (r *trace) check(t *testing.T) {
	t.Helper()
	got := r.heard.all()
	for i, n := range got {
		if r.refused[n] {
			t.Fatalf("message %d was refused and came", n)
		}
		if i > 0 && n <= got[i-1] {
			t.Fatalf("message %d came behind %d", n, got[i-1])
		}
	}
}

// lost counts what was published before the newest message that came, and did not
// come.
func (r *trace) lost() int {
	heard := map[int]bool{}
	newest := -1
	for _, n := range r.heard.all() {
		heard[n], newest = true, n
	}
	lost := 0
	for n := range newest {
		if !heard[n] && !r.refused[n] && !r.unknown[n] {
			lost++
		}
	}
	return lost
}
