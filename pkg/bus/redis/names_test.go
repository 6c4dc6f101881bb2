package redis

import (
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
)

// The names are a format: hubs of different versions must agree about them.
func TestNames(t *testing.T) {
	n := newNames("gohub", 0)
	for _, tt := range []struct{ subject, channel string }{
		{"room.a", "{gohub:103}:room.a"},
		{"x", "{gohub:7}:x"},
	} {
		if got := n.channel(tt.subject); got != tt.channel {
			t.Errorf("channel of %q: got %q, want %q", tt.subject, got, tt.channel)
		}
		if got := n.subject(tt.channel); got != tt.subject {
			t.Errorf("subject of %q: got %q", tt.channel, got)
		}
	}
	tag := strings.TrimSuffix(n.channel("room.a"), "room.a")
	for _, key := range []string{n.counterKey("room.a"), n.streamKey("room.a"), n.idKey("room.a", "1")} {
		if !strings.HasPrefix(key, tag) {
			t.Errorf("key %q is not in slot %q", key, tag)
		}
	}
	if got := newNames("gohub", 3).channel("x"); got != "{gohub/3:7}:x" {
		t.Errorf("channel of database 3: %q", got)
	}
}

// The examples are those of the Redis Cluster Specification and of CLUSTER
// KEYSLOT.
func TestSlots(t *testing.T) {
	if got := crc16("123456789"); got != 0x31c3 {
		t.Errorf("crc16: %#x", got)
	}
	if got := crc16("somekey") % slots; got != 11058 {
		t.Errorf("slot of somekey: %d", got)
	}
	n := newNames("gohub", 0)
	for p, slot := range n.slots {
		found := false
		for _, in := range n.inSlot(slot) {
			found = found || in == p
		}
		if !found {
			t.Errorf("partition %d is not in its slot %d", p, slot)
		}
	}
}

func TestUnwrap(t *testing.T) {
	m, from, err := unwrap(string(published("12345678", []byte("a\nb"))))
	if err != nil || from != "12345678" || string(m.Payload) != "a\nb" || m.Entry != (bus.Place{}) {
		t.Errorf("published: %+v from %q, %v", m, from, err)
	}
	m, from, err = unwrap("lepoch 7 5\na\nb")
	if want := (bus.Place{Epoch: "epoch", Offset: 7, Prev: 5}); err != nil || from != "" || string(m.Payload) != "a\nb" || m.Entry != want {
		t.Errorf("live copy: %+v from %q, %v", m, from, err)
	}
	for _, data := range []string{"", "x", "p1234567", "l", "le 1 2", "le 1\nx", "l 1 2\nx", "le -1 2\nx", "le 1 2 3\nx", "le 99999999999999999999 0\n"} {
		if m, _, err := unwrap(data); err == nil {
			t.Errorf("%q: %+v", data, m)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(string(published("12345678", []byte("x"))))
	f.Add("lepoch 7 5\nx")
	f.Fuzz(func(t *testing.T, data string) {
		m, _, err := unwrap(data)
		if err == nil && len(m.Payload) >= len(data) {
			t.Errorf("%q has a payload of %d bytes", data, len(m.Payload))
		}
	})
}

func TestParsePage(t *testing.T) {
	row := func(id, prev, dies, payload string) any {
		return []any{id, []any{"p", prev, "x", dies, "d", payload}}
	}
	got, err := parsePage([]any{"e", "9", "1000", []any{row("7-0", "3", "1000", "old"), row("9-0", "7", "1001", "new")}})
	if err != nil {
		t.Fatal(err)
	}
	want := bus.Place{Epoch: "e", Offset: 9, Prev: 7}
	if len(got.entries) != 1 || got.entries[0].Place != want || string(got.entries[0].Payload) != "new" ||
		got.tail != (bus.Tail{Epoch: "e", Offset: 9}) || got.all != 2 || got.last != 9 {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []any{
		nil, "x", []any{}, []any{"e", "1", "1", "x"}, []any{1, "1", "1", []any{}}, []any{"e", "-1", "1", []any{}},
		[]any{"e", "1", "1", []any{"x"}}, []any{"e", "1", "1", []any{row("x-0", "0", "0", "")}},
		[]any{"e", "1", "1", []any{row("1-0", "x", "0", "")}}, []any{"e", "1", "1", []any{[]any{"1-0", []any{"p"}}}},
	} {
		if got, err := parsePage(bad); err == nil {
			t.Errorf("%v: %+v", bad, got)
		}
	}
}

func TestClientName(t *testing.T) {
	if got := clientName("a b\r\nü~"); got != "a-b---~" {
		t.Errorf("got %q", got)
	}
}
