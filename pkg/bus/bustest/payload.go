package bustest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
)

func (s *suite) payloadTests() []subtest {
	return []subtest{
		{"bytes are bytes", s.testBytes},
		{"of MaxPayload and over it", s.testMaxPayload},
		{"is the publisher's again", s.testPayloadOfPublisher},
		{"is the receiver's own", s.testPayloadOfReceiver},
		{"subjects good and bad", s.testSubjects},
	}
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b) // never fails
	return b
}

func (s *suite) testBytes(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)

	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	payloads := [][]byte{
		every, nil, {}, {0}, []byte("\r\n"), []byte("\r\nPUB x 1\r\ny\r\n"), []byte("$3\r\nabc\r\n"),
		[]byte(`{"a":"\u0000"}`), []byte("\xff\xfe not UTF-8 \xc0"), noise(64 << 10),
	}
	for _, p := range payloads {
		publisher.publish(t, subject, p)
	}
	for i, m := range heard.waitLen(t, len(payloads), "messages") {
		if m.Subject != subject {
			t.Errorf("message %d came on %q, published on %q", i, m.Subject, subject)
		}
		if !bytes.Equal(m.Payload, payloads[i]) {
			t.Errorf("message %d: %.60q came as %.60q", i, payloads[i], m.Payload)
		}
	}
}

func (s *suite) testMaxPayload(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)

	size := publisher.MaxPayload()
	if size < 1<<10 {
		t.Fatalf("MaxPayload is %d", size)
	}
	publisher.publish(t, subject, []byte("before"))
	full := noise(size)
	publisher.publish(t, subject, full)
	mistake(t, "a byte over MaxPayload", publisher.Publish(subject, noise(size+1)))
	mistake(t, "twice MaxPayload", publisher.Publish(subject, noise(2*size)))
	publisher.publish(t, subject, []byte("behind"))

	messages := heard.waitLen(t, 3, "messages around one that was too large")
	for i, want := range [][]byte{[]byte("before"), full, []byte("behind")} {
		if !bytes.Equal(messages[i].Payload, want) {
			t.Errorf("message %d is one of %d bytes, want another of %d", i, len(messages[i].Payload), len(want))
		}
	}
	if n := len(publisher.notices.all()) + len(receiver.notices.all()); n > 0 {
		t.Errorf("%d notices for a payload that was too large", n)
	}
}

func (s *suite) testPayloadOfPublisher(t *testing.T) {
	const n = 200
	receiver, publisher := s.node(t), s.node(t)
	subject := s.subject()
	heard := receiver.listen(t, subject)
	s.ready(t, receiver, publisher)

	buffer := make([]byte, 1024)
	for i := range n {
		for j := range buffer {
			buffer[j] = byte(i)
		}
		publisher.publish(t, subject, buffer)
	}
	clear(buffer)
	for i, m := range heard.waitLen(t, n, "messages") {
		if want := bytes.Repeat([]byte{byte(i)}, len(buffer)); !bytes.Equal(m.Payload, want) {
			t.Fatalf("message %d holds what was written behind it", i)
		}
	}
}

func (s *suite) testPayloadOfReceiver(t *testing.T) {
	const n = 100
	publisher, receivers := s.node(t), []*node{s.node(t), s.node(t)}
	subject := s.subject()
	var heard, seen [2]tally[[]byte]
	for i, r := range receivers {
		r.subscribe(t, subject, func(m bus.Message) {
			seen[i].add(bytes.Clone(m.Payload))
			for j := range m.Payload {
				m.Payload[j] ^= 0xff
			}
			// What is behind it must not be another's either.
			_ = append(m.Payload, "overwritten"...)
			heard[i].add(m.Payload)
		})
		s.ready(t, r, publisher)
	}
	want := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 40) }
	for i := range n {
		publisher.publish(t, subject, want(i))
	}
	for r := range receivers {
		kept := heard[r].waitLen(t, n, "messages")
		for i, got := range seen[r].all() {
			if !bytes.Equal(got, want(i)) {
				t.Fatalf("receiver %d: message %d came as another has left it", r, i)
			}
			for j := range got {
				got[j] ^= 0xff
			}
			if !bytes.Equal(kept[i], got) {
				t.Fatalf("receiver %d: message %d changed after it was delivered", r, i)
			}
		}
	}
}

func (s *suite) testSubjects(t *testing.T) {
	receiver, publisher := s.node(t), s.node(t)
	long := s.subject() + "."
	long += strings.Repeat("x", 255-len(long))
	good := []string{
		s.subject() + ".AZaz09-_", s.subject() + ".a.b.c.d.e.f.g.h", long,
		s.subject() + ".x", // and its beginning is another
	}
	for i, subject := range good {
		heard := receiver.listen(t, subject)
		s.ready(t, receiver, publisher)
		publisher.publish(t, subject, []byte{byte(i)})
		if m := heard.waitLen(t, 1, subject)[0]; m.Subject != subject || !bytes.Equal(m.Payload, []byte{byte(i)}) {
			t.Errorf("published %d on %q, %v came on %q", i, subject, m.Payload, m.Subject)
		}
	}

	begin := s.subject()
	for _, subject := range []string{
		"", ".", begin + ".", "." + begin, begin + "..x", begin + ".*", begin + ".>", ">", "*", begin + " x",
		begin + "\r\nPUB x 1\r\ny", begin + "\x00", begin + "\tx", begin + ".ü", begin + ".\xff", begin + ":x",
		begin + "{x}", begin + "?", begin + "[a-z]", begin + "$x", long + "x",
	} {
		mistake(t, "publish on "+subject, publisher.Publish(subject, []byte("x")))
		sub, err := receiver.Subscribe(subject, func(bus.Message) { t.Errorf("a message on bad subject %q", subject) })
		mistake(t, "subscribe to "+subject, err)
		if err != nil && sub != nil {
			t.Errorf("subscribe to %q returns a subscription and an error", subject)
		}
	}
}
