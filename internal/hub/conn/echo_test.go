package conn_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// transports are the kinds of socket that a test runs over.
var transports = []struct {
	name string
	tls  bool
}{{"plain", false}, {"tls", true}}

// TestEchoKeepsOrder sends from many clients at once, many messages ahead of
// the answers.
func TestEchoKeepsOrder(t *testing.T) {
	const clients, messages = 24, 400
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{SendQueueBytes: 256 << 10}})
			var wg sync.WaitGroup
			for i := range clients {
				ws := srv.gorilla(t, websocket.Dialer{})
				payload := func(k int) string { return fmt.Sprintf("%d/%d %s", i, k, strings.Repeat("x", k*7%900)) }
				wg.Go(func() {
					for k := range messages {
						if err := ws.WriteMessage(websocket.TextMessage, []byte(payload(k))); err != nil {
							t.Errorf("client %d: %v", i, err)
							return
						}
					}
				})
				wg.Go(func() {
					for k := range messages {
						if _, got, err := ws.ReadMessage(); err != nil || string(got) != payload(k) {
							t.Errorf("client %d, message %d: %.20q, %v", i, k, got, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestEchoSizes(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls})
			c, _ := srv.connect(t)
			for _, n := range []int{0, 1, 125, 126, 511, 512, 513, 4096, 65535, 65536, 1 << 20} {
				payload := strings.Repeat("s", n)
				c.send(text(payload))
				c.want(fin|1, payload)
				c.send(frame(fin|2, []byte(payload)))
				c.want(fin|2, payload)
			}
		})
	}
}

// TestCarry: what the client sends right behind its handshake is not lost.
func TestCarry(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls})
			half := text("second")
			c := srv.shake(t, append([]byte(handshake()), append(text("first"), half[:5]...)...))
			c.want(fin|1, "first")
			c.send(half[5:])
			c.want(fin|1, "second")
		})
	}
}

// TestOpenedComesFirst: what the opened function writes comes before any
// answer, even to messages that came with the handshake.
func TestOpenedComesFirst(t *testing.T) {
	srv := serve(t, options{opened: func(s *session) {
		for range 1000 { // time for whatever does not wait
			runtime.Gosched()
		}
		_ = s.Write(wire.Frame(wire.Text, []byte("welcome")))
	}})
	c := srv.shake(t, append([]byte(handshake()), text("hi")...))
	c.want(fin|1, "welcome")
	c.want(fin|1, "hi")
}

// TestCloseWhileOpening: the opened function may close.
func TestCloseWhileOpening(t *testing.T) {
	srv := serve(t, options{opened: func(s *session) { s.Close(4003, "forbidden") }})
	c := srv.shake(t, append([]byte(handshake()), text("hi")...))
	if reason := c.wantClose(4003); reason != "forbidden" {
		t.Errorf("reason %q", reason)
	}
	get(t, srv.sessions).wantClosed(t, 4003, "forbidden")
}

func TestPingIsAnswered(t *testing.T) {
	srv := serve(t, options{})
	c, _ := srv.connect(t)
	c.send(frame(fin|9, []byte("now?")))
	c.want(fin|10, "now?")
	c.send(frame(1, []byte("a")), frame(fin|9, nil), frame(fin|0, []byte("b")))
	c.want(fin|10, "")
	c.want(fin|1, "ab")
}

// TestCompressed talks to gorilla's codec in both directions.
func TestCompressed(t *testing.T) {
	deflater := new(wire.Deflater)
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			srv := serve(t, options{tls: tr.tls, deflate: true, message: func(s *session, op wire.Opcode, payload []byte) {
				if frame := deflater.Frame(op, payload); frame != nil && s.Deflate() {
					_ = s.Write(frame)
					return
				}
				echo(s, op, payload)
			}})
			for _, compress := range []bool{true, false} {
				ws := srv.gorilla(t, websocket.Dialer{EnableCompression: compress})
				if s := get(t, srv.sessions); s.Deflate() != compress || s.sock.Deflate != compress {
					t.Errorf("negotiated %v, want %v", s.Deflate(), compress)
				}
				for _, payload := range []string{"", "short", strings.Repeat("again and ", 5_000), strings.Repeat("€😀", 30_000)} {
					if err := ws.WriteMessage(websocket.TextMessage, []byte(payload)); err != nil {
						t.Fatal(err)
					}
					if _, got, err := ws.ReadMessage(); err != nil || string(got) != payload {
						t.Fatalf("%d bytes came back as %d, %v", len(payload), len(got), err)
					}
				}
			}
		})
	}
}
