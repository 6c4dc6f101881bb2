package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

func TestPayloadLengths(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 8, 9, 124, 125, 126, 127, 65535, 65536, 65537} {
		payload := noise(n)
		stream := masked(fin|2, payload)
		for _, cuts := range [][]int{nil, {1}, {2}, {5}, {len(stream) - 1}, {len(stream) / 3, len(stream) / 2}} {
			if slices.ContainsFunc(cuts, func(c int) bool { return c < 0 || c > len(stream) }) {
				continue
			}
			rec, err := parse(t, plain(), false, stream, cuts...)
			if err != nil || len(rec.events) != 1 || rec.events[0] != fmt.Sprintf("message 2 %q", payload) {
				t.Errorf("%d bytes cut at %v: %d events, %v", n, cuts, len(rec.events), err)
			}
		}
	}
}

// TestLongForms: lengths in more bytes than needed are taken as they are, as
// other servers do; only the 64th bit has no meaning.
func TestLongForms(t *testing.T) {
	two := append([]byte{0x81, 0xfe, 0, 1}, 0, 0, 0, 0, 'x')
	eight := append([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 0, 0, 0, 'x')
	for _, stream := range [][]byte{two, eight} {
		rec, err := everyCut(t, plain(), false, stream)
		if err != nil || fmt.Sprint(rec.events) != `[message 1 "x"]` {
			t.Errorf("% x: %v, %v", stream, rec.events, err)
		}
	}
}

func TestRefusedFrames(t *testing.T) {
	for _, tc := range []struct {
		name    string
		stream  []byte
		deflate bool
		want    int
	}{
		{"not masked", []byte{0x81, 0x01, 'x'}, false, 1002},
		{"not masked, two byte length", []byte{0x81, 126}, false, 1002},
		{"rsv1 without compression", masked(fin|rsv1|1, nil), false, 1002},
		{"rsv2", masked(fin|0x20|1, nil), true, 1002},
		{"rsv3", masked(fin|0x10|1, nil), true, 1002},
		{"rsv1 on ping", masked(fin|rsv1|9, nil), true, 1002},
		{"rsv1 on continuation", join(masked(1, nil), masked(fin|rsv1|0, nil)), true, 1002},
		{"opcode 3", masked(fin|3, nil), false, 1002},
		{"opcode 7", masked(fin|7, nil), false, 1002},
		{"opcode 11", masked(fin|11, nil), false, 1002},
		{"opcode 15", masked(fin|15, nil), false, 1002},
		{"fragmented ping", masked(9, nil), false, 1002},
		{"fragmented close", masked(8, nil), false, 1002},
		{"ping of 126 bytes", masked(fin|9, noise(126)), false, 1002},
		{"continuation of nothing", masked(fin|0, nil), false, 1002},
		{"continuation after the end", join(masked(1, nil), masked(fin|0, nil), masked(fin|0, nil)), false, 1002},
		{"text inside text", join(masked(1, nil), masked(fin|1, nil)), false, 1002},
		{"binary inside text", join(masked(1, nil), masked(2, nil)), false, 1002},
		{"length of 64 bits", maskedHeader(fin|2, 1<<63, [4]byte{}), false, 1002},
		{"longer than anything", maskedHeader(fin|2, 1<<62, [4]byte{}), false, 1009},
		{"malformed deflate", masked(fin|rsv1|1, []byte{0xff, 0xff}), true, 1007},
		{"deflated text that is not UTF-8", masked(fin|rsv1|1, []byte{0xfa, 0x07, 0x00}), true, 1007},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec, err := everyCut(t, plain(), tc.deflate, tc.stream)
			if code(t, err) != tc.want || len(rec.events) > 1 {
				t.Errorf("got %v and %v, want %d", err, rec.events, tc.want)
			}
		})
	}
}

// TestRefusedEarly: two bytes are enough to refuse a frame.
func TestRefusedEarly(t *testing.T) {
	for _, head := range [][]byte{{0x81, 0x05}, {0x83, 0x80}, {0x09, 0x80}, {0x89, 0xfe}, {0x80, 0x80}, {0xc1, 0x80}} {
		if _, err := parse(t, plain(), false, head); err == nil {
			t.Errorf("% x is waited on", head)
		}
	}
}

