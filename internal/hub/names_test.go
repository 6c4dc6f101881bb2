package hub

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chenxilol/gohub/pkg/hub"
)

func TestCheckName(t *testing.T) {
	for _, tt := range []struct {
		name, value, problem string // "": none
	}{
		{"plain", "lobby", ""},
		{"one byte", "a", ""},
		{"spaces", " a b ", ""},
		{"wildcards are data", "chat.*.>", ""},
		{"separators are data", `a/b\c:d"e`, ""},
		{"any script", "房间 é 😀", ""},
		{"a line separator is no control character", "a\u2028b", ""},
		{"the longest", strings.Repeat("x", 512), ""},
		{"the longest of many bytes a character", strings.Repeat("é", 256), ""},
		{"empty", "", "missing or empty"},
		{"too long", strings.Repeat("x", 513), "longer than 512 bytes"},
		{"too long in bytes", strings.Repeat("é", 257), "longer than 512 bytes"},
		{"no UTF-8", "a\xff", "not valid UTF-8"},
		{"half a character", "a\xc3", "not valid UTF-8"},
		{"a surrogate", "\xed\xa0\x80", "not valid UTF-8"},
		{"NUL", "a\x00b", "control character"},
		{"a line feed", "a\n", "control character"},
		{"DEL", "\x7f", "control character"},
		{"a C1 control", "a\u0085b", "control character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := checkName("room_id", tt.value)
			switch {
			case (bad == nil) != (tt.problem == ""):
				t.Errorf("got %v, want %q", bad, tt.problem)
			case bad != nil && (bad.Code != hub.CodeFormat || !strings.Contains(bad.Message, "room_id") || !strings.Contains(bad.Message, tt.problem)):
				t.Errorf("got %v, want %q", bad, tt.problem)
			}
		})
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"", "lobby", "\x00", "房间", "\xff", strings.Repeat("x", 513)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkName("name", s) != nil {
			return
		}
		if s == "" || len(s) > 512 || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\n\r\t\x7f") {
			t.Errorf("%q was taken", s)
		}
	})
}
