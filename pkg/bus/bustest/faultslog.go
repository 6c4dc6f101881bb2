package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// attempts are appends to one subject whose payload is their id.
type attempts struct {
	subject          string
	mu               sync.Mutex // guards the fields below
	kept             map[string]bus.Place
	refused, unknown []string
}

func newAttempts(subject string) *attempts {
	return &attempts{subject: subject, kept: map[string]bus.Place{}}
}

// append tries one within a time; it must return soon after.
func (a *attempts) append(t *testing.T, n *node, id string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	begin := time.Now()
	place, err := n.log.Append(ctx, a.subject, id, []byte(id), history())
	if took := time.Since(begin); took > within+time.Second {
		t.Errorf("append took %v, its context had %v", took, within)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.kept[id] = place
	case errors.Is(err, bus.ErrUnknown):
		a.unknown = append(a.unknown, id)
	case errors.Is(err, bus.ErrRefused):
		a.refused = append(a.refused, id)
	default:
		t.Errorf("append: %v, want ErrRefused or ErrUnknown", err)
	}
	return err
}

// check holds the outcomes against the log as a node reads it, and against live
// copies: what was kept is there once, unless the log has begun anew; what was
// refused is not there; the rest at most once.
func (a *attempts) check(t *testing.T, n *node, heard *tally[bus.Message]) {
	t.Helper()
	entries, tail := n.read(t, a.subject, 0, historySize)
	count := map[string]int{}
	offsets := map[string]uint64{}
	for i, e := range entries {
		if i > 0 && e.Prev != entries[i-1].Offset {
			t.Errorf("the chain is broken: %+v follows %+v", e.Place, entries[i-1].Place)
		}
		count[string(e.Payload)]++
		offsets[string(e.Payload)] = e.Offset
	}
	copies := map[string]int{}
	places := map[bus.Place]bool{}
	for _, m := range heard.all() {
		if !places[m.Entry] { // a server that recovers may copy an entry again
			places[m.Entry] = true
			copies[string(m.Payload)]++
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, place := range a.kept {
		if place.Epoch == tail.Epoch && (count[id] != 1 || offsets[id] != place.Offset) {
			t.Errorf("%s was kept at %+v, the log has it %d times, at %d", id, place, count[id], offsets[id])
		}
	}
	for _, id := range a.refused {
		if count[id]+copies[id] > 0 {
			t.Errorf("%s was refused and is in the log %d times, with %d live copies", id, count[id], copies[id])
		}
	}
	for id, c := range count {
		if c > 1 {
			t.Errorf("%s is in the log %d times", id, c)
		}
	}
	for id, c := range copies {
		if c > 1 {
			t.Errorf("%s has %d live copies", id, c)
		}
	}
}

// settle waits for what may still come from before an outage.
func (a *attempts) settle(t *testing.T, heard *tally[bus.Message]) {
	t.Helper()
	never(t, heard, time.Second, "a refused append arrives", func(got []bus.Message) bool {
		return slices.ContainsFunc(last(got, 1), func(m bus.Message) bool {
			return slices.Contains(a.refused, string(m.Payload))
		})
	})
}

func (s *suite) testAppendDead(t *testing.T) {
	n := s.logNode(t)
	a := newAttempts(s.subject())
	heard := n.listen(t, a.subject)
	n.probe(t)
	_ = a.append(t, n, "before", patience)
	s.kill(t)
	if err := a.append(t, n, "dead", 500*time.Millisecond); err == nil {
		t.Error("append succeeded without a broker")
	}
	n.noticed(t, bus.Disconnected, 0, noticeTime)
	if err := a.append(t, n, "known to be dead", 300*time.Millisecond); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("append while the bus is known to be away: %v, want ErrRefused", err)
	}
	if _, _, err := n.log.Read(ended(t, 300*time.Millisecond), a.subject, 0, 1); err == nil {
		t.Error("read succeeded without a broker")
	}
	if _, err := n.log.Tails(ended(t, 300*time.Millisecond), []string{a.subject}); err == nil {
		t.Error("tails succeeded without a broker")
	}
	// One that has the time is tried again until the broker is back.
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.append(t, n, "patient", patience); err != nil {
			t.Errorf("append that outlives the outage: %v", err)
		}
	})
	s.restart(t)
	wg.Wait()
	_ = a.append(t, n, "behind", patience)
	a.settle(t, heard)
	a.check(t, n, heard)
}

// ended is a context that ends after a time.
func ended(t *testing.T, after time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	t.Cleanup(cancel)
	return ctx
}