func TestControlFramesBetweenFragments(t *testing.T) {
	stream := join(
		masked(1, []byte("one ")), masked(fin|9, []byte("ping")),
		masked(0, []byte("two ")), masked(0, nil), masked(fin|10, nil),
		masked(fin|0, []byte("three")), masked(fin|9, noise(125)), masked(fin|2, []byte("next")),
		masked(fin|8, []byte("\x03\xe8bye")))
	rec, err := everyCut(t, plain(), false, stream)
	want := []string{
		`control 9 "ping"`, `control 10 ""`, `message 1 "one two three"`,
		fmt.Sprintf("control 9 %q", noise(125)), `message 2 "next"`, `control 8 "\x03\xe8bye"`,
	}
	if err != nil || !slices.Equal(rec.events, want) {
		t.Errorf("got %q, %v", rec.events, err)
	}
	if rec.frames != 9 {
		t.Errorf("told of %d frames, want 9", rec.frames)
	}
}

func TestSizeLimit(t *testing.T) {
	cfg := &wire.Config{MaxMessage: 100, Inflater: new(wire.Inflater)}
	for _, tc := range []struct {
		name   string
		stream []byte
		want   int
	}{
		{"at the limit", masked(fin|2, noise(100)), 0},
		{"one over", masked(fin|2, noise(101)), 1009},
		{"refused by its header", maskedHeader(fin|2, 101, [4]byte{}), 1009},
		{"fragments at the limit", join(masked(2, noise(60)), masked(fin|0, noise(40))), 0},
		{"fragments over", join(masked(2, noise(60)), masked(fin|0, noise(41))), 1009},
		{"next message counts anew", join(masked(2, noise(60)), masked(fin|0, noise(40)), masked(fin|2, noise(100))), 0},
		{"control frames do not count", join(masked(2, noise(60)), masked(fin|9, noise(120)), masked(fin|0, noise(40))), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := everyCut(t, cfg, false, tc.stream); code(t, err) != tc.want {
				t.Errorf("got %v, want %d", err, tc.want)
			}
		})
	}
}

// TestMemoryFollowsTheBytes: a header that announces much costs nothing.
func TestMemoryFollowsTheBytes(t *testing.T) {
	head := maskedHeader(fin|2, 1<<30, [4]byte{})
	n := allocated(func() {
		if _, err := wire.NewParser(plain()).Feed(bytes.Clone(head), false, &recorder{}); err != nil {
			t.Error(err)
		}
	})
	if n > 64<<10 {
		t.Errorf("a header alone makes the parser allocate %d bytes", n)
	}
}

func TestStopsAfterAMessage(t *testing.T) {
	stream := join(masked(fin|1, []byte("a")), masked(fin|9, nil), masked(1, []byte("b")), masked(fin|0, []byte("c")), masked(fin|1, []byte("d")))
	rec := &recorder{stop: true}
	p := wire.NewParser(plain())
	var used []int
	for rest := bytes.Clone(stream); len(rest) > 0; {
		n, err := p.Feed(rest, false, rec)
		if err != nil || n == 0 {
			t.Fatalf("used %d, %v", n, err)
		}
		used = append(used, n)
		rest = rest[n:]
	}
	want := []string{`message 1 "a"`, `control 9 ""`, `message 1 "bc"`, `message 1 "d"`}
	if !slices.Equal(rec.events, want) || !slices.Equal(used, []int{7, 6 + 7 + 7, 7}) {
		t.Errorf("got %q in steps of %v", rec.events, used)
	}
	if !p.Idle() {
		t.Error("not idle between messages")
	}
}

func TestIdleAndBuffered(t *testing.T) {
	stream := join(masked(2, []byte("abc")), masked(fin|9, []byte("x")), masked(fin|0, []byte("def")))
	p := wire.NewParser(plain())
	for i, b := range stream {
		if p.Idle() != (i == 0) {
			t.Fatalf("before byte %d: Idle is %v", i, p.Idle())
		}
		if _, err := p.Feed([]byte{b}, false, &recorder{}); err != nil {
			t.Fatal(err)
		}
		if want := min(max(i-5, 0), 3); i < 16 && p.Buffered() != want {
			t.Fatalf("behind byte %d: %d bytes buffered, want %d", i, p.Buffered(), want)
		}
	}
	if !p.Idle() || p.Buffered() != 0 {
		t.Error("not idle behind the message")
	}
	if _, err := p.Feed(stream[:8], false, &recorder{}); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	if !p.Idle() || p.Buffered() != 0 {
		t.Error("not idle after Reset")
	}
}

