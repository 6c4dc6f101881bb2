package wire_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

var texts = []string{
	"", "a", "é", "€", "😀", "aé€😀z", "κόσμε",
	"\u0000", "\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff",
	"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
	"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff",
	"a\xe2\x82", "a\xf0\x9f\x98", "\xe2\x82a", "\xf0\x9f\x98a", "ok\xf0\x9fok", "€\x80", "😀\xbf",
}

// TestTextIsUTF8 holds the parser against utf8.Valid, with the text cut into
// fragments at every place, and the bytes cut at every place.
func TestTextIsUTF8(t *testing.T) {
	for _, text := range texts {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			want := 1007
			if utf8.ValidString(text) {
				want = 0
			}
			for cut := range len(text) + 1 {
				stream := join(masked(1, []byte(text[:cut])), masked(0, nil), masked(fin|0, []byte(text[cut:])))
				if _, err := everyCut(t, plain(), false, stream); code(t, err) != want {
					t.Errorf("fragments cut at %d: %v", cut, err)
				}
			}
			if _, err := everyCut(t, plain(), false, masked(fin|1, []byte(text))); code(t, err) != want {
				t.Errorf("one frame: %v", err)
			}
			if _, err := parse(t, plain(), false, masked(fin|2, []byte(text))); err != nil {
				t.Errorf("binary: %v", err)
			}
		})
	}
}

// TestTextFailsEarly: the byte that no continuation can make good is the last
// one read (RFC 6455, section 8.1).
func TestTextFailsEarly(t *testing.T) {
	for _, bad := range []string{"ab\xff", "ab\xe2\x28", "ab\xed\xa0", "ab\xf4\x90", "ab\xc0", "ab\xe0\x80", "ab\xf0\x80"} {
		stream := masked(1, []byte(bad+"later"))
		at := 6 + len(bad)
		cuts := make([]int, at)
		for i := range cuts {
			cuts[i] = i + 1
		}
		if _, err := parse(t, plain(), false, stream[:at-1], cuts[:at-1]...); err != nil {
			t.Errorf("%q: refused too early", bad)
		}
		if _, err := parse(t, plain(), false, stream[:at], cuts...); code(t, err) != 1007 {
			t.Errorf("%q: not refused at its bad byte: %v", bad, err)
		}
	}
}

func TestRandomTextIsUTF8(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 455))
	for range 5_000 {
		var text []byte
		for range rng.IntN(6) {
			text = append(text, texts[rng.IntN(len(texts))]...)
		}
		cut := rng.IntN(len(text) + 1)
		stream := join(masked(1, text[:cut]), masked(fin|0, text[cut:]))
		at := rng.IntN(len(stream) + 1)
		_, err := parse(t, plain(), false, stream, at)
		if (err == nil) != utf8.Valid(text) {
			t.Fatalf("%q, fragments cut at %d, bytes at %d: %v", text, cut, at, err)
		}
	}
}
