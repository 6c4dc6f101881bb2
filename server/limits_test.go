package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// padded is a ping request of so many bytes.
func padded(size int) string {
	const before, after = `{"message_type":"ping","message_id":1,"data":{"pad":"`, `"}}`
	return before + strings.Repeat("x", size-len(before)-len(after)) + after
}

func TestMaxMessageSize(t *testing.T) {
	const limit = 2000
	srv := start(t, server.Options{MaxMessageSize: limit, Compression: true})
	for name, opts := range map[string][]hubtest.Option{"plain": nil, "inflated": {hubtest.Compressed()}} {
		t.Run(name, func(t *testing.T) {
			c := srv.Dial(t, opts...)
			raw(c, padded(limit))
			c.Expect("pong")
			raw(c, padded(limit+1))
			if code, _ := c.ExpectClose(); code != websocket.CloseMessageTooBig {
				t.Errorf("closed with %d", code)
			}
		})
	}
	t.Run("in fragments", func(t *testing.T) {
		b := upgradeBare(t, srv)
		const text, continuation = 0x01, 0x00 // without FIN
		b.send(frame(text, strings.Repeat("x", limit)) + frame(continuation, "x"))
		if op, payload := b.frame(); op != opClose || closeCode(payload) != websocket.CloseMessageTooBig {
			t.Errorf("frame %#x %q", op, payload)
		}
	})
	t.Run("a length that is only announced", func(t *testing.T) {
		b := upgradeBare(t, srv)
		b.send("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
		if op, payload := b.frame(); op != opClose || closeCode(payload) != websocket.CloseMessageTooBig {
			t.Errorf("frame %#x %q", op, payload)
		}
	})
	t.Run("default", func(t *testing.T) {
		c := start(t, server.Options{}).Dial(t)
		raw(c, padded(64<<10))
		c.Expect("pong")
		raw(c, padded(64<<10+1))
		if code, _ := c.ExpectClose(); code != websocket.CloseMessageTooBig {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("unlimited", func(t *testing.T) {
		c := start(t, server.Options{MaxMessageSize: -1}).Dial(t)
		raw(c, padded(3<<20))
		c.Expect("pong")
	})
}

// TestBufferSizes: they bound no message, in either direction.
func TestBufferSizes(t *testing.T) {
	srv := start(t, server.Options{ReadBufferSize: 256, WriteBufferSize: 256})
	a, b := srv.Dial(t), srv.Dial(t)
	a.Join("r")
	b.Join("r")
	content := strings.Repeat("x", 50_000)
	a.Send("room_message", fields{"room_id": "r", "content": content})
	if got := into[fields](t, b.Expect("room_message"))["content"]; got != content {
		t.Errorf("got %.40v", got)
	}
}

func TestMaxConnections(t *testing.T) {
	opts := withTokens()
	opts.MaxConnections = 2
	srv := start(t, opts)
	token := func(id string) hubtest.Option { return hubtest.Token(tokenFor(t, id)) }
	a := srv.Dial(t, token("a"))
	for range 5 { // refusals take no place for ever
		wantRefused(t, srv, 401, hub.CodeUnauthorized)
	}
	b := srv.Dial(t, token("b"))
	if _, header := wantRefused(t, srv, 503, hub.CodeRateLimited, token("c")); header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	a.Close()
	wantClients(t, srv, 1)
	srv.Dial(t, token("c"))
	wantRefused(t, srv, 503, hub.CodeRateLimited, token("d"))
	b.Drop()
	wantClients(t, srv, 1)
	srv.Dial(t, token("d")).Request("ping", nil)
}

func TestConnectionsPerAddress(t *testing.T) {
	srv := start(t, server.Options{
		RateLimit: server.RateLimit{ConnectionsPerAddress: 2}, TrustedProxies: []string{"127.0.0.1"}, MaxConnections: -1,
	})
	from := func(address string) hubtest.Option { return hubtest.Header("X-Forwarded-For", address) }
	a := srv.Dial(t, from("203.0.113.1"))
	srv.Dial(t, from("203.0.113.1"))
	if _, header := wantRefused(t, srv, 429, hub.CodeRateLimited, from("203.0.113.1")); header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	srv.Dial(t, from("203.0.113.2"))
	a.Close()
	wantClients(t, srv, 2)
	srv.Dial(t, from("203.0.113.1")).Request("ping", nil)
	srv.Dial(t, from("2001:db8::1"))
	srv.Dial(t, from("2001:db8::2"))
	wantRefused(t, srv, 429, hub.CodeRateLimited, from("2001:db8::3")) // one customer's network
}

func TestConnectsPerSecond(t *testing.T) {
	srv := start(t, server.Options{RateLimit: server.RateLimit{ConnectsPerSecondPerAddress: 1}})
	accepted := 0
	for {
		c, resp, err := srv.TryDial(t)
		if err != nil {
			if resp == nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
				t.Errorf("refused with %v", err)
			}
			break
		}
		c.Drop()
		if accepted++; accepted > 100 {
			t.Fatal("never refused")
		}
	}
	if accepted < 20 {
		t.Errorf("%d accepted", accepted)
	}
}

// TestRateLimit sends 30 messages at once to a server that allows a burst of
// five: some are answered, more are refused, and then it is too much.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	opts := server.Options{RateLimit: server.RateLimit{MessagesPerSecond: 1, Burst: 5}}
	for name, setup := range map[string]func(*server.Server){
		"dispatch": func(*server.Server) {},
		"raw": func(s *server.Server) {
			s.HandleRaw(func(_ context.Context, c *hub.Client, _ hub.Frame) error { return c.SendMessage("pong", nil) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, opts, setup)
			b := upgradeBare(t, srv)
			b.send(strings.Repeat(frame(opText, `{"message_type":"ping"}`), 30))
			var answered, refused int
			for {
				op, payload := b.frame()
				if op == opClose {
					if code := closeCode(payload); code != hub.CloseRate {
						t.Errorf("closed with %d", code)
					}
					break
				}
				switch {
				case strings.Contains(string(payload), `"pong"`):
					answered++
				case strings.Contains(string(payload), `"code":1005`):
					refused++
				default:
					t.Errorf("got %s", payload)
				}
			}
			// A slow machine may take a second for them, which allows one more.
			if answered < 5 || answered > 7 || answered+refused < 20 || answered+refused > 23 {
				t.Errorf("%d answered, %d refused", answered, refused)
			}
			wantClients(t, srv, 0)
			srv.Dial(t).Send("ping", nil) // another one is not to blame
		})
	}
	t.Run("refilled", func(t *testing.T) {
		b := upgradeBare(t, start(t, server.Options{
			RateLimit: server.RateLimit{MessagesPerSecond: 2, Burst: 1}, PingInterval: 700 * time.Millisecond,
		}))
		b.send(frame(opText, `{"message_type":"ping","message_id":1}`) + frame(opText, `{"message_type":"ping","message_id":2}`))
		if m := b.message(); m.Type != "pong" {
			t.Errorf("%s %s", m.Type, m.Data)
		}
		if m := b.message(); m.ErrorCode() != hub.CodeRateLimited || m.RequestID != 2 {
			t.Errorf("%s %s to request %d, want an error to 2", m.Type, m.Data, m.RequestID)
		}
		if op, _ := b.frame(); op != opPing { // a message's time has passed
			t.Errorf("frame %#x", op)
		}
		b.send(frame(opText, `{"message_type":"ping","message_id":3}`))
		if m := b.message(); m.Type != "pong" {
			t.Errorf("%s %s", m.Type, m.Data)
		}
	})
	t.Run("unlimited", func(t *testing.T) {
		c := start(t, server.Options{RateLimit: server.RateLimit{MessagesPerSecond: -1, Burst: 1}}).Dial(t)
		for range 5000 {
			c.Send("ping", nil)
		}
		for range 5000 {
			c.Expect("pong")
		}
	})
}

// rooms asks for rooms r0, r1... by a message type, and returns how many it
// was given before an error with that code; at most n.
func rooms(t *testing.T, c *hubtest.Client, messageType string, n, code int) int {
	t.Helper()
	for i := range n {
		if m := c.Request(messageType, fields{"room_id": fmt.Sprintf("r%d", i)}); m.Type == "error" {
			if m.ErrorCode() != code {
				t.Errorf("%s %s", m.Type, m.Data)
			}
			return i
		}
	}
	return n
}

func TestRoomLimits(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		opts       server.Options
		ask, want  int
	}{
		{"MaxRooms", "create_room", server.Options{MaxRooms: 3}, 5, 3},
		{"MaxRooms, joined", "join_room", server.Options{MaxRooms: 3}, 5, 3},
		{"MaxRoomsPerClient", "join_room", server.Options{MaxRoomsPerClient: 4}, 6, 4},
		{"MaxRoomsPerClient by default", "join_room", server.Options{MaxRoomsCreatedPerClient: -1}, 110, 100},
		{"MaxRoomsCreatedPerClient", "create_room", server.Options{MaxRoomsCreatedPerClient: 2}, 4, 2},
		{"MaxRoomsCreatedPerClient, joined", "join_room", server.Options{MaxRoomsCreatedPerClient: 2}, 4, 2},
		{"MaxRoomsCreatedPerClient by default", "create_room", server.Options{}, 15, 10},
		{"unlimited", "join_room", server.Options{MaxRooms: -1, MaxRoomsPerClient: -1, MaxRoomsCreatedPerClient: -1}, 150, 150},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := start(t, tt.opts)
			c := srv.Dial(t)
			if got := rooms(t, c, tt.send, tt.ask, hub.CodeRateLimited); got != tt.want {
				t.Fatalf("%d rooms, want %d", got, tt.want)
			}
			if n := srv.SDK().GetRoomCount(); n != tt.want {
				t.Errorf("%d rooms on the server", n)
			}
			// One less makes room for one more.
			if m := c.Request("delete_room", fields{"room_id": "r0"}); m.Type != "room_deleted" {
				t.Fatalf("%s %s", m.Type, m.Data)
			}
			if got := rooms(t, c, tt.send, 1, 0); got != 1 {
				t.Error("the room that was given back is not free")
			}
			other := srv.Dial(t)
			m := other.Request("create_room", fields{"room_id": "other's"})
			if got, want := m.ErrorCode() == hub.CodeRateLimited, strings.HasPrefix(tt.name, "MaxRooms,") || tt.name == "MaxRooms"; got != want {
				t.Errorf("another client: %s %s", m.Type, m.Data)
			}
		})
	}
}
