package conn_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

const (
	fin  = 0x80
	rsv1 = 0x40
)

// client is a peer that may send what it likes.
type client struct {
	t        testing.TB
	nc       net.Conn
	r        *bufio.Reader
	response *http.Response
}

// handshake returns an opening handshake with more header lines.
func handshake(header ...string) string {
	return "GET / HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		strings.Join(append(header, "\r\n"), "\r\n")
}

// dial opens a connection with more header lines.
func (srv *server) dial(t testing.TB, header ...string) *client {
	t.Helper()
	c := srv.shake(t, []byte(handshake(header...)))
	if c.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered with %s", c.response.Status)
	}
	return c
}

// knock sends request as it is.
func (srv *server) knock(t testing.TB, request []byte) *client {
	t.Helper()
	nc := srv.dialTCP(t)
	c := &client{t: t, nc: nc, r: bufio.NewReader(nc)}
	c.send(request)
	return c
}

// shake sends request as it is and reads the answer.
func (srv *server) shake(t testing.TB, request []byte) *client {
	t.Helper()
	c := srv.knock(t, request)
	var err error
	if c.response, err = http.ReadResponse(c.r, nil); err != nil {
		t.Fatalf("read handshake: %v", err)
	}
	return c
}

// frame returns a masked frame; first is its first byte.
func frame(first byte, payload []byte) []byte {
	key := [4]byte{1, 2, 3, 4}
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, key[:]...)
	for i, p := range payload {
		b = append(b, p^key[i&3])
	}
	return b
}

func text(s string) []byte { return frame(fin|1, []byte(s)) }

func closing(code int) []byte { return frame(fin|8, []byte{byte(code >> 8), byte(code)}) }

func (c *client) send(parts ...[]byte) {
	c.t.Helper()
	if _, err := c.nc.Write(bytes.Join(parts, nil)); err != nil {
		c.t.Fatalf("client write: %v", err)
	}
}

// read returns the next frame of the hub.
func (c *client) read() (first byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(c.r, head[:2]); err != nil {
		return 0, nil, err
	}
	first = head[0]
	n := int(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.r, head[:2])
		n = int(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(c.r, head[:8])
		n = int(binary.BigEndian.Uint64(head[:]))
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	return first, payload, err
}

// want reads a frame and fails where it is another one.
func (c *client) want(first byte, payload string) {
	c.t.Helper()
	f, p, err := c.read()
	if err != nil || f != first || string(p) != payload {
		c.t.Fatalf("read frame %#x %.60q, %v; want %#x %.60q", f, p, err, first, payload)
	}
}

// wantClose reads up to a close frame, fails where its code is another, and
// expects the end of the stream behind it, not a reset.
func (c *client) wantClose(code int) (reason string) {
	c.t.Helper()
	for {
		first, payload, err := c.read()
		if err != nil {
			c.t.Fatalf("read close frame: %v", err)
		}
		if first != fin|8 {
			continue
		}
		got, reason, err := wire.ParseClose(payload)
		if err != nil || got != code {
			c.t.Fatalf("close frame %q, %v; want code %d", payload, err, code)
		}
		c.wantEnd()
		return reason
	}
}

// wantEnd expects the end of the stream, without a reset.
func (c *client) wantEnd() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("read %#x, %v; want the end", b, err)
	}
}

// wantClosed expects what the handler is told.
func (s *session) wantClosed(t testing.TB, code int, reason string) {
	t.Helper()
	if got := get(t, s.closed); got != (closeEvent{code, reason}) {
		t.Errorf("closed with %d %q, want %d %q", got.code, got.reason, code, reason)
	}
}

// gorilla connects gorilla's client.
func (srv *server) gorilla(t testing.TB, d websocket.Dialer) *websocket.Conn {
	t.Helper()
	d.NetDial = func(string, string) (net.Conn, error) { return srv.dialTCP(t), nil }
	ws, _, err := d.Dial(fmt.Sprintf("ws://%s/", srv.Listener.Addr()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}
