package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"
)

// Compression follows RFC 7692 without context takeover in either direction:
// a connection then holds no compressor while idle, and one compressed frame
// fits every member of a room.

// deflateTail is what a sender leaves out at the end of each message (RFC
// 7692, section 7.2.1), followed by an empty final block so that the reader
// comes to an end.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// DeflateLevel is the compression level: level 6 costs three to four times
// the CPU for 2-4 % fewer bytes on JSON of 100 B to 8 KiB.
const DeflateLevel = 1

// Deflater compresses messages. It is safe for concurrent use; compressors
// (about 600 KiB each) are kept only while in use or until the next
// collection.
type Deflater struct{ pool sync.Pool }

// Frame returns payload as one compressed frame, or nil where compressing
// does not make it shorter: the caller sends it plain then.
func (d *Deflater) Frame(op Opcode, payload []byte) []byte {
	var buf bytes.Buffer
	buf.Grow(len(payload)/2 + 64)
	w, ok := d.pool.Get().(*flate.Writer)
	if ok {
		w.Reset(&buf)
	} else {
		w, _ = flate.NewWriter(&buf, DeflateLevel) // fails on a bad level only
	}
	// Writes to a bytes.Buffer do not fail.
	_, _ = w.Write(payload)
	_ = w.Flush()
	d.pool.Put(w)
	packed := bytes.TrimSuffix(buf.Bytes(), []byte(deflateTail[:4]))
	if len(packed) >= len(payload) {
		return nil
	}
	frame := AppendHeader(make([]byte, 0, len(packed)+maxServerHeader), op, len(packed), true)
	return append(frame, packed...)
}

// Inflater decompresses messages. It is safe for concurrent use.
type Inflater struct{ pool sync.Pool }

// inflateReader keeps a flate reader (about 40 KiB) together with its sources.
type inflateReader struct {
	src   bytes.Reader
	tail  strings.Reader
	multi io.Reader
	flate io.ReadCloser
}

// Inflate returns the decompressed payload. It stops as soon as the result
// exceeds limit bytes, so that a small message cannot become a large one.
func (f *Inflater) Inflate(payload []byte, limit int) ([]byte, error) {
	r, ok := f.pool.Get().(*inflateReader)
	if !ok {
		r = &inflateReader{}
	}
	defer func() {
		r.src.Reset(nil)
		f.pool.Put(r)
	}()
	r.src.Reset(payload)
	r.tail.Reset(deflateTail)
	r.multi = io.MultiReader(&r.src, &r.tail)
	if r.flate == nil {
		r.flate = flate.NewReader(r.multi)
	} else if err := r.flate.(flate.Resetter).Reset(r.multi, nil); err != nil {
		return nil, errDeflate
	}
	out := make([]byte, 0, min(4*len(payload)+64, limit+1))
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.flate.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > limit {
			return nil, errTooBig
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, errDeflate
		}
	}
}
