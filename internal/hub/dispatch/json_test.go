package dispatch_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
)

// maxDepth is how deep the reader follows nested values; encoding/json goes
// deeper.
const maxDepth = 200

// values are JSON texts, or nearly so.
var values = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[true,false,null]}`, "\t\r\n{\"a\" : \"b\"}\n",
	`{"a":{"b":{"c":[[],{},[{}]]}}}`, `{"":0}`, `{"a":1,"a":2}`, `{"é":"é"}`, `{"\u00e9":"\u00E9"}`, `{"\\\"\/\b\f\n\r\t":"\\\"\/\b\f\n\r\t"}`,
	`{"a":"\ud83d\ude00"}`, `{"\ud83d":"\ud83d"}`, `{"a":"😀"}`, `{"a":"<>&"}`, "{\"a\":\"\u2028\u2029\x7f\"}",
	`{"a":-0}`, `{"a":0.0e+10}`, `{"a":1E-5}`, `{"a":12345678901234567890}`, `{"a":-1.5e300}`,
	``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`, `{"a":1}}`, `{"a":1}x`, `{} {}`,
	`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-}`, `{"a":--1}`, `{"a":0x10}`, `{"a":1_000}`, `{"a":NaN}`, `{"a":Infinity}`,
	`{"a":tru}`, `{"a":trues}`, `{"a":nul}`, `{"a":True}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":[1}`, `{"a":]}`,
	`{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, `{"a":"`, `{"a":"\"}`, "{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x1f\"}", "{\x00}", "{\"a\":1\v}",
	"\ufeff{}", "{\u00a0}", `{"a":1}//`, `{/**/}`,
	`null`, `true`, `0`, `-1`, `"text"`, `[]`, `[{}]`, `9007199254740991`, `9007199254740992`, `-9007199254740991`, `-9007199254740992`, `1e3`, `1.0`, `-0`,
	`9223372036854775808`, `"1"`, `"\u0031"`, `""`, `"a\tb"`, `"\ud800"`, `"\udc00\ud800"`,
	`{"message_type":"ping","data":{"ts":1},"message_id":7}`,
}

// object is what encoding/json makes of b where that is an object.
func object(b []byte) (members map[string]json.RawMessage, ok bool) {
	trimmed := bytes.TrimLeft(b, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(b, &members) != nil {
		return nil, false
	}
	return members, true
}

// deep tells whether b may nest deeper than the reader follows.
func deep(b []byte) bool { return bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > maxDepth }

func checkObject(t *testing.T, b []byte) {
	t.Helper()
	want, valid := object(b)
	got := map[string]json.RawMessage{}
	err := dispatch.Object(b, func(key, value []byte) { got[string(key)] = slices.Clone(value) })
	if (err == nil) != valid {
		t.Fatalf("%q: %v, where encoding/json takes it: %v", b, err, valid)
	}
	if !valid {
		return
	}
	if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("%q: got %q, want %q", b, got, want)
	}
}

func TestObject(t *testing.T) {
	for _, v := range values {
		checkObject(t, []byte(v))
	}
}

func TestObjectOrder(t *testing.T) {
	var got []string
	err := dispatch.Object([]byte(`{"b":1,"a":[2], "b" : {"c":3} }`), func(key, value []byte) {
		got = append(got, string(key), string(value))
	})
	if want := []string{"b", "1", "a", "[2]", "b", `{"c":3}`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func FuzzObject(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if utf8.Valid(b) && !deep(b) { // text frames are UTF-8
			checkObject(t, b)
		}
	})
}

func TestValid(t *testing.T) {
	for _, v := range values {
		if got, want := dispatch.Valid([]byte(v)), json.Valid([]byte(v)); got != want {
			t.Errorf("Valid(%q) is %v, want %v", v, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if deep(b) {
			return
		}
		if got, want := dispatch.Valid(b), json.Valid(b); got != want {
			t.Errorf("Valid(%q) is %v, want %v", b, got, want)
		}
	})
}

func TestDepth(t *testing.T) {
	nested := func(open, shut string, n int) []byte {
		return []byte(strings.Repeat(open, n) + "0" + strings.Repeat(shut, n))
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"arrays", nested("[", "]", maxDepth), true},
		{"arrays, one too deep", nested("[", "]", maxDepth+1), false},
		{"objects", nested(`{"a":`, "}", maxDepth), true},
		{"objects, one too deep", nested(`{"a":`, "}", maxDepth+1), false},
		{"far too deep", nested("[", "]", 1<<20), false},
		{"one behind the other", []byte("[" + strings.Repeat("[],{},", maxDepth) + "0]"), true},
	} {
		if got := dispatch.Valid(tt.b); got != tt.want {
			t.Errorf("%s: valid is %v", tt.name, got)
		}
	}
}

// checkScalars compares String and Int with encoding/json.
func checkScalars(t *testing.T, b []byte) {
	t.Helper()
	var want any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	wantText, isText := want.(string)
	if got, ok := dispatch.String(b); ok != isText || got != wantText {
		t.Errorf("String(%s) is %q, %v; want %q, %v", b, got, ok, wantText, isText)
	}
	wantInt, isInt := whole(want)
	if got, ok := dispatch.Int(b); ok != isInt || got != wantInt {
		t.Errorf("Int(%s) is %d, %v; want %d, %v", b, got, ok, wantInt, isInt)
	}
}

// whole returns a number that is written as a whole number of 53 bits.
func whole(v any) (n int64, ok bool) {
	text, ok := v.(json.Number)
	if !ok || !regexp.MustCompile(`^-?[0-9]+$`).MatchString(string(text)) {
		return 0, false
	}
	x, _ := new(big.Int).SetString(string(text), 10)
	if x.CmpAbs(big.NewInt(1<<53-1)) > 0 {
		return 0, false
	}
	return x.Int64(), true
}

func TestScalars(t *testing.T) {
	for _, v := range values {
		if v == strings.TrimSpace(v) && json.Valid([]byte(v)) {
			checkScalars(t, []byte(v))
		}
	}
	for _, b := range [][]byte{nil, {}} {
		if _, ok := dispatch.String(b); ok {
			t.Error("nothing is a string")
		}
		if _, ok := dispatch.Int(b); ok {
			t.Error("nothing is a number")
		}
	}
}

func FuzzScalars(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if b = bytes.TrimSpace(b); utf8.Valid(b) && json.Valid(b) {
			checkScalars(t, b)
		}
	})
}

func checkAppendString(t *testing.T, s string) {
	t.Helper()
	encoded, _ := json.Marshal(s)
	var got, want string
	if err := json.Unmarshal(encoded, &want); err != nil {
		t.Fatal(err)
	}
	b := dispatch.AppendString([]byte("before"), s)
	raw, ok := bytes.CutPrefix(b, []byte("before"))
	if err := json.Unmarshal(raw, &got); !ok || err != nil || got != want {
		t.Errorf("AppendString(%q) is %q: %q, %v; want %q", s, b, got, err, want)
	}
	if !utf8.Valid(raw) {
		t.Errorf("AppendString(%q) is not UTF-8", s)
	}
}

var texts = []string{"", "plain", `"`, `\`, "\x00", "\x1f", "\x7f", "a\nb", "é", "房间", "😀", "\u2028", "<&>", "\xff", "a\xc3", "\xed\xa0\x80", "é\"", "\ufffd"}

func TestAppendString(t *testing.T) {
	for _, s := range texts {
		checkAppendString(t, s)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(checkAppendString)
}
