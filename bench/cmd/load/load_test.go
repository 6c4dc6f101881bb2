package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

func TestParseConfig(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // part of the error
	}{
		{"-mode idle -conns 19000", ""},
		{"-mode fanout -conns 1000 -burst 100 -senders 100 -v1 10 -deflate 10", ""},
		{"-mode dance", "-mode"},
		{"-proto smtp", "-proto"},
		{"-conns 0", "-conns"},
		{"-v1 60 -deflate 50", "-deflate"},
		{"-burst 10 -senders 3", "-senders"},
		{"-burst 100 -senders 100 -conns 50", "-senders"},
		{"-size 10", "-size"},
		{"-turn 0s", "-turn"},
		{"idle", "unknown argument"},
	} {
		_, err := parseConfig(strings.Fields(c.args))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one with %q", c.args, err, c.want)
		}
	}
}

func TestContendersShareFlagsAndOverrideThem(t *testing.T) {
	cfg, err := parseConfig([]string{"-conns", "7", "-server", "a", "-beside", "-server b -proto raw"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := cfg.contenders()
	if err != nil || len(all) != 2 {
		t.Fatalf("%d contenders, %v", len(all), err)
	}
	if b := all[1]; b.conns != 7 || b.server != "b" || b.proto != "raw" || cfg.proto != "gohub" {
		t.Fatalf("the second is %+v", b)
	}
}

func TestSharesAddUp(t *testing.T) {
	for _, total := range []int{0, 1, 7, 100_000} {
		sum := 0
		for i := range 6 {
			sum += share(total, i, 6)
		}
		if sum != total {
			t.Errorf("shares of %d add up to %d", total, sum)
		}
	}
}

func TestMessagesAreJSON(t *testing.T) {
	payload := wire.Marker{Seq: 1}.Append(nil, 128)
	for name, p := range protocols() {
		if name == "raw" {
			continue
		}
		messages := append(p.open("r"), string(p.publish(nil, "r", payload)), string(p.echo(nil, 5, payload)))
		for _, m := range messages {
			if !json.Valid([]byte(m)) {
				t.Errorf("%s sends %s", name, m)
			}
		}
	}
}

func TestDeliveriesAreHeldAgainstTheirSequence(t *testing.T) {
	w := &worker{cfg: &config{mode: "fanout", senders: 2}, count: &counters{}, clients: make([]client, 3)}
	for i := range w.clients {
		w.clients[i].index = int32(i)
	}
	hear := func(who int, sender uint16, seqs ...uint32) {
		for _, s := range seqs {
			w.delivered(&w.clients[who], wire.Marker{Sender: sender, Seq: s})
		}
	}
	hear(2, 0, 1, 2, 3)
	hear(2, 1, 1, 4)    // 2 and 3 are missing
	hear(1, 0, 1, 3, 2) // one missing, then late
	hear(1, 1, 1)       // itself
	c := w.count
	got := []int64{c.Delivered.Load(), c.Lost.Load(), c.Reordered.Load(), c.SelfHeard.Load()}
	for i, want := range []int64{9, 3, 1, 1} {
		if got[i] != want {
			t.Fatalf("delivered, lost, reordered, self-heard: %v, want [9 3 1 1]", got)
		}
	}
}

func TestInflate(t *testing.T) {
	var buf bytes.Buffer
	z, _ := flate.NewWriter(&buf, 1)
	f := newInflater()
	for _, text := range []string{"", "hello", strings.Repeat("long ", 20_000)} {
		for range 2 { // the second comes from memory
			buf.Reset()
			z.Reset(&buf)
			_, _ = z.Write([]byte(text))
			_ = z.Flush()
			got, err := f.inflate(bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff")))
			if err != nil || string(got) != text {
				t.Fatalf("%d bytes came back as %d, %v", len(text), len(got), err)
			}
		}
	}
	if _, err := f.inflate([]byte{0xff, 0xff, 0xff}); err == nil {
		t.Fatal("garbage was inflated")
	}
}

func TestCoalescedFramesAndPartialOnes(t *testing.T) {
	w := &worker{cfg: &config{mode: "fanout"}, count: &counters{}, clients: make([]client, 1), in: make([]byte, 1<<16)}
	c := &w.clients[0]
	c.state = ready
	var stream []byte
	for i := range 10 {
		stream = wire.AppendServer(stream, wire.OpText, wire.Marker{Seq: uint32(i + 1)}.Append(nil, 200))
	}
	rest := w.consume(c, stream[:len(stream)-50])
	if w.count.Delivered.Load() != 9 || len(rest) != 154 {
		t.Fatalf("%d delivered, %d bytes left", w.count.Delivered.Load(), len(rest))
	}
	if rest = w.consume(c, append(bytes.Clone(rest), stream[len(stream)-50:]...)); len(rest) != 0 || w.count.Lost.Load() != 0 {
		t.Fatalf("%d bytes left, %d lost", len(rest), w.count.Lost.Load())
	}
}
