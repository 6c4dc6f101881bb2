package bustest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
)

// fill appends n numbered entries and returns their places.
func (n *node) fill(t *testing.T, subject string, from, to int, keep bus.Retention) []bus.Place {
	t.Helper()
	var places []bus.Place
	for i := from; i < to; i++ {
		p, err := n.log.Append(soon(t), subject, fmt.Sprintf("fill-%d", i), numbered(0, i), keep)
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		places = append(places, p)
	}
	return places
}

func (s *suite) testLogRead(t *testing.T) {
	const size, page = 25, 10
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	entries, empty := b.read(t, subject, 0, page)
	checkEpoch(t, empty.Epoch)
	if len(entries) != 0 || empty.Offset != 0 {
		t.Errorf("a subject without a log: %d entries, tail %+v", len(entries), empty)
	}
	var places []bus.Place
	for i := range size { // among entries of another subject
		places = append(places, a.fill(t, subject, i, i+1, history())...)
		a.append(t, subject+".x", fmt.Sprint(i), nil)
	}
	checkChain(t, "append", places, empty.Epoch, 0)

	var read []bus.Place
	for after := uint64(0); ; {
		entries, tail := b.read(t, subject, after, page)
		if want := (bus.Tail{Epoch: empty.Epoch, Offset: places[size-1].Offset}); tail != want {
			t.Fatalf("tail is %+v, want %+v", tail, want)
		}
		checkChain(t, "page", entryPlaces(entries), empty.Epoch, after)
		if want := min(page, size-len(read)); len(entries) != want {
			t.Fatalf("a page of %d entries, want %d", len(entries), want)
		}
		if len(entries) == 0 {
			break
		}
		for i, e := range entries {
			if !bytes.Equal(e.Payload, numbered(0, len(read)+i)) {
				t.Fatalf("entry %d holds %v", len(read)+i, e.Payload)
			}
		}
		read = append(read, entryPlaces(entries)...)
		after = read[len(read)-1].Offset
	}
	if len(read) != size {
		t.Errorf("%d entries read of %d", len(read), size)
	}
	if entries, tail := b.read(t, subject, places[size-1].Offset+1000, page); len(entries) != 0 || tail.Offset != places[size-1].Offset {
		t.Errorf("behind the end: %d entries, tail %+v", len(entries), tail)
	}
}

