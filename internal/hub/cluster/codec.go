package cluster

import (
	"encoding/binary"
	"errors"
)

// writer appends values to a message between nodes: integers as varints,
// strings and bytes behind their length.
type writer []byte

func (w *writer) byte(b byte)     { *w = append(*w, b) }
func (w *writer) uint(n uint64)   { *w = binary.AppendUvarint(*w, n) }
func (w *writer) fixed(n uint64)  { *w = binary.BigEndian.AppendUint64(*w, n) }
func (w *writer) bytes(b []byte)  { w.uint(uint64(len(b))); *w = append(*w, b...) }
func (w *writer) string(s string) { w.uint(uint64(len(s))); *w = append(*w, s...) }
func (w *writer) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

// text is a message that is one string.
func text(s string) []byte {
	var w writer
	w.string(s)
	return w
}

func (w *writer) strings(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.string(s)
	}
}

// errMalformed is the error of a message that another version of the hub, or
// nobody at all, has sent.
var errMalformed = errors.New("malformed message of another node")

// reader takes values from a message in the order they were written. After the
// first that is not there it returns zero values and err says so.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.b, r.bad = nil, true
}

func (r *reader) err() error {
	if r.bad {
		return errMalformed
	}
	return nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

func (r *reader) bool() bool { return r.byte() != 0 }

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) fixed() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	n := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

// bytes returns a part of the message, not a copy.
func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) string() string { return string(r.bytes()) }

// count returns how many values of at least size bytes each follow.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}

// rest returns what has not been read yet.
func (r *reader) rest() []byte { return r.b }