// TestPayloadIsTheSinks: later input does not change what was delivered.
func TestPayloadIsTheSinks(t *testing.T) {
	var kept keeper
	p := wire.NewParser(plain())
	buf := make([]byte, 0, 64)
	for _, text := range []string{"first", "other"} {
		buf = append(buf[:0], masked(fin|1, []byte(text))...)
		if _, err := p.Feed(buf, false, &kept); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(bytes.Join(kept, []byte(" "))); got != "first other" {
		t.Errorf("kept %q", got)
	}
}

type keeper [][]byte

func (k *keeper) Frame(wire.Opcode) error              { return nil }
func (k *keeper) Control(wire.Opcode, []byte) error    { return nil }
func (k *keeper) Message(_ wire.Opcode, p []byte) bool { *k = append(*k, p); return true }

// TestSinkErrors: an error of the sink ends the parsing and comes back as it is.
func TestSinkErrors(t *testing.T) {
	mine := errors.New("mine")
	for _, tc := range []struct {
		name string
		sink failing
	}{{"frame", failing{frame: mine}}, {"control", failing{control: mine}}} {
		t.Run(tc.name, func(t *testing.T) {
			stream := join(masked(fin|9, []byte("x")), masked(fin|9, []byte("y")))
			_, err := wire.NewParser(plain()).Feed(stream, false, &tc.sink)
			if !errors.Is(err, mine) || tc.sink.calls != 1 {
				t.Errorf("%v after %d calls", err, tc.sink.calls)
			}
		})
	}
}

type failing struct {
	recorder
	frame, control error
	calls          int
}

func (f *failing) Frame(wire.Opcode) error {
	if f.frame != nil {
		f.calls++
	}
	return f.frame
}

func (f *failing) Control(wire.Opcode, []byte) error { f.calls++; return f.control }

func TestErrorSaysNothingOfThePeer(t *testing.T) {
	_, err := parse(t, plain(), false, masked(fin|1, []byte("secret\xff")))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "1007") {
		t.Errorf("got %v", err)
	}
}

// FuzzParser: however the bytes are cut, events and error are the same, and
// nothing panics.
func FuzzParser(f *testing.F) {
	seeds := [][]byte{
		masked(fin|1, []byte("hello")),
		join(masked(1, []byte("h\xc3")), masked(fin|9, nil), masked(fin|0, []byte("\xa9"))),
		join(masked(fin|2, noise(130)), masked(fin|8, []byte("\x03\xe8"))),
		masked(fin|rsv1|1, []byte{0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}),
		join(masked(rsv1|1, []byte{0xca, 0x48, 0xcd}), masked(fin|0, []byte{0xc9, 0xc9, 0x07, 0x00})),
		maskedHeader(fin|2, 1<<40, [4]byte{}),
	}
	for _, s := range seeds {
		f.Add(s, uint16(3), true)
		f.Add(s, uint16(7), false)
	}
	cfg := &wire.Config{MaxMessage: 512, Inflater: new(wire.Inflater)}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint16, deflate bool) {
		want, wantErr := parse(t, cfg, deflate, stream)
		code(t, wantErr)
		cuts := []int{}
		rng := binary.BigEndian.Uint64(append(make([]byte, 6), byte(seed>>8), byte(seed)))
		for at := 0; ; {
			rng = rng*6364136223846793005 + 1442695040888963407
			if at += int(rng>>60) + int(seed&1); at > len(stream) {
				break
			}
			cuts = append(cuts, at)
			if len(cuts) > 2*len(stream)+8 {
				break
			}
		}
		got, err := parse(t, cfg, deflate, stream, cuts...)
		if !slices.Equal(got.events, want.events) || !sameError(err, wantErr) {
			t.Fatalf("cut at %v: %q, %v; whole: %q, %v", cuts, got.events, err, want.events, wantErr)
		}
		stopping := &recorder{stop: true}
		p := wire.NewParser(cfg)
		var stopErr error
		for rest := bytes.Clone(stream); len(rest) > 0 && stopErr == nil; {
			var n int
			if n, stopErr = p.Feed(rest, deflate, stopping); n == 0 && stopErr == nil {
				t.Fatal("stands still")
			}
			rest = rest[n:]
		}
		if !slices.Equal(stopping.events, want.events) || !sameError(stopErr, wantErr) {
			t.Fatalf("stopped at each message: %q, %v; whole: %q, %v", stopping.events, stopErr, want.events, wantErr)
		}
	})
}
