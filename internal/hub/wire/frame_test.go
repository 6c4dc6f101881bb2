package wire_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

func TestAppendHeader(t *testing.T) {
	for _, tc := range []struct {
		name       string
		op         wire.Opcode
		n          int
		compressed bool
		want       string
	}{
		{"empty text", wire.Text, 0, false, "\x81\x00"},
		{"longest short", wire.Binary, 125, false, "\x82\x7d"},
		{"shortest of two bytes", wire.Text, 126, false, "\x81\x7e\x00\x7e"},
		{"longest of two bytes", wire.Text, 65535, false, "\x81\x7e\xff\xff"},
		{"shortest of eight bytes", wire.Text, 65536, false, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{"compressed", wire.Text, 5, true, "\xc1\x05"},
		{"ping", wire.Ping, 0, false, "\x89\x00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := wire.AppendHeader([]byte("x"), tc.op, tc.n, tc.compressed)
			if string(got) != "x"+tc.want {
				t.Errorf("got % x, want % x behind an x", got, tc.want)
			}
			if n := wire.HeaderSize(tc.n); n != len(tc.want) {
				t.Errorf("HeaderSize(%d) = %d, want %d", tc.n, n, len(tc.want))
			}
		})
	}
}

func TestFrameIsHeaderAndPayload(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := noise(n)
		want := append(wire.AppendHeader(nil, wire.Binary, n, false), payload...)
		if got := wire.Frame(wire.Binary, payload); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: Frame differs from header and payload", n)
		}
		if got := wire.AppendFrame([]byte("x"), wire.Binary, payload); !bytes.Equal(got[1:], want) || got[0] != 'x' {
			t.Errorf("%d bytes: AppendFrame differs from header and payload", n)
		}
	}
}

func TestCloseFrame(t *testing.T) {
	for _, tc := range []struct {
		name   string
		code   int
		reason string
		want   string
	}{
		{"code alone", 1000, "", "\x88\x02\x03\xe8"},
		{"reason", 4008, "too slow", "\x88\x0a\x0f\xa8too slow"},
		{"no status", 1005, "unsaid", "\x88\x00"},
		{"abnormal", 1006, "unsaid", "\x88\x00"},
		{"tls failure", 1015, "unsaid", "\x88\x00"},
		{"no code at all", 0, "unsaid", "\x88\x00"},
		{"longest reason", 1000, strings.Repeat("r", 123), "\x88\x7d\x03\xe8" + strings.Repeat("r", 123)},
		{"too long", 1000, strings.Repeat("r", 500), "\x88\x7d\x03\xe8" + strings.Repeat("r", 123)},
		{"cut in a rune", 1000, strings.Repeat("r", 121) + "€", "\x88\x7b\x03\xe8" + strings.Repeat("r", 121)},
		{"cut behind a rune", 1000, strings.Repeat("r", 120) + "€€", "\x88\x7d\x03\xe8" + strings.Repeat("r", 120) + "€"},
		{"not UTF-8", 1000, "a\xffb", "\x88\x07\x03\xe8a\uFFFDb"},
		{"not UTF-8 and too long", 1000, "\xff" + strings.Repeat("r", 200), "\x88\x7d\x03\xe8\uFFFD" + strings.Repeat("r", 120)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := wire.CloseFrame(tc.code, tc.reason); string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseClose(t *testing.T) {
	for _, tc := range []struct {
		name, payload string
		code          int
		reason        string
		refused       int
	}{
		{"empty", "", 1005, "", 0},
		{"one byte", "\x03", 0, "", 1002},
		{"normal", "\x03\xe8", 1000, "", 0},
		{"with reason", "\x03\xe9gone €", 1001, "gone €", 0},
		{"reason not UTF-8", "\x03\xe8\xff", 0, "", 1007},
		{"reason with half a rune", "\x03\xe8\xe2\x82", 0, "", 1007},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, reason, err := wire.ParseClose([]byte(tc.payload))
			if c != tc.code || reason != tc.reason || code(t, err) != tc.refused {
				t.Errorf("got %d %q %v", c, reason, err)
			}
		})
	}
}

// TestCloseCodes walks every code: what may be sent comes back from a frame,
// what may not is refused from a peer and never sent.
func TestCloseCodes(t *testing.T) {
	allowed := func(c int) bool {
		return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
	}
	for c := range 1 << 16 {
		got, _, err := wire.ParseClose([]byte{byte(c >> 8), byte(c)})
		if (err == nil) != allowed(c) || err == nil && got != c {
			t.Fatalf("code %d from a peer: %d, %v", c, got, err)
		}
		frame := wire.CloseFrame(c, "")
		if sent := len(frame) == 4; sent != allowed(c) {
			t.Fatalf("code %d: frame % x", c, frame)
		}
	}
}

func FuzzCloseFrame(f *testing.F) {
	f.Add(1000, "bye")
	f.Add(4001, strings.Repeat("€", 60)+"\xff")
	f.Fuzz(func(t *testing.T, code int, reason string) {
		frame := wire.CloseFrame(code, reason)
		if len(frame) < 2 || len(frame) > 127 || int(frame[1]) != len(frame)-2 {
			t.Fatalf("malformed: % x", frame)
		}
		got, text, err := wire.ParseClose(frame[2:])
		if err != nil {
			t.Fatalf("a peer would refuse % x: %v", frame, err)
		}
		if got != wire.CodeNoStatus && got != code {
			t.Fatalf("code %d became %d", code, got)
		}
		if utf8.ValidString(reason) && !strings.HasPrefix(reason, text) {
			t.Fatalf("reason %q became %q", reason, text)
		}
	})
}
