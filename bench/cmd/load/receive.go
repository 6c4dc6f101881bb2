package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// read takes what the socket has. A short read has emptied it, unless the peer
// hung up: then the end of the stream is still to be read.
func (w *worker) read(c *client, hangup bool) {
	for c.state != gone {
		held := copy(w.in, c.partial)
		n, err := unix.Read(int(c.fd), w.in[held:])
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			w.drop(c, "read: "+err.Error())
			return
		}
		if n == 0 {
			w.drop(c, "read: the server closed the connection")
			return
		}
		w.now = wire.Now()
		w.count.Bytes.Add(int64(n))
		b := w.in[:held+n]
		short := len(b) < len(w.in)
		w.keep(c, w.consume(c, b))
		if short && !hangup {
			return
		}
	}
}

func (w *worker) keep(c *client, rest []byte) {
	switch {
	case c.state == gone || len(rest) == 0:
		c.partial = nil
	case len(rest) == len(w.in):
		w.drop(c, "a frame is larger than the read buffer")
	default:
		c.partial = append(c.partial[:0], rest...)
	}
}

// consume handles all whole frames in b and returns what is left.
func (w *worker) consume(c *client, b []byte) []byte {
	if c.state == upgrading {
		r, size, err := wire.ParseResponse(b)
		if err != nil {
			w.drop(c, err.Error())
			return nil
		}
		if size == 0 {
			return b
		}
		b = b[size:]
		w.upgraded(c, r)
	}
	for c.state != gone {
		f, size, err := wire.Next(b)
		if err != nil {
			w.drop(c, err.Error())
			return nil
		}
		if size == 0 {
			return b
		}
		b = b[size:]
		w.frame(c, f)
	}
	return nil
}

func (w *worker) frame(c *client, f wire.Frame) {
	w.count.Frames.Add(1)
	switch f.Op {
	case wire.OpPing:
		w.write(c, wire.AppendClient(nil, wire.OpPong, f.Payload))
	case wire.OpPong:
	case wire.OpClose:
		code := 1005
		if len(f.Payload) >= 2 {
			code = int(binary.BigEndian.Uint16(f.Payload))
			f.Payload = f.Payload[2:]
		}
		w.drop(c, fmt.Sprintf("the server closed with %d %q", code, f.Payload))
	case wire.OpText, wire.OpBinary:
		w.data(c, f)
	default:
		w.fault(fmt.Sprintf("unexpected opcode %d", f.Op))
	}
}

func (w *worker) fault(note string) {
	w.count.Errors.Add(1)
	w.count.remember(note)
}

func (w *worker) data(c *client, f wire.Frame) {
	payload := f.Payload
	if f.Compressed {
		var err error
		if !c.deflate {
			w.fault("compressed frame for a client that did not ask for it")
			return
		}
		if payload, err = w.inflater.inflate(payload); err != nil {
			w.fault("inflate: " + err.Error())
			return
		}
	}
	if !f.Fin {
		w.fault("fragmented message")
	}
	// Checked before the markers: a server may put its reply and the first messages into one frame.
	if c.state == joining && bytes.Contains(payload, []byte(w.proto.readyOn(c.room))) {
		w.becomeReady(c)
	}
	marked := false
	wire.EachMarker(payload, func(m wire.Marker) {
		marked = true
		w.delivered(c, m)
	})
	if !marked && c.state != gone {
		w.reply(c, payload)
	}
}

// reply handles a message without a marker.
func (w *worker) reply(c *client, b []byte) {
	switch {
	case c.busy && w.cfg.mode == "join" && bytes.Contains(b, []byte(leftWord)):
		w.probeDone(c)
	case string(b) == "{}": // centrifuge's ping
		w.writeText(c, b)
	case bytes.Contains(b, []byte(errorWord)):
		w.fault(fmt.Sprintf("error reply: %.140s", b))
	}
}

func (w *worker) delivered(c *client, m wire.Marker) {
	w.count.Delivered.Add(1)
	switch w.cfg.mode {
	case "fanout":
		if w.cfg.senders > 0 && int(m.Sender) == int(c.index) {
			w.count.SelfHeard.Add(1)
			return
		}
		w.inOrder(w.lastHeard(c, m.Sender), m.Seq)
	case "echo":
		w.inOrder(&c.last, m.Seq)
		w.echoed(c)
	}
	w.count.observe(0, w.now-m.Sent)
}

func (w *worker) inOrder(last *uint32, seq uint32) {
	switch {
	case seq <= *last:
		w.count.Reordered.Add(1)
		return
	case seq > *last+1:
		w.count.Lost.Add(int64(seq - *last - 1))
	}
	*last = seq
}

// inflater undoes permessage-deflate without context takeover. A fan-out brings
// the same bytes to many clients: what was seen lately is not inflated again.
type inflater struct {
	r     io.ReadCloser
	known map[string][]byte
}

func newInflater() *inflater {
	return &inflater{r: flate.NewReader(nil), known: map[string][]byte{}}
}

// deflateTail completes a message (RFC 7692 section 7.2.2) and ends the stream with an empty final block.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

func (f *inflater) inflate(b []byte) ([]byte, error) {
	if text, ok := f.known[string(b)]; ok {
		return text, nil
	}
	src := io.MultiReader(bytes.NewReader(b), bytes.NewReader([]byte(deflateTail)))
	if err := f.r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f.r, wire.MaxPayload))
	if err != nil {
		return nil, err
	}
	if len(f.known) >= 4096 {
		clear(f.known)
	}
	f.known[string(b)] = text
	return text, nil
}