func (s *suite) testAppendPaused(t *testing.T) {
	n, other := s.logNode(t), s.logNode(t)
	a := newAttempts(s.subject())
	heard := []*tally[bus.Message]{n.listen(t, a.subject), other.listen(t, a.subject)}
	n.probe(t)
	other.probe(t)
	_ = a.append(t, n, "before", patience)
	resume := s.pause(t)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := a.append(t, n, fmt.Sprintf("paused-%d", i), time.Second); err == nil {
				t.Error("append succeeded while the broker was paused")
			}
		})
	}
	wg.Wait()
	wg.Go(func() {
		if err := a.append(t, n, "patient", patience); err != nil {
			t.Errorf("append that outlives the pause: %v", err)
		}
	})
	if _, _, err := n.log.Read(ended(t, 300*time.Millisecond), a.subject, 0, 1); err == nil {
		t.Error("read succeeded while the broker was paused")
	}
	resume()
	wg.Wait()
	back := time.Now()
	for {
		// The first may fail on a connection that the driver has given up.
		id := fmt.Sprintf("behind-%d", s.count.Add(1))
		if a.append(t, other, id, time.Second) == nil {
			break
		}
		if time.Since(back) > recoveryTime {
			t.Fatalf("no append succeeded within %v of Resume", recoveryTime)
		}
	}
	a.settle(t, heard[1])
	for i, reader := range []*node{n, other} {
		a.check(t, reader, heard[i])
	}
	t.Logf("while paused: %d refused, %d unknown", len(a.refused), len(a.unknown))
}

// After a restart the log goes on, or it begins anew and says so.
func (s *suite) testLogRestart(t *testing.T) {
	n := s.logNode(t)
	subject := s.subject()
	places := n.fill(t, subject, 0, 5, history())
	s.kill(t)
	n.noticed(t, bus.Disconnected, 0, noticeTime)
	s.restart(t)
	n.noticed(t, bus.Connected, 0, recoveryTime)
	next := n.append(t, subject, "next", nil)
	entries, tail := n.read(t, subject, 0, historySize)
	if next.Epoch != tail.Epoch || next.Offset != tail.Offset {
		t.Errorf("appended at %+v, tail %+v", next, tail)
	}
	if tail.Epoch != places[0].Epoch {
		if len(entries) != 1 {
			t.Errorf("a log that has begun anew holds %d entries, want 1", len(entries))
		}
		return
	}
	if want := append(places, next); !slices.Equal(entryPlaces(entries), want) {
		t.Errorf("read %+v in the same epoch, appended %+v", entryPlaces(entries), want)
	}
}

// A log whose broker has lost its data is not taken for the old one.
func (s *suite) testLogEmpty(t *testing.T) {
	n, other := s.logNode(t), s.logNode(t)
	subject, unused := s.subject(), s.subject()
	heard := other.listen(t, subject)
	s.logReady(t, subject, []*node{other}, []*tally[bus.Message]{heard})
	old := n.append(t, subject, "1", []byte("old"))
	s.kill(t)
	for _, n := range []*node{n, other} {
		n.noticed(t, bus.Disconnected, 0, noticeTime)
	}
	s.dead = false
	s.RestartEmpty(t)
	for _, n := range []*node{n, other} {
		n.noticed(t, bus.Connected, 0, recoveryTime)
	}
	eventually(t, recoveryTime, "the tails tell of another epoch", func() bool {
		tails, err := n.log.Tails(soon(t), []string{subject, unused})
		return err == nil && !slices.ContainsFunc(tails, func(tail bus.Tail) bool {
			return tail.Epoch == old.Epoch || tail.Offset != 0
		})
	})
	place := n.append(t, subject, "1", []byte("new")) // an id of the old log, too
	if place.Epoch == old.Epoch {
		t.Errorf("appended to a log without its data at %+v, before at %+v", place, old)
	}
	entries, tail := other.read(t, subject, 0, 10)
	if len(entries) != 1 || entries[0].Place != place || string(entries[0].Payload) != "new" || tail.Epoch != place.Epoch {
		t.Errorf("read %+v, tail %+v; appended at %+v", entries, tail, place)
	}
	other.append(t, subject, "2", []byte("newer"))
	if !heard.wait(recoveryTime, func(got []bus.Message) bool {
		return slices.ContainsFunc(got, func(m bus.Message) bool { return m.Entry.Epoch == place.Epoch })
	}) {
		t.Error("no live copy of the new log")
	}
}
