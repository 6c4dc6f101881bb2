package dispatch

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// A small JSON reader (RFC 8259) for what the hub must look into: it checks a
// value in one pass without building anything, where encoding/json takes two
// passes and five allocations a message.

// maxDepth bounds nesting, so that no message can exhaust the stack.
const maxDepth = 200

var errSyntax = errors.New("not a valid JSON object")

// Object calls field for each member of the JSON object b, in order, with the
// decoded key and the raw value. It is an error if b is anything but one valid
// object. Both slices are valid as long as b is.
func Object(b []byte, field func(key, value []byte)) error {
	s := scanner{b: b, depth: maxDepth}
	s.space()
	if s.peek() != '{' || !s.object(field) {
		return errSyntax
	}
	if s.space(); s.i != len(b) {
		return errSyntax
	}
	return nil
}

// Valid tells whether b is one JSON value.
func Valid(b []byte) bool {
	s := scanner{b: b, depth: maxDepth}
	s.space()
	if !s.value() {
		return false
	}
	s.space()
	return s.i == len(b)
}

// scanner is a place in JSON text. Its methods move it over what they are
// named after and tell whether that was there.
type scanner struct {
	b     []byte
	i     int
	depth int // levels that may still be opened
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) object(field func(key, value []byte)) bool {
	if s.depth == 0 {
		return false
	}
	s.depth--
	s.i++
	s.space()
	if s.take('}') {
		s.depth++
		return true
	}
	for {
		start := s.i
		if s.peek() != '"' || !s.str() {
			return false
		}
		key := s.b[start:s.i]
		s.space()
		if !s.take(':') {
			return false
		}
		s.space()
		start = s.i
		if !s.value() {
			return false
		}
		if field != nil {
			field(decodeKey(key), s.b[start:s.i])
		}
		s.space()
		if s.take('}') {
			s.depth++
			return true
		}
		if !s.take(',') {
			return false
		}
		s.space()
	}
}

func (s *scanner) array() bool {
	if s.depth == 0 {
		return false
	}
	s.depth--
	s.i++
	s.space()
	if s.take(']') {
		s.depth++
		return true
	}
	for {
		if !s.value() {
			return false
		}
		s.space()
		if s.take(']') {
			s.depth++
			return true
		}
		if !s.take(',') {
			return false
		}
		s.space()
	}
}

func (s *scanner) value() bool {
	switch c := s.peek(); c {
	case '{':
		return s.object(nil)
	case '[':
		return s.array()
	case '"':
		return s.str()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) str() bool {
	for i := s.i + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return true
		case c < 0x20:
			return false
		case c == '\\':
			i++
			if i == len(s.b) {
				return false
			}
			switch s.b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if len(s.b)-i < 5 || !isHex(s.b[i+1:i+5]) {
					return false
				}
				i += 4
			default:
				return false
			}
		}
	}
	return false
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

// decodeKey returns the text of a JSON string that str has checked.
func decodeKey(raw []byte) []byte {
	for _, c := range raw {
		if c == '\\' {
			text, _ := String(raw)
			return []byte(text)
		}
	}
	return raw[1 : len(raw)-1]
}

// String decodes a checked JSON value that should be a string.
func String(raw []byte) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	for _, c := range raw {
		if c == '\\' {
			return text, json.Unmarshal(raw, &text) == nil
		}
	}
	return string(raw[1 : len(raw)-1]), true
}

// maxInt is the largest whole number that every JSON implementation can
// represent (RFC 8259, section 6).
const maxInt = 1<<53 - 1

// Int decodes a checked JSON value that should be a whole number of 53 bits;
// n is 0 where it is not.
func Int(raw []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < -maxInt || n > maxInt {
		return 0, false
	}
	return n, true
}

// AppendString appends s as a JSON string. What is no UTF-8 in it becomes
// U+FFFD.
func AppendString(dst []byte, s string) []byte {
	plain, ascii := true, true
	for i := range len(s) {
		c := s[i]
		plain = plain && c >= 0x20 && c != '"' && c != '\\'
		ascii = ascii && c < utf8.RuneSelf
	}
	if !plain || !ascii && !utf8.ValidString(s) {
		text, _ := json.Marshal(s) // a string can always be encoded
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
