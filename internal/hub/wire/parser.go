package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Sink takes what a Parser finds, in the order of the wire.
type Sink interface {
	// Frame is told of each frame as soon as its header is complete, before
	// its payload is looked at; an error ends the parsing. It is where frames
	// are metered.
	Frame(op Opcode) error
	// Message takes a whole text or binary message: unmasked, inflated and,
	// if text, valid UTF-8. payload is the sink's own. Returning false stops
	// the parser after this message.
	Message(op Opcode, payload []byte) bool
	// Control takes a close, ping or pong. payload is valid during the call.
	// An error ends the parsing.
	Control(op Opcode, payload []byte) error
}

// Config is what the parsers of all connections of a server share.
type Config struct {
	// MaxMessage is the largest message in bytes, counted after inflation;
	// 0 or less means no limit other than memory.
	MaxMessage int
	// Inflater decompresses messages of connections that negotiated it.
	Inflater *Inflater
}

func (c *Config) limit() int {
	if c.MaxMessage <= 0 {
		return 1<<31 - 1
	}
	return c.MaxMessage
}

// wireLimit bounds a message as it comes: what does not compress is longer
// compressed, by an eighth with the fixed codes of RFC 1951.
func (c *Config) wireLimit(compressed bool) int {
	if !compressed {
		return c.limit()
	}
	return c.limit() + c.limit()/8 + 64
}

// Parser reads one connection's frames. Between messages it holds no state,
// so one parser can serve many idle connections in turn: Idle tells when.
// It is not safe for concurrent use.
type Parser struct {
	cfg *Config

	header    [maxHeader]byte // an incomplete header
	headerLen int

	inPayload bool // a header is complete, remaining bytes of payload follow
	op        Opcode
	fin       bool
	key       [4]byte
	keyPos    int
	remaining int

	fragmented bool // a message has begun and not ended
	msgOp      Opcode
	compressed bool
	msg        []byte
	text       utf8Checker

	control    [maxControlPayload]byte
	controlLen int
}

// NewParser returns an idle parser.
func NewParser(cfg *Config) *Parser { return &Parser{cfg: cfg} }

// Idle tells whether the parser stands between messages and holds no byte.
func (p *Parser) Idle() bool { return !p.inPayload && p.headerLen == 0 && !p.fragmented }

// Reset drops whatever is unfinished.
func (p *Parser) Reset() { *p = Parser{cfg: p.cfg} }

// Buffered returns how many bytes of an unfinished message are held.
func (p *Parser) Buffered() int { return len(p.msg) }

// Feed parses b, unmasking it in place, and hands what it finds to sink. It
// returns how many bytes it used: fewer than len(b) only where the sink asked
// it to stop. deflate tells whether permessage-deflate was negotiated. After
// an error (an *Error, or the sink's own) the parser must not be fed again.
func (p *Parser) Feed(b []byte, deflate bool, sink Sink) (int, error) {
	total := len(b)
	for {
		if !p.inPayload {
			if len(b) == 0 {
				return total, nil
			}
			n, ok, err := p.readHeader(b, deflate)
			b = b[n:]
			if err != nil {
				return total - len(b), err
			}
			if !ok {
				return total, nil
			}
			if err := sink.Frame(p.op); err != nil {
				return total - len(b), err
			}
		}
		n := min(p.remaining, len(b))
		piece := b[:n]
		b = b[n:]
		p.keyPos = unmask(piece, p.key, p.keyPos)
		p.remaining -= n
		more, err := p.payload(piece, sink)
		if err != nil || !more {
			return total - len(b), err
		}
		if p.inPayload { // b is used up
			return total, nil
		}
	}
}

