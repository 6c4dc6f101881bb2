package server_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// bare is a client that does just what it is told: it answers no ping and no
// close frame.
type bare struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dialBare(t testing.TB, srv *hubtest.Server) *bare {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10) // a slow reader is one soon
	_ = conn.SetDeadline(time.Now().Add(2 * hubtest.Timeout))
	return &bare{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

// upgradeBare is dialBare with a handshake that has further header lines.
func upgradeBare(t testing.TB, srv *hubtest.Server, header ...string) *bare {
	t.Helper()
	b := dialBare(t, srv)
	b.send(handshakeText(header...))
	if status, _, body := b.response(); status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d: %s", status, body)
	}
	return b
}

// handshakeText is a good handshake with further header lines.
func handshakeText(header ...string) string {
	lines := append([]string{
		"GET /ws HTTP/1.1", "Host: hub", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, header...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func (b *bare) send(text string) {
	b.t.Helper()
	if _, err := b.Write([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bare) response() (status int, header http.Header, body string) {
	b.t.Helper()
	resp, err := http.ReadResponse(b.r, nil)
	if err != nil {
		b.t.Fatalf("no response: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, resp.Header, ""
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

const (
	opText  = 0x81 // with FIN, as all below
	opClose = 0x88
	opPing  = 0x89
	opPong  = 0x8a
	rsv1    = 0x40 // compressed
)

// frame is a masked frame (RFC 6455, section 5.2), whose mask is zero.
func frame(op byte, payload string) string {
	h := []byte{op}
	switch n := len(payload); {
	case n < 126:
		h = append(h, 0x80|byte(n))
	case n < 1<<16:
		h = binary.BigEndian.AppendUint16(append(h, 0x80|126), uint16(n))
	default:
		h = binary.BigEndian.AppendUint64(append(h, 0x80|127), uint64(n))
	}
	return string(h) + "\x00\x00\x00\x00" + payload
}

// frame reads the next frame.
func (b *bare) frame() (op byte, payload []byte) {
	b.t.Helper()
	var h [10]byte
	if _, err := io.ReadFull(b.r, h[:2]); err != nil {
		b.t.Fatalf("no frame: %v", err)
	}
	n := uint64(h[1])
	switch n {
	case 126:
		_, _ = io.ReadFull(b.r, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:4]))
	case 127:
		_, _ = io.ReadFull(b.r, h[2:10])
		n = binary.BigEndian.Uint64(h[2:10])
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(b.r, payload); err != nil {
		b.t.Fatalf("half a frame: %v", err)
	}
	return h[0], payload
}

// message reads the next text frame.
func (b *bare) message() (m hubtest.Message) {
	b.t.Helper()
	op, payload := b.frame()
	if op != opText {
		b.t.Fatalf("got frame %#x %q, want a message", op, payload)
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		b.t.Fatalf("%q is no message: %v", payload, err)
	}
	return m
}

// closeCode is the code in the payload of a close frame.
func closeCode(payload []byte) int {
	if len(payload) < 2 {
		return websocket.CloseNoStatusReceived
	}
	return int(binary.BigEndian.Uint16(payload))
}

func TestHandshakes(t *testing.T) {
	srv := start(t, server.Options{})
	good := handshakeText()
	replace := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not in the handshake", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, tt := range []struct {
		name, request string
		status        int
	}{
		{"good", good, 101},
		{"other case", replace("Upgrade: websocket", "upgrade: WebSocket"), 101},
		{"as Firefox does", replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"), 101},
		{"several upgrades", replace("Upgrade: websocket", "Upgrade: h2c, websocket"), 101},
		{"no body, said so", handshakeText("Content-Length: 0"), 101},
		{"12 KiB of header", handshakeText("X-Pad: " + strings.Repeat("x", 12<<10)), 101},
		{"POST", replace("GET", "POST"), 405},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 505},
		{"another upgrade", replace("Upgrade: websocket", "Upgrade: h2c"), 426},
		{"no upgrade", replace("Upgrade: websocket\r\n", ""), 426},
		{"no connection", replace("Connection: Upgrade\r\n", ""), 426},
		{"version 8", replace("Version: 13", "Version: 8"), 426},
		{"no version", replace("Sec-WebSocket-Version: 13\r\n", ""), 426},
		{"two versions", handshakeText("Sec-WebSocket-Version: 8"), 426},
		{"no key", replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400},
		{"two keys", handshakeText("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400},
		{"short key", replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400},
		{"key that is not base64", replace("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!=="), 400},
		{"body", handshakeText("Content-Length: 5") + "hello", 400},
		{"chunked body", handshakeText("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n", 400},
		{"length and encoding", handshakeText("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := dialBare(t, srv)
			b.send(tt.request)
			status, header, body := b.response()
			if status != tt.status {
				t.Fatalf("status %d, want %d: %s", status, tt.status, body)
			}
			switch status {
			case 101:
				b.send(frame(opText, `{"message_type":"ping","message_id":1}`))
				if m := b.message(); m.RequestID != 1 {
					t.Errorf("%+v", m)
				}
				return
			case 405: // the router's own answer
				if got := header.Get("Allow"); got != "GET, HEAD" {
					t.Errorf("Allow: %q", got)
				}
				return
			case 426:
				if header.Get("Sec-WebSocket-Version") != "13" || header.Get("Upgrade") != "websocket" {
					t.Errorf("header %v", header)
				}
			}
			var e struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code != hub.CodeFormat || e.Message == "" || header.Get("Content-Type") != "application/json" {
				t.Errorf("body %q, header %v", body, header)
			}
		})
	}
	for name, request := range map[string]string{
		"HTTP/2":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/9":        replace("HTTP/1.1", "HTTP/9.9"),
		"no host":       replace("Host: hub\r\n", ""),
		"two hosts":     handshakeText("Host: other"),
		"bad header":    handshakeText("Bad Header: x"),
		"bad length":    handshakeText("Content-Length: -1"),
		"two lengths":   handshakeText("Content-Length: 0", "Content-Length: 5"),
		"odd encoding":  handshakeText("Transfer-Encoding: gzip"),
		"not HTTP":      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"line breaks":   strings.Repeat("\r\n", 100) + "x\r\n\r\n",
		"bad target":    replace("GET /ws", "GET ws"),
		"a broken URL":  replace("GET /ws", "GET /ws?%zz\x00"),
		"folded header": handshakeText("X-Pad: a", " b: c", "\tX: y"),
	} {
		t.Run(name, func(t *testing.T) { // Go's own answers: whatever they are, the server goes on
			b := dialBare(t, srv)
			b.send(request)
			if status, _, body := b.response(); name != "folded header" && (status < 400 || status > 505) {
				t.Errorf("status %d: %s", status, body)
			}
			srv.Dial(t).Request("ping", nil)
		})
	}
	t.Run("over 16 KiB of header", func(t *testing.T) {
		b := dialBare(t, srv)
		b.send(handshakeText("X-Pad: " + strings.Repeat("x", 21<<10)))
		if status, _, _ := b.response(); status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", status)
		}
	})
	t.Run("behind another request", func(t *testing.T) {
		b := dialBare(t, srv)
		b.send("GET /health HTTP/1.1\r\nHost: hub\r\n\r\n" + good + frame(opText, `{"message_type":"ping","message_id":1}`))
		if status, _, _ := b.response(); status != 200 {
			t.Errorf("health: %d", status)
		}
		if status, _, _ := b.response(); status != 101 {
			t.Errorf("handshake: %d", status)
		}
		if m := b.message(); m.RequestID != 1 {
			t.Errorf("%+v", m)
		}
	})
}

// TestSlowHandshake: whoever dawdles with a handshake is cut off.
func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	srv := start(t, server.Options{HandshakeTimeout: limit})
	good := handshakeText()
	for name, part := range map[string]string{"nothing": "", "half": good[:len(good)/2], "all but the end": good[:len(good)-1]} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			b := dialBare(t, srv)
			b.send(part)
			if _, err := io.ReadAll(b.r); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took < limit || took > 9*time.Second { // the default is 10 s
				t.Errorf("cut off after %v", took)
			}
		})
	}
	t.Run("an upgraded client has time", func(t *testing.T) {
		b := upgradeBare(t, srv)
		slow := dialBare(t, srv)
		_, _ = io.ReadAll(slow.r) // the limit passes
		b.send(frame(opText, `{"message_type":"ping","message_id":1}`))
		if m := b.message(); m.RequestID != 1 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("no limit", func(t *testing.T) {
		b := dialBare(t, start(t, server.Options{HandshakeTimeout: -1}))
		b.send(good[:len(good)/2])
		slow := dialBare(t, srv)
		_, _ = io.ReadAll(slow.r)
		b.send(good[len(good)/2:])
		if status, _, _ := b.response(); status != 101 {
			t.Errorf("status %d", status)
		}
	})
}

// TestKnownOnceConnected: whoever has the answer to its handshake can be
// reached, at once and by everything.
func TestKnownOnceConnected(t *testing.T) {
	srv := start(t, queryIDs)
	if err := srv.SDK().CreateRoom("room", "", 0); err != nil {
		t.Fatal(err)
	}
	other := srv.Dial(t)
	for i := range 100 {
		id := fmt.Sprint("c", i)
		c := srv.Dial(t, hubtest.ID(id))
		switch i % 3 {
		case 0:
			if err := srv.SDK().SendToClient(id, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			c.NextFrame()
		case 1:
			if err := srv.SDK().JoinRoom("room", id); err != nil {
				t.Fatal(err)
			}
			c.Expect("room_joined")
		case 2:
			if m := other.Request("direct_message", fields{"target_id": id, "content": i}); m.Type != "direct_message_sent" {
				t.Fatalf("%s %s", m.Type, m.Data)
			}
			c.Expect("direct_message")
		}
		if n := srv.SDK().GetClientCount(); n != i+2 {
			t.Fatalf("%d clients, want %d", n, i+2)
		}
	}
}

// TestMessagesBehindHandshake: what comes in one packet with the handshake is
// handled, in order, however much it is.
func TestMessagesBehindHandshake(t *testing.T) {
	srv := start(t, server.Options{})
	for _, n := range []int{1, 200} {
		b := dialBare(t, srv)
		text := handshakeText()
		for i := range n {
			text += frame(opText, fmt.Sprintf(`{"message_type":"ping","message_id":%d}`, i+1))
		}
		half := frame(opText, fmt.Sprintf(`{"message_type":"ping","message_id":%d}`, n+1))
		b.send(text + half[:9])
		if status, _, body := b.response(); status != 101 {
			t.Fatalf("status %d: %s", status, body)
		}
		for i := range n {
			if m := b.message(); m.RequestID != int64(i+1) {
				t.Fatalf("answer %d to message %d", m.RequestID, i+1)
			}
		}
		b.send(half[9:])
		if m := b.message(); m.RequestID != int64(n+1) {
			t.Errorf("answer %d to the message in two halves", m.RequestID)
		}
	}
}

func TestOrigins(t *testing.T) {
	plain := start(t, server.Options{})
	listed := start(t, server.Options{AllowedOrigins: []string{"https://app.example.com", "https://*.example.org:8443"}})
	all := start(t, server.Options{AllowedOrigins: []string{"*"}})
	for _, tt := range []struct {
		origin, host       string
		plain, listed, all bool
	}{
		{"", "hub.example.net", true, true, true},
		{"https://hub.example.net", "hub.example.net", true, true, true},
		{"http://hub.example.net:8080", "hub.example.net:8080", true, true, true},
		{"https://hub.example.net", "hub.example.net:8080", false, false, true},
		{"http://localhost:3000", "hub.example.net", true, true, true},
		{"http://127.0.0.1", "hub.example.net", true, true, true},
		{"https://evil.example", "hub.example.net", false, false, true},
		{"https://app.example.com", "hub.example.net", false, true, true},
		{"http://app.example.com", "hub.example.net", false, false, true},
		{"https://a.example.org:8443", "hub.example.net", false, true, true},
		{"https://a.example.org", "hub.example.net", false, false, true},
		{"https://app.example.com.evil.example", "hub.example.net", false, false, true},
		{"null", "hub.example.net", false, false, true},
	} {
		t.Run(tt.origin+" at "+tt.host, func(t *testing.T) {
			opts := []hubtest.Option{hubtest.Header("Host", tt.host)}
			if tt.origin != "" {
				opts = append(opts, hubtest.Header("Origin", tt.origin))
			}
			for srv, allowed := range map[*hubtest.Server]bool{plain: tt.plain, listed: tt.listed, all: tt.all} {
				if allowed {
					srv.Dial(t, opts...).Drop()
				} else {
					wantRefused(t, srv, 403, hub.CodeForbidden, opts...)
				}
			}
		})
	}
}

func TestCompression(t *testing.T) {
	long := strings.Repeat("compressible ", 1000)
	for name, tt := range map[string]struct {
		server, client bool
	}{"both": {true, true}, "server": {true, false}, "client": {false, true}, "none": {false, false}} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Options{Compression: tt.server})
			var offer []string
			var opts []hubtest.Option
			if tt.client {
				offer = []string{"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover"}
				opts = []hubtest.Option{hubtest.Compressed()}
			}
			c, resp, err := srv.TryDial(t, opts...)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.server && tt.client
			if got := strings.Contains(resp.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate"); got != want {
				t.Errorf("negotiated: %v", got)
			}
			b := upgradeBare(t, srv, offer...)
			b.send(frame(opText, `{"message_type":"join_room","data":{"room_id":"r"}}`))
			b.frame()
			other := srv.Dial(t, opts...)
			other.Join("r")
			c.Join("r")
			c.Send("room_message", fields{"room_id": "r", "content": long})
			if got := into[fields](t, other.Expect("room_message"))["content"]; got != long {
				t.Errorf("got %.40q", got)
			}
			op, payload := b.frame()
			if got := op&rsv1 != 0; got != want || want && len(payload) > len(long)/10 {
				t.Errorf("frame %#x of %d bytes", op, len(payload))
			}
		})
	}
}
