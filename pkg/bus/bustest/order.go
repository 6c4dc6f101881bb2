package bustest

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) orderTests() []subtest {
	return []subtest{
		{"of each publisher over many subjects", s.testOrder},
		{"of a goroutine among many", s.testOrderOfGoroutines},
	}
}

// numbered is a payload that names its sender and how many it sent before.
func numbered(sender, number int) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(sender)}, uint64(number))
}

func number(payload []byte) (sender, n int) {
	return int(payload[0]), int(binary.BigEndian.Uint64(payload[1:]))
}

func (s *suite) testOrder(t *testing.T) {
	const subjects, each = 50, 5000
	receiver, publishers := s.node(t), []*node{s.node(t), s.node(t)}
	var names []string
	heard := &tally[bus.Message]{}
	for range subjects {
		name := s.subject()
		names = append(names, name)
		receiver.subscribe(t, name, heard.receiver(t))
	}
	s.ready(t, receiver, publishers...)

	var wg sync.WaitGroup
	for i, p := range publishers {
		wg.Go(func() {
			for n := range each {
				if err := p.Publish(names[n*7%subjects], numbered(i, n)); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	messages := heard.waitLen(t, each*len(publishers), "messages")

	next := make([]int, len(publishers)) // of each publisher, over all subjects
	newest := map[string][]int{}         // of each subject and publisher
	for _, m := range messages[:len(messages):len(messages)] {
		sender, n := number(m.Payload)
		if m.Entry.Epoch != "" {
			t.Fatalf("a published message is called an entry of a log: %+v", m.Entry)
		}
		if m.Subject != names[n*7%subjects] {
			t.Fatalf("message %d came on subject %q", n, m.Subject)
		}
		if newest[m.Subject] == nil {
			newest[m.Subject] = []int{-1, -1}
		}
		if n <= newest[m.Subject][sender] {
			t.Fatalf("subject %s: %d of publisher %d came behind %d", m.Subject, n, sender, newest[m.Subject][sender])
		}
		newest[m.Subject][sender] = n
		if s.TotalOrder && n != next[sender] {
			t.Fatalf("publisher %d: %d came where %d was due", sender, n, next[sender])
		}
		next[sender]++
	}
}

func (s *suite) testOrderOfGoroutines(t *testing.T) {
	const goroutines, each = 8, 500
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)

	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for n := range each {
				if err := publisher.Publish(subject, numbered(i, n)); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	var next [goroutines]int
	for _, m := range heard.waitLen(t, goroutines*each, "messages") {
		sender, n := number(m.Payload)
		if n != next[sender] {
			t.Fatalf("goroutine %d: %d came where %d was due", sender, n, next[sender])
		}
		next[sender]++
	}
}