// readHeader takes header bytes off b and tells whether the header is complete.
func (p *Parser) readHeader(b []byte, deflate bool) (n int, ok bool, err error) {
	h := b
	if p.headerLen > 0 || len(b) < maxHeader {
		n = copy(p.header[p.headerLen:], b)
		h = p.header[:p.headerLen+n]
	}
	size := 2
	if len(h) >= 2 {
		switch h[1] & 0x7f {
		case 126:
			size += 2
		case 127:
			size += 8
		}
		if h[1]&0x80 == 0 {
			return n, false, errNotMasked
		}
		size += 4
		if err := p.checkFirst(h[0], int(h[1]&0x7f), deflate); err != nil {
			return n, false, err
		}
	}
	if len(h) < size || len(h) < 2 {
		p.headerLen = len(h)
		return n, false, nil
	}
	used := size - p.headerLen
	p.headerLen = 0
	return used, true, p.begin(h[:size])
}

// checkFirst refuses a frame by its first two bytes, before waiting for more.
func (p *Parser) checkFirst(first byte, shortLen int, deflate bool) error {
	op := Opcode(first & 0x0f)
	if first&0x30 != 0 {
		return errReserved
	}
	if first&rsv1 != 0 && (!deflate || op.control() || op == Continuation) {
		return errReserved
	}
	switch op {
	case Text, Binary:
		if p.fragmented {
			return errInterleaved
		}
	case Continuation:
		if !p.fragmented {
			return errContinuation
		}
	case Close, Ping, Pong:
		if first&0x80 == 0 || shortLen > maxControlPayload {
			return errControl
		}
	default:
		return errOpcode
	}
	return nil
}

// begin starts the payload of the frame whose complete header is h.
func (p *Parser) begin(h []byte) error {
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		n = binary.BigEndian.Uint64(h[2:])
		if n>>63 != 0 {
			return errLength
		}
	}
	p.op = Opcode(h[0] & 0x0f)
	p.fin = h[0]&0x80 != 0
	copy(p.key[:], h[len(h)-4:])
	p.keyPos = 0
	p.inPayload = true
	if !p.op.control() {
		if p.op != Continuation {
			p.msgOp = p.op
			p.compressed = h[0]&rsv1 != 0
			p.text = utf8Checker{}
		}
		if n > uint64(p.cfg.wireLimit(p.compressed)-len(p.msg)) {
			return errTooBig
		}
	}
	p.remaining = int(n)
	return nil
}

// payload takes unmasked payload bytes of the current frame, and ends frame
// and message where they end.
func (p *Parser) payload(piece []byte, sink Sink) (more bool, err error) {
	if p.op.control() {
		p.controlLen += copy(p.control[p.controlLen:], piece)
		if p.remaining > 0 {
			return true, nil
		}
		n := p.controlLen
		p.controlLen, p.inPayload = 0, false
		return true, sink.Control(p.op, p.control[:n])
	}
	last := p.fin && p.remaining == 0
	if last && !p.fragmented && len(p.msg) == 0 {
		return p.whole(piece, sink) // the usual case: a message in one piece
	}
	if p.msgOp == Text && !p.compressed && !p.text.write(piece) {
		return false, errUTF8
	}
	p.msg = append(p.msg, piece...)
	if p.remaining > 0 {
		return true, nil
	}
	p.inPayload = false
	p.fragmented = !p.fin
	if !last {
		return true, nil
	}
	msg := p.msg
	p.msg = nil
	if p.compressed {
		if msg, err = p.inflate(msg); err != nil {
			return false, err
		}
	} else if p.msgOp == Text && !p.text.done() {
		return false, errUTF8
	}
	return sink.Message(p.msgOp, msg), nil
}

// whole delivers a message that came in one frame and one piece.
func (p *Parser) whole(piece []byte, sink Sink) (more bool, err error) {
	p.inPayload = false
	msg := piece
	if p.compressed {
		if msg, err = p.inflate(piece); err != nil {
			return false, err
		}
	} else {
		if p.msgOp == Text && !utf8.Valid(piece) {
			return false, errUTF8
		}
		msg = bytes.Clone(piece)
	}
	return sink.Message(p.msgOp, msg), nil
}

func (p *Parser) inflate(msg []byte) ([]byte, error) {
	out, err := p.cfg.Inflater.Inflate(msg, p.cfg.limit())
	if err != nil {
		return nil, err
	}
	if p.msgOp == Text && !utf8.Valid(out) {
		return nil, errUTF8
	}
	return out, nil
}