// What is deleted is gone for all nodes, and no position of it comes again; other
// subjects keep what they have.
func (s *suite) testLogDelete(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	other := subject + ".x"
	a.append(t, other, "other", []byte("other"))
	last := a.fill(t, subject, 0, 3, history())[2]
	for range 2 { // the second time there is nothing
		if err := b.log.Delete(soon(t), subject); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	if entries, tail := a.read(t, subject, 0, 10); len(entries) != 0 || tail.Offset != 0 {
		t.Errorf("%d entries of a log that is deleted, tail %+v", len(entries), tail)
	}
	if entries, _ := a.read(t, other, 0, 10); len(entries) != 1 {
		t.Errorf("%d entries of another subject", len(entries))
	}
	next := a.append(t, subject, "next", []byte("next"))
	if next.Epoch == last.Epoch && next.Offset <= last.Offset {
		t.Errorf("appended at %+v, where there was something before: the log went to %+v", next, last)
	}
	if entries, _ := b.read(t, subject, 0, 10); len(entries) != 1 || entries[0].Place != next {
		t.Errorf("read %+v, appended at %+v", entries, next)
	}
}

func (s *suite) testLogTails(t *testing.T) {
	const subjects = 300
	a, b := s.logNode(t), s.logNode(t)
	names := make([]string, subjects)
	want := make([]bus.Tail, subjects)
	var wg sync.WaitGroup
	for i := range names {
		names[i] = s.subject()
		want[i].Epoch = a.tail(t, names[i]).Epoch
		if i%3 == 0 {
			continue // an empty log
		}
		wg.Go(func() {
			for range 1 + i%3 {
				p, err := a.log.Append(soon(t), names[i], fmt.Sprint(s.count.Add(1)), nil, history())
				if err != nil {
					t.Errorf("append: %v", err)
				}
				want[i] = bus.Tail{Epoch: p.Epoch, Offset: p.Offset}
			}
		})
		if i%16 == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	names, want = append(names, names[1]), append(want, want[1]) // asked for twice
	tails, err := b.log.Tails(soon(t), names)
	if err != nil || len(tails) != len(names) {
		t.Fatalf("%d tails of %d: %v", len(tails), len(names), err)
	}
	for i, got := range tails {
		checkEpoch(t, got.Epoch)
		if got != want[i] {
			t.Fatalf("tail %d is %+v, want %+v", i, got, want[i])
		}
	}
	if tails, err := b.log.Tails(soon(t), nil); err != nil || len(tails) != 0 {
		t.Errorf("tails of no subject: %v, %v", tails, err)
	}
}

func (s *suite) testLogSize(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	over := 30
	places := a.fill(t, subject, 0, historySize+over, history())
	s.checkKept(t, b, subject, places[over:])
}

func (s *suite) testLogKeep(t *testing.T) {
	const keep, appended = 7, 40
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	places := a.fill(t, subject, 0, appended, bus.Retention{Size: keep})
	if s.ExactRetention {
		s.checkKept(t, b, subject, places[appended-keep:])
		return
	}
	entries, _ := b.read(t, subject, 0, historySize)
	if len(entries) < keep {
		t.Fatalf("%d entries are left of %d to be kept", len(entries), keep)
	}
	s.checkKept(t, b, subject, places[appended-len(entries):])
}

// checkKept checks that a log holds exactly these entries.
func (s *suite) checkKept(t *testing.T, n *node, subject string, places []bus.Place) {
	t.Helper()
	entries, tail := n.read(t, subject, 0, historySize+100)
	if len(entries) != len(places) {
		t.Fatalf("%d entries are kept, want %d", len(entries), len(places))
	}
	for i, e := range entries {
		if e.Offset != places[i].Offset || e.Epoch != places[i].Epoch {
			t.Fatalf("entry %d is at %+v, want %+v", i, e.Place, places[i])
		}
		if i > 0 && e.Prev != entries[i-1].Offset {
			t.Fatalf("entry %d is at %+v, the one before it at %d", i, e.Place, entries[i-1].Offset)
		}
	}
	if tail.Offset != places[len(places)-1].Offset {
		t.Errorf("tail is %+v, the newest entry at %d", tail, places[len(places)-1].Offset)
	}
}

// What is older than the TTL is gone; offsets go on.
func (s *suite) testLogTTL(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject, kept := s.subject(), s.subject()
	a.append(t, kept, "1", nil)
	before := a.fill(t, subject, 0, 3, bus.Retention{Size: 10, TTL: s.TTL})[2]
	eventually(t, 2*s.TTL+patience, "entries are gone after their TTL", func() bool {
		entries, _ := b.read(t, subject, 0, 10)
		return len(entries) == 0
	})
	if tail := b.tail(t, subject); tail.Epoch != before.Epoch || tail.Offset != 0 && tail.Offset != before.Offset {
		t.Errorf("tail after the TTL is %+v, the last entry was at %+v", tail, before)
	}
	if entries, _ := b.read(t, kept, 0, 10); len(entries) != 1 {
		t.Errorf("%d entries of a log without a TTL, want 1", len(entries))
	}
	next := a.append(t, subject, "next", nil)
	if next.Epoch == before.Epoch && next.Offset <= before.Offset {
		t.Errorf("an entry at %+v follows one at %+v", next, before)
	}
	if next.Prev != 0 && next.Prev != before.Offset {
		t.Errorf("prev of %+v is neither 0 nor %d", next, before.Offset)
	}
}
