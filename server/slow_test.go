package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

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
	for name, tt := range map[string]struct {
		policy server.SlowConsumerPolicy
		header []string
	}{
		"by default":       {"", nil},
		"gohub.v1":         {server.SlowConsumerClose, []string{"Sec-WebSocket-Protocol: gohub.v1"}},
		"drop, but not v1": {server.SlowConsumerDrop, nil},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Options{SendQueueBytes: 256 << 10, SlowConsumer: tt.policy})
			slow, quick := upgradeBare(t, srv, tt.header...), srv.Dial(t)
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
	if m.Type == "gap" && len(into[fields](t, m)) != 4 {
		t.Errorf("gap %s", m.Data)
	}
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

// TestDirectToSlow: whoever sends to a client that does not read is told so,
// unless another connection of the same id took it.
func TestDirectToSlow(t *testing.T) {
	for name, policy := range map[string]server.SlowConsumerPolicy{"close": server.SlowConsumerClose, "drop": server.SlowConsumerDrop} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Options{
				EnableQueryClientID: true, DuplicateID: server.DuplicateAllow, SendQueueBytes: 64 << 10, SlowConsumer: policy,
				RateLimit: server.RateLimit{MessagesPerSecond: -1},
			})
			b := dialBare(t, srv)
			b.send(strings.Replace(handshakeText("Sec-WebSocket-Protocol: gohub.v1"), "/ws", "/ws?client_id=slow", 1))
			if status, _, body := b.response(); status != 101 {
				t.Fatalf("status %d: %s", status, body)
			}
			sender, content := srv.Dial(t), strings.Repeat("x", 32<<10)
			sent := 0
			var m hubtest.Message
			for m.Type != "error" {
				if m = sender.Request("direct_message", fields{"target_id": "slow", "content": content}); m.Type == "direct_message_sent" {
					sent++
				}
			}
			wantMessageData(t, m, `{"code":4001,"message":"the client does not keep up","request_id":%d}`, sent+1)
			if policy == server.SlowConsumerClose {
				b.wantTooSlow()
				wantClients(t, srv, 1)
				if err := srv.SDK().SendToClient("slow", nil); err == nil {
					t.Error("sent to a client that is gone")
				}
				return
			}
			quick := srv.Dial(t, hubtest.ID("slow"))
			if m := sender.Request("direct_message", fields{"target_id": "slow", "content": content}); m.Type != "direct_message_sent" {
				t.Errorf("%s %s", m.Type, m.Data)
			}
			quick.Expect("direct_message")
			b.wantDirect(sent)
			if err := srv.SDK().SendToClient("slow", []byte(`{"message_type":"last"}`)); err != nil {
				t.Error(err)
			}
			m = b.message()
			if m.Type == "direct_message" { // the one for both, where the socket had taken more meanwhile
				m = b.message()
			}
			if m.Type != "last" { // nothing else: it is no message of a room whose gap could be told
				t.Errorf("%s %s", m.Type, m.Data)
			}
		})
	}
}

// wantDirect reads n direct messages, after connected.
func (b *bare) wantDirect(n int) {
	b.t.Helper()
	for got := 0; got < n; {
		switch m := b.message(); m.Type {
		case "connected":
		case "direct_message":
			got++
		default:
			b.t.Fatalf("%s %s", m.Type, m.Data)
		}
	}
}
