package conn_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/conn"
)

func TestCheck(t *testing.T) {
	good := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for k, v := range map[string]string{
			"Connection": "keep-alive, Upgrade", "Upgrade": "websocket",
			"Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header.Set(k, v)
		}
		return r
	}
	for _, tc := range []struct {
		name   string
		change func(r *http.Request)
		want   int
		says   string
	}{
		{"good", func(*http.Request) {}, 101, ""},
		{"letter case", func(r *http.Request) { r.Header.Set("Upgrade", "WebSocket"); r.Header.Set("Connection", "upgrade") }, 101, ""},
		{"POST", func(r *http.Request) { r.Method = "POST" }, 405, "GET"},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMinor = 0 }, 505, "HTTP/1.1"},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, 505, "HTTP/1.1"},
		{"no Upgrade", func(r *http.Request) { r.Header.Del("Upgrade") }, 426, "Upgrade"},
		{"other Upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, 426, "Upgrade"},
		{"no Connection", func(r *http.Request) { r.Header.Del("Connection") }, 426, "Connection"},
		{"body", func(r *http.Request) { r.ContentLength = 5 }, 400, "body"},
		{"body of unknown length", func(r *http.Request) { r.ContentLength = -1 }, 400, "body"},
		{"chunked", func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, 400, "body"},
		{"no version", func(r *http.Request) { r.Header.Del("Sec-Websocket-Version") }, 426, "13"},
		{"version 8", func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") }, 426, "13"},
		{"two versions", func(r *http.Request) { r.Header.Add("Sec-Websocket-Version", "13") }, 426, "13"},
		{"no key", func(r *http.Request) { r.Header.Del("Sec-Websocket-Key") }, 400, "Key"},
		{"short key", func(r *http.Request) { r.Header.Set("Sec-Websocket-Key", "c2hvcnQ=") }, 400, "16 bytes"},
		{"key not base64", func(r *http.Request) { r.Header.Set("Sec-Websocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==") }, 400, "base64"},
		{"two keys", func(r *http.Request) { r.Header.Add("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }, 400, "Key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := good()
			tc.change(r)
			status, err := conn.Check(r)
			if status != tc.want || (err == nil) != (tc.want == 101) || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %d, %v; want %d and %q in the text", status, err, tc.want, tc.says)
			}
		})
	}
}

// TestHandshakesOnTheWire sends what a client could.
func TestHandshakesOnTheWire(t *testing.T) {
	replace := func(from, to string) string { return strings.Replace(handshake(), from, to, 1) }
	for _, tc := range []struct {
		name, request string
		want          int
	}{
		{"good", handshake(), 101},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 505},
		{"length and encoding", handshake("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
		{"body", handshake("Content-Length: 5") + "hello", 400},
		{"no body, said so", handshake("Content-Length: 0"), 101},
		{"short key", replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400},
		{"key not base64", replace("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!=="), 400},
		{"no Host", replace("Host: hub\r\n", ""), 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := serve(t, options{})
			c := srv.shake(t, []byte(tc.request))
			if c.response.StatusCode != tc.want {
				t.Errorf("answered with %s, want %d", c.response.Status, tc.want)
			}
			if tc.want != 101 {
				return
			}
			if got := c.response.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				t.Errorf("accept %q is not the one of RFC 6455, section 1.3", got)
			}
			c.send(text("works"))
			c.want(fin|1, "works")
		})
	}
}

// TestGoneBeforeTheAnswer: a client that has given up while its handshake waited is
// no connection.
func TestGoneBeforeTheAnswer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not known on other systems")
	}
	engine, err := conn.NewEngine(conn.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close(t.Context()) }()
	upgrader := engine.NewUpgrader(nil, false)
	came, closed, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(came)
		<-closed
		_, err := upgrader.Upgrade(w, r)
		answered <- err
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(handshake())); err != nil {
		t.Fatal(err)
	}
	<-came
	c.Close()
	close(closed)
	if err := <-answered; err == nil {
		t.Error("a client that has gone was taken")
	}
}

func TestNegotiation(t *testing.T) {
	for _, tc := range []struct {
		name        string
		header      []string
		deflate     bool
		subprotocol string
	}{
		{"nothing offered", nil, false, ""},
		{"subprotocol", []string{"Sec-WebSocket-Protocol: other, gohub.v1, gohub.token.secret"}, false, "gohub.v1"},
		{"unknown subprotocol", []string{"Sec-WebSocket-Protocol: other"}, false, ""},
		{"compression", []string{deflateOffer}, true, ""},
		{"client window", []string{deflateOffer + "; client_max_window_bits"}, true, ""},
		{"server window", []string{deflateOffer + "; server_max_window_bits=10"}, false, ""},
		{"server window in other case", []string{deflateOffer + "; Server_Max_Window_Bits=10"}, false, ""},
		{"unknown extension", []string{"Sec-WebSocket-Extensions: permessage-zip"}, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := serve(t, options{deflate: true, subprotocols: []string{"gohub.v1"}})
			c, s := srv.connect(t, tc.header...)
			if s.sock.Deflate != tc.deflate || s.Deflate() != tc.deflate || s.sock.Subprotocol != tc.subprotocol {
				t.Errorf("negotiated %v, %q", s.sock.Deflate, s.sock.Subprotocol)
			}
			h := c.response.Header
			if strings.Contains(h.Get("Sec-WebSocket-Extensions"), "permessage-deflate") != tc.deflate || h.Get("Sec-WebSocket-Protocol") != tc.subprotocol {
				t.Errorf("answered %v", h)
			}
			if e := h.Get("Sec-WebSocket-Extensions"); tc.deflate && (!strings.Contains(e, "server_no_context_takeover") || !strings.Contains(e, "client_no_context_takeover")) {
				t.Errorf("context takeover was not refused: %q", e)
			}
		})
	}
	t.Run("compression turned off", func(t *testing.T) {
		srv := serve(t, options{})
		if _, s := srv.connect(t, deflateOffer); s.Deflate() {
			t.Error("negotiated")
		}
	})
}

// TestUpgradeWithoutASocket: a response writer that cannot give its connection
// away gets an error answer.
func TestUpgradeWithoutASocket(t *testing.T) {
	engine, err := conn.NewEngine(conn.Config{Goroutines: *engineFlag == "goroutine"})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background()) //nolint:errcheck // there is no connection
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-Websocket-Version", "13")
	r.Header.Set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	w := httptest.NewRecorder()
	if s, err := engine.NewUpgrader(nil, false).Upgrade(w, r); err == nil || s != nil || w.Code != http.StatusInternalServerError {
		t.Errorf("got %v, %v, status %d", s, err, w.Code)
	}
}
