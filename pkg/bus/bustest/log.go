package bustest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) logTests() []subtest {
	if !s.History {
		return nil
	}
	tests := []subtest{
		{"one order for all nodes", s.testLogOrder},
		{"is as published to its own node", s.testLogOwnCopy},
		{"an id counts once", s.testLogID},
		{"payloads", s.testLogPayload},
		{"bad arguments", s.testLogMistakes},
		{"published messages are no entries", s.testLogAndPublish},
		{"append with an ended context", s.testLogEndedContext},
		{"read by pages", s.testLogRead},
		{"tails", s.testLogTails},
		{"deleted", s.testLogDelete},
		{"kept by size", s.testLogSize},
		{"kept by a smaller size", s.testLogKeep},
	}
	if s.TTL > 0 {
		tests = append(tests, subtest{"kept by time", s.testLogTTL})
	}
	return tests
}

// Two nodes append at the same time; both of them and a third hear the same in
// one order, which is that of Read, at the places that Append has returned.
func (s *suite) testLogOrder(t *testing.T) {
	const each = 80
	writers, all := s.logWriters(t)
	subject, busy := s.subject(), s.subject()
	var heard []*tally[bus.Message]
	for _, n := range all {
		heard = append(heard, n.listen(t, subject))
		n.listen(t, busy)
	}
	begin := s.logReady(t, subject, all, heard)
	places := s.appendAtOnce(t, writers, subject, busy, each)
	read, tail := writers[0].read(t, subject, begin.Offset, historySize)
	if len(read) != each*len(writers) {
		t.Fatalf("%d entries read, %d appended", len(read), each*len(writers))
	}
	checkEpoch(t, tail.Epoch)
	checkChain(t, "read", entryPlaces(read), tail.Epoch, begin.Offset)
	if tail.Offset != read[len(read)-1].Offset {
		t.Errorf("tail is %+v, the newest entry at %d", tail, read[len(read)-1].Offset)
	}
	for i, n := range all {
		live := waitCopies(t, heard[i], begin, len(read), "live copies at "+n.name)
		checkChain(t, "live copies at "+n.name, messagePlaces(live), tail.Epoch, begin.Offset)
		for j, m := range live {
			if m.Entry != read[j].Place || !bytes.Equal(m.Payload, read[j].Payload) {
				t.Fatalf("%s heard %q at %+v, read %q at %+v", n.name, m.Payload, m.Entry, read[j].Payload, read[j].Place)
			}
			if want := places[string(m.Payload)]; want != m.Entry {
				t.Fatalf("Append of %q returned %+v, its live copy says %+v", m.Payload, want, m.Entry)
			}
		}
	}
}

// logWriters connects two nodes that append and one that listens only.
func (s *suite) logWriters(t *testing.T) (writers, all []*node) {
	t.Helper()
	writers = []*node{s.logNode(t), s.logNode(t)}
	return writers, append(slices.Clone(writers), s.logNode(t))
}

