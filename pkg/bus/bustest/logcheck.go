package bustest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (n *node) append(t *testing.T, subject, id string, payload []byte) bus.Place {
	t.Helper()
	p, err := n.log.Append(soon(t), subject, id, payload, history())
	if err != nil {
		t.Fatalf("append by %s: %v", n.name, err)
	}
	return p
}

func (n *node) read(t *testing.T, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail) {
	t.Helper()
	entries, tail, err := n.log.Read(soon(t), subject, after, limit)
	if err != nil {
		t.Fatalf("read by %s: %v", n.name, err)
	}
	if len(entries) > limit {
		t.Fatalf("%d entries read, limit %d", len(entries), limit)
	}
	return entries, tail
}

func (n *node) tail(t *testing.T, subject string) bus.Tail {
	t.Helper()
	tails, err := n.log.Tails(soon(t), []string{subject})
	if err != nil || len(tails) != 1 {
		t.Fatalf("tails by %s: %v, %v", n.name, tails, err)
	}
	return tails[0]
}

// checkEpoch fails the test on an epoch that cannot be part of a position.
func checkEpoch(t *testing.T, epoch string) {
	t.Helper()
	if epoch == "" || strings.ContainsAny(epoch, ".:") {
		t.Fatalf("epoch is %q", epoch)
	}
}

// checkChain fails the test unless entries are one chain behind an offset.
func checkChain(t *testing.T, what string, places []bus.Place, epoch string, prev uint64) {
	t.Helper()
	for i, p := range places {
		if p.Epoch != epoch || p.Offset <= prev || p.Prev != prev {
			t.Fatalf("%s: entry %d is at %+v, want epoch %q, prev %d and an offset over it", what, i, p, epoch, prev)
		}
		prev = p.Offset
	}
}

func entryPlaces(entries []bus.Entry) []bus.Place {
	places := make([]bus.Place, len(entries))
	for i, e := range entries {
		places[i] = e.Place
	}
	return places
}

func messagePlaces(messages []bus.Message) []bus.Place {
	places := make([]bus.Place, len(messages))
	for i, m := range messages {
		places[i] = m.Entry
	}
	return places
}

// logReady makes sure that each node hears the live copies of a subject. It appends
// an entry by each, as a cluster promises to know of a subscription only before
// what its own node publishes, and returns the last one's place.
func (s *suite) logReady(t *testing.T, subject string, nodes []*node, heard []*tally[bus.Message]) bus.Place {
	t.Helper()
	var place bus.Place
	for i, n := range nodes {
		n.probe(t)
		place = n.append(t, subject, fmt.Sprintf("ready-%d", s.count.Add(1)), []byte("ready"))
		waitCopy(t, heard[i], place)
	}
	for _, h := range heard {
		waitCopy(t, h, place)
	}
	return place
}

func waitCopy(t *testing.T, heard *tally[bus.Message], place bus.Place) {
	t.Helper()
	if !heard.wait(patience, func(got []bus.Message) bool { return len(got) > 0 && got[len(got)-1].Entry.Offset >= place.Offset }) {
		t.Fatalf("the live copy of the entry at %+v was not heard", place)
	}
}

// waitCopies returns n messages whose entries are behind a place, and fails the
// test if there are more.
func waitCopies(t *testing.T, heard *tally[bus.Message], behind bus.Place, n int, what string) []bus.Message {
	t.Helper()
	skip := slices.IndexFunc(heard.all(), func(m bus.Message) bool { return m.Entry == behind }) + 1
	all := heard.waitLen(t, skip+n, what)
	if len(all) > skip+n {
		t.Fatalf("%s: %d, want %d", what, len(all)-skip, n)
	}
	return all[skip:]
}
