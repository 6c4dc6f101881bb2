package wire

import "unicode/utf8"

// utf8Checker checks text that comes in pieces cut anywhere, and refuses it
// at the first byte that no continuation could make valid (RFC 6455, section
// 8.1; failing early is what the strict conformance cases ask for).
type utf8Checker struct {
	pending [utf8.UTFMax]byte // an unfinished rune
	n       int
}

// write takes the next piece and tells whether the text can still be valid.
func (u *utf8Checker) write(b []byte) bool {
	for u.n > 0 && len(b) > 0 {
		u.pending[u.n] = b[0]
		u.n++
		b = b[1:]
		if utf8.FullRune(u.pending[:u.n]) {
			if !utf8.Valid(u.pending[:u.n]) {
				return false
			}
			u.n = 0
		}
	}
	if len(b) == 0 {
		return true
	}
	tail := unfinished(b)
	if !utf8.Valid(b[:len(b)-tail]) {
		return false
	}
	u.n = copy(u.pending[:], b[len(b)-tail:])
	return true
}

// done tells whether the text ended on a rune boundary.
func (u *utf8Checker) done() bool { return u.n == 0 }

// unfinished returns how many bytes at the end of b begin a rune that b does
// not finish.
func unfinished(b []byte) int {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return i
		}
	}
	return 0
}