// appendAtOnce has writers append to a subject, and to another one meanwhile, and
// returns the places by payload.
func (s *suite) appendAtOnce(t *testing.T, writers []*node, subject, busy string, each int) map[string]bus.Place {
	t.Helper()
	var mu sync.Mutex
	places := map[string]bus.Place{}
	var wg sync.WaitGroup
	for w, n := range writers {
		wg.Go(func() {
			for i := range each {
				payload := fmt.Sprintf("%d of %d", i, w)
				place, err := n.log.Append(soon(t), subject, payload, []byte(payload), history())
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				if _, err := n.log.Append(soon(t), busy, payload, nil, history()); err != nil {
					t.Errorf("append to another subject: %v", err)
				}
				mu.Lock()
				places[payload] = place
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return places
}

// The node that appends gets a live copy, too.
func (s *suite) testLogOwnCopy(t *testing.T) {
	n := s.logNode(t)
	subject := s.subject()
	heard := n.listen(t, subject)
	n.probe(t)
	place := n.append(t, subject, "a", []byte("x"))
	m := heard.waitLen(t, 1, "own live copy")[0]
	if m.Entry != place || string(m.Payload) != "x" || m.Subject != subject {
		t.Errorf("appended at %+v, heard %+v", place, m)
	}
}

func (s *suite) testLogID(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject, other := s.subject(), s.subject()
	heard := b.listen(t, subject)
	begin := s.logReady(t, subject, []*node{b}, []*tally[bus.Message]{heard})
	first := a.append(t, subject, "id 1", []byte("x"))
	second := a.append(t, subject, "id 2", []byte("y"))
	for _, n := range []*node{a, b} {
		if again := n.append(t, subject, "id 1", []byte("x")); again.Epoch != first.Epoch || again.Offset != first.Offset {
			t.Errorf("appended again by %s: at %+v, the first time %+v", n.name, again, first)
		}
	}
	if p := b.append(t, other, "id 1", []byte("z")); p.Epoch == first.Epoch && p.Offset == first.Offset {
		t.Error("the same id in another subject was taken for the same append")
	}
	if entries, _ := a.read(t, other, 0, 10); len(entries) != 1 || string(entries[0].Payload) != "z" {
		t.Errorf("the other subject's log holds %v", entries)
	}
	third := b.append(t, subject, "id 3", []byte("w"))
	live := waitCopies(t, heard, begin, 3, "live copies")
	checkChain(t, "live copies", messagePlaces(live), first.Epoch, begin.Offset)
	entries, _ := b.read(t, subject, begin.Offset, 10)
	if want := []bus.Place{first, second, third}; !slices.Equal(entryPlaces(entries), want) {
		t.Errorf("read %+v, appended %+v", entryPlaces(entries), want)
	}
}

func (s *suite) testLogPayload(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	heard := b.listen(t, subject)
	begin := s.logReady(t, subject, []*node{b}, []*tally[bus.Message]{heard})
	payloads := [][]byte{{}, []byte("\r\n\x00\xff"), noise(256), noise(a.MaxPayload())}
	for i, p := range payloads {
		buffer := bytes.Clone(p)
		a.append(t, subject, fmt.Sprint(i), buffer)
		clear(buffer) // it is the caller's again
	}
	_, err := a.log.Append(soon(t), subject, "over", noise(a.MaxPayload()+1), history())
	mistake(t, "append a byte over MaxPayload", err)

	live := waitCopies(t, heard, begin, len(payloads), "live copies")
	entries, _ := b.read(t, subject, begin.Offset, 10)
	if len(entries) != len(payloads) {
		t.Fatalf("%d entries of %d", len(entries), len(payloads))
	}
	for i, want := range payloads {
		if !bytes.Equal(live[i].Payload, want) || !bytes.Equal(entries[i].Payload, want) {
			t.Errorf("entry %d of %d bytes came as %d, was read as %d bytes", i, len(want), len(live[i].Payload), len(entries[i].Payload))
		}
		clear(live[i].Payload) // it is the receiver's own
		clear(entries[i].Payload)
	}
	entries, _ = b.read(t, subject, begin.Offset, 10)
	if !bytes.Equal(entries[2].Payload, payloads[2]) {
		t.Error("what a receiver does to a payload changes the log")
	}
}

func (s *suite) testLogMistakes(t *testing.T) {
	n := s.logNode(t)
	for _, subject := range []string{"", "a..b", "a.", "*", ">", "a b", "a\r\nb", "ü", strings.Repeat("x", 256)} {
		_, err := n.log.Append(soon(t), subject, "id", nil, history())
		mistake(t, fmt.Sprintf("append to %q", subject), err)
		_, _, err = n.log.Read(soon(t), subject, 0, 1)
		mistake(t, fmt.Sprintf("read %q", subject), err)
		_, err = n.log.Tails(soon(t), []string{subject})
		mistake(t, fmt.Sprintf("tails of %q", subject), err)
		mistake(t, fmt.Sprintf("delete %q", subject), n.log.Delete(soon(t), subject))
	}
}

func (s *suite) testLogAndPublish(t *testing.T) {
	a, b := s.logNode(t), s.logNode(t)
	subject := s.subject()
	heard := b.listen(t, subject)
	s.ready(t, b, a)
	s.logReady(t, subject, []*node{b}, []*tally[bus.Message]{heard})
	a.publish(t, subject, []byte("passing"))
	live := heard.waitLen(t, 2, "messages")
	if live[1].Entry.Epoch != "" || string(live[1].Payload) != "passing" {
		t.Errorf("a published message came as %+v", live[1])
	}
	if entries, _ := b.read(t, subject, 0, 10); len(entries) != 1 || string(entries[0].Payload) != "ready" {
		t.Errorf("the log holds %v", entries)
	}
}

func (s *suite) testLogEndedContext(t *testing.T) {
	n := s.logNode(t)
	subject := s.subject()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begin := time.Now()
	_, err := n.log.Append(ctx, subject, "id", nil, history())
	if !errors.Is(err, bus.ErrRefused) && !errors.Is(err, bus.ErrUnknown) {
		t.Errorf("append with an ended context: %v", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if !errors.Is(err, bus.ErrRefused) {
		return
	}
	n.append(t, subject, "id 2", nil)
	if entries, _ := n.read(t, subject, 0, 10); len(entries) != 1 {
		t.Errorf("a refused append is in the log: %v", entries)
	}
}
