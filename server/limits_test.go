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
	"github.com/chenxilol/gohub/pkg/sdk"
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
			RateLimit: server.RateLimit{MessagesPerSecond: 10, Burst: 1}, PingInterval: 300 * time.Millisecond,
		}))
		b.send(frame(opText, `{"message_type":"ping","message_id":1}`) + frame(opText, `{"message_type":"ping","message_id":2}`))
		if m := b.message(); m.Type != "pong" {
			t.Errorf("%s %s", m.Type, m.Data)
		}
		if m := b.message(); m.ErrorCode() != hub.CodeRateLimited || m.RequestID != 2 {
			t.Errorf("%s %s to request %d, want an error to 2", m.Type, m.Data, m.RequestID)
		}
		if op, _ := b.frame(); op != opPing { // three messages' time has passed
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

// publishUntil publishes messages of 32 KiB to the room "r", numbered from 0,
// until done says so, and returns how many. quick is a member that gets each
// before the next: who does so is not slow.
func publishUntil(t *testing.T, srv *hubtest.Server, quick *hubtest.Client, done func() bool) (n int) {
	t.Helper()
	pad := strings.Repeat("x", 32<<10)
	for ; !done(); n++ {
		if n == 10_000 {
			t.Fatal("the client takes everything")
		}
		if _, err := srv.SDK().Publish(sdk.Publication{Room: "r", Content: fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, pad)}); err != nil {
			t.Fatal(err)
		}
		quick.Expect("room_message")
	}
	return n
}

func (b *bare) join(room string) {
	b.t.Helper()
	b.send(frame(opText, fmt.Sprintf(`{"message_type":"join_room","data":{"room_id":%q}}`, room)))
	for b.message().Type != "room_joined" { // after connected
		continue
	}
}

// wantTooSlow reads what had been queued for b, and the close frame.
func (b *bare) wantTooSlow() {
	b.t.Helper()
	for {
		if op, payload := b.frame(); op == opClose {
			if code := closeCode(payload); code != hub.CloseTooSlow {
				b.t.Errorf("closed with %d", code)
			}
			return
		}
	}
}

// TestSlowConsumerClose: a client that does not read is sent away; others do
// not notice. Without gohub.v1 a client cannot be told of a gap.
func TestSlowConsumerClose(t *testing.T) {
	for name, opts := range map[string]server.Options{
		"close": {SendQueueBytes: 256 << 10},
		"drop":  {SendQueueBytes: 256 << 10, SlowConsumer: server.SlowConsumerDrop},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, opts)
			slow, quick := upgradeBare(t, srv), srv.Dial(t)
			slow.join("r")
			quick.Join("r")
			publishUntil(t, srv, quick, func() bool {
				members, err := srv.SDK().GetRoomMembers("r")
				if err != nil {
					t.Fatal(err)
				}
				if queued := srv.Stats().QueuedBytes; len(members) == 2 && queued > 600<<10 { // two clients', each with a frame on its way
					t.Fatalf("%d bytes are queued", queued)
				}
				return len(members) == 1
			})
			slow.wantTooSlow()
			quick.Request("leave_room", fields{"room_id": "r"})
			quick.Silent()
		})
	}
}

// TestSlowConsumerDrop: a gohub.v1 client that does not read loses messages,
// is told of it, and goes on.
func TestSlowConsumerDrop(t *testing.T) {
	srv := start(t, server.Options{
		SendQueueBytes: 256 << 10, SlowConsumer: server.SlowConsumerDrop, Rooms: []server.RoomRule{{Pattern: "r", HistorySize: 5}},
	})
	slow, quick := upgradeBare(t, srv, "Sec-WebSocket-Protocol: gohub.v1"), srv.Dial(t)
	slow.join("r")
	quick.Join("r")
	before := time.Now()
	sent := publishUntil(t, srv, quick, func() bool {
		if srv.Stats().QueuedBytes < 128<<10 {
			return false
		}
		_, body, _ := get(t, srv.URL("http")+"/metrics")
		return !strings.Contains(body, "\ngohub_room_messages_dropped_total 0\n")
	})
	type message struct {
		Content struct{ N int }
		Position,
		Prev string
	}
	var position string
	got := 0
	m := slow.message()
	for ; m.Type == "room_message"; m = slow.message() {
		data := into[message](t, m)
		if data.Content.N != got {
			t.Fatalf("message %d, want %d", data.Content.N, got)
		}
		position = data.Position
		got++
	}
	gap := into[struct {
		Room, From, Reason string
		SinceMS            int64 `json:"since_ms"`
	}](t, m)
	if m.Type != "gap" || gap.Room != "r" || gap.Reason != "slow" || gap.From != position || gap.SinceMS < before.UnixMilli() || gap.SinceMS > time.Now().UnixMilli() {
		t.Errorf("%s %s, want a gap from %s", m.Type, m.Data, position)
	}
	if got == 0 || got >= sent {
		t.Errorf("got %d messages of %d", got, sent)
	}
	if _, err := srv.SDK().Publish(sdk.Publication{Room: "r", Content: fmt.Appendf(nil, `{"n":%d}`, sent)}); err != nil {
		t.Fatal(err)
	}
	if data := into[message](t, slow.message()); data.Content.N != sent || data.Prev == position {
		t.Errorf("behind the gap: %+v", data)
	}
}

