package conformance

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// patience is how long the hub may take for anything at all.
const patience = 20 * time.Second

const (
	noClose  = -1 // closeCode before a close frame
	noStatus = 0  // closeCode of a close frame without a code
)

// peer is a client with a frame reader of its own: the hub is not judged by
// the library it uses. What it has got is written by take alone.
type peer struct {
	nc     net.Conn
	frames chan frame // closed when the connection has ended
	broken error      // why frames was closed, nil for an orderly end

	events    []event
	closeCode int
	ended     bool
	message   []byte // of a fragmented message
	opcode    byte   // of that message, 0 outside one
	violation string // what the hub did that no server may
}

type frame struct {
	head    byte // FIN, RSV and opcode (RFC 6455, section 5.2)
	masked  bool
	payload []byte
}

// dial connects to the hub's websocket at addr.
func dial(addr string) (*peer, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	if err := handshake(nc, r, addr); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	p := &peer{nc: nc, frames: make(chan frame), closeCode: noClose}
	go p.read(r)
	return p, nil
}

func handshake(w io.Writer, r *bufio.Reader, host string) error {
	const key, guid = "dGhlIHNhbXBsZSBub25jZQ==", "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	_, err := fmt.Fprintf(w, "GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", host, key)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	sum := sha1.Sum([]byte(key + guid)) // RFC 6455, section 4.2.2
	if resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return errors.New("wrong Sec-WebSocket-Accept")
	}
	return nil
}

// read passes on frames until the connection ends.
func (p *peer) read(r io.Reader) {
	defer close(p.frames)
	for {
		f, err := readFrame(r)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.broken = err
			}
			return
		}
		p.frames <- f
	}
}

func readFrame(r io.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	size := uint64(head[1] & 0x7f)
	if size >= 126 {
		extended := make([]byte, 8)
		length := extended[6:] // 126: two octets, 127: eight
		if size == 127 {
			length = extended
		}
		if _, err := io.ReadFull(r, length); err != nil {
			return frame{}, err
		}
		size = binary.BigEndian.Uint64(extended)
	}
	if size > 1<<20 {
		return frame{}, fmt.Errorf("frame of %d bytes", size)
	}
	f := frame{head: head[0], masked: head[1]&0x80 != 0, payload: make([]byte, size)}
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// wait takes what comes until enough is true, the connection has ended or d is
// over.
func (p *peer) wait(d time.Duration, enough func() bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !p.ended && !enough() {
		select {
		case f, ok := <-p.frames:
			p.ended = !ok
			if ok {
				p.take(f)
			}
		case <-timer.C:
			return
		}
	}
}

// over tells whether the hub has closed or gone.
func (p *peer) over() bool { return p.ended || p.closeCode != noClose }

// take notes what a frame means, and what about it no server may do.
func (p *peer) take(f frame) {
	final, opcode := f.head&0x80 != 0, f.head&0x0f
	switch {
	case f.masked:
		p.violation = "a masked frame"
	case f.head&0x70 != 0:
		p.violation = "a reserved bit without an extension"
	case p.closeCode != noClose:
		p.violation = "a frame after the close frame"
	case opcode >= 8 && (!final || len(f.payload) > 125):
		p.violation = "a control frame that is fragmented or too long"
	}
	switch opcode {
	case 0, 1, 2:
		p.takeData(final, opcode, f.payload)
	case 8:
		p.closeCode = noStatus
		if len(f.payload) >= 2 {
			p.closeCode = int(binary.BigEndian.Uint16(f.payload))
		} else if len(f.payload) == 1 {
			p.violation = "a close frame with half a code"
		}
	case 9:
		p.events = append(p.events, event{kind: "ping", data: hex.EncodeToString(f.payload)})
	case 10:
		p.events = append(p.events, event{kind: "pong", data: hex.EncodeToString(f.payload)})
	default:
		p.violation = fmt.Sprintf("opcode %d", opcode)
	}
}

func (p *peer) takeData(final bool, opcode byte, payload []byte) {
	if (opcode == 0) != (p.opcode != 0) {
		p.violation = "broken fragmentation"
	}
	if opcode != 0 {
		p.opcode, p.message = opcode, nil
	}
	p.message = append(p.message, payload...)
	if final {
		p.events = append(p.events, event{"message", hex.EncodeToString(p.message), p.opcode == 2})
		p.opcode = 0
	}
}

// close ends the connection and the reader.
func (p *peer) close() {
	_ = p.nc.Close()
	for range p.frames { // until the reader has gone
	}
}