func TestSendQueueUnlimited(t *testing.T) {
	srv := start(t, server.Options{SendQueueBytes: -1})
	slow := upgradeBare(t, srv)
	slow.join("r")
	const size, n = 60 << 10, 300
	for range n {
		if err := srv.SDK().BroadcastToRoom("r", []byte(strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if op, payload := slow.frame(); op != opText || len(payload) != size {
			t.Fatalf("frame %d: %#x of %d bytes", i, op, len(payload))
		}
	}
}

// TestReadTimeout: a client that is silent is asked, and closed; one that
// answers stays.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	srv := start(t, server.Options{ReadTimeout: time.Second})
	begin := time.Now()
	silent, alive := upgradeBare(t, srv), upgradeBare(t, srv)
	for pings := 0; pings < 5; {
		op, _ := alive.frame()
		if op != opPing {
			t.Fatalf("frame %#x", op)
		}
		alive.send(frame(opPong, ""))
		pings++
	}
	if took := time.Since(begin); took < time.Second { // pings come every third of ReadTimeout
		t.Errorf("five pings in %v", took)
	}
	pings := 0
	for {
		op, payload := silent.frame()
		if op == opPing {
			pings++
			continue
		}
		if op != opClose || closeCode(payload) != websocket.CloseGoingAway {
			t.Errorf("frame %#x %q", op, payload)
		}
		break
	}
	if pings < 1 || pings > 3 {
		t.Errorf("a silent client was asked %d times", pings)
	}
	alive.send(frame(opText, `{"message_type":"ping","message_id":1}`))
	if m := alive.message(); m.RequestID != 1 {
		t.Errorf("%+v", m)
	}
}

func TestPingInterval(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		silent := upgradeBare(t, start(t, server.Options{PingInterval: -1, ReadTimeout: 600 * time.Millisecond}))
		begin := time.Now()
		if op, payload := silent.frame(); op != opClose || closeCode(payload) != websocket.CloseGoingAway {
			t.Errorf("frame %#x %q", op, payload)
		}
		if took := time.Since(begin); took < 500*time.Millisecond {
			t.Errorf("closed after %v", took)
		}
	})
	t.Run("without read timeout", func(t *testing.T) {
		const interval = 100 * time.Millisecond
		silent := upgradeBare(t, start(t, server.Options{PingInterval: interval, ReadTimeout: -1}))
		begin := time.Now()
		for range 5 {
			if op, _ := silent.frame(); op != opPing {
				t.Fatalf("frame %#x", op)
			}
		}
		if took := time.Since(begin); took < 4*interval {
			t.Errorf("five pings in %v", took)
		}
		silent.send(frame(opText, `{"message_type":"ping","message_id":1}`))
		for op := byte(opPing); op != opText; op, _ = silent.frame() {
			continue
		}
	})
}

// TestWriteTimeout: a client that takes nothing for so long is sent away,
// though its queue may grow for ever, and it asks all the time.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	srv := start(t, server.Options{WriteTimeout: limit, SendQueueBytes: -1})
	stuck, quick := upgradeBare(t, srv), srv.Dial(t)
	stuck.join("r")
	quick.Join("r")
	begin := time.Now()
	publishUntil(t, srv, quick, func() bool { return srv.SDK().GetClientCount() == 1 })
	if took := time.Since(begin); took < limit/2 || took > 20*limit {
		t.Errorf("closed after %v", took)
	}
	stuck.wantTooSlow()
	quick.Silent()
}
