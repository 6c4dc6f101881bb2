package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// What the bus cannot carry to other hubs does not reach the clients here only.
func TestClusterTooLarge(t *testing.T) {
	withLogs(t, func(t *testing.T, log bool) {
		c := startCluster(t, 2, log, server.Options{
			MaxMessageSize: -1, SendQueueBytes: 4 << 20,
			Rooms: []server.RoomRule{{Pattern: "log.*", HistorySize: 10}},
		})
		a, here, there := c.nodes[0].Dial(t, hubtest.ID("a")), c.nodes[0].Dial(t), c.nodes[1].Dial(t, hubtest.ID("there"))
		large := strings.Repeat("x", memory.MaxPayload)
		tooLarge := &hub.Error{Code: hub.CodeTooLarge}
		for _, room := range []string{"r", "log.r"} {
			a.Join(room)
			here.Join(room)
			there.Join(room)
			if got := a.Request("room_message", map[string]any{"room_id": room, "content": large}); got.ErrorCode() != hub.CodeTooLarge {
				t.Errorf("%s: %s %.200s", room, got.Type, got.Data)
			}
			if _, err := c.nodes[0].SDK().Publish(sdk.Publication{Room: room, Content: []byte(`"` + large + `"`)}); !errors.Is(err, tooLarge) {
				t.Errorf("%s: publish: %v", room, err)
			}
			if err := c.nodes[0].SDK().BroadcastToRoom(room, []byte(large)); !errors.Is(err, tooLarge) {
				t.Errorf("%s: broadcast: %v", room, err)
			}
		}
		if err := c.nodes[0].SDK().BroadcastAll([]byte(large)); !errors.Is(err, tooLarge) {
			t.Errorf("broadcast to all: %v", err)
		}
		if got := a.Request("direct_message", map[string]any{"target_id": "there", "content": large}); got.ErrorCode() != hub.CodeTooLarge {
			t.Errorf("direct: %s %.200s", got.Type, got.Data)
		}
		here.Silent()
		there.Silent()
	})
}

// An answer that the bus cannot carry is an error at once, not a silence.
func TestClusterAnswerTooLarge(t *testing.T) {
	c := startCluster(t, 2, true, server.Options{MaxMessageSize: -1})
	b := c.nodes[1].Dial(t, hubtest.ID("b"))
	done := make(chan error, 1)
	go func() {
		_, err := c.nodes[0].SDK().Request(t.Context(), "b", "question", nil)
		done <- err
	}()
	b.Answer(b.Expect("question"), strings.Repeat("x", memory.MaxPayload))
	if err := <-done; !errors.Is(err, &hub.Error{Code: hub.CodeTooLarge}) {
		t.Errorf("asked: %v", err)
	}
}

func TestMessagesLargerThanTheBus(t *testing.T) {
	for _, size := range []int{memory.MaxPayload - 8<<10, memory.MaxPayload} {
		broker := memory.NewBroker()
		s, err := server.NewServer(hubtest.Options(&server.Options{
			MaxMessageSize: size, EnableCluster: true,
			OpenBus: func(o bus.Options) (bus.Bus, error) { return broker.Connect(o) },
		}))
		if size < memory.MaxPayload {
			if err != nil {
				t.Errorf("MaxMessageSize %d: %v", size, err)
				continue
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "MaxMessageSize") || !strings.Contains(err.Error(), "1040384") {
			t.Errorf("MaxMessageSize %d: %v", size, err)
		}
	}
}

// Names that nobody has, which all hubs are asked for, count for more than one message.
func TestClusterMadeUpNames(t *testing.T) {
	c := startCluster(t, 2, true, server.Options{
		RateLimit: server.RateLimit{MessagesPerSecond: 1, Burst: 100},
		Rooms:     []server.RoomRule{{Pattern: "log.*", HistorySize: 10}},
	})
	for _, test := range []struct {
		message string
		data    map[string]any
	}{
		{"room_members", map[string]any{"room_id": "none"}},
		{"room_history", map[string]any{"room_id": "none"}},
		{"room_history", map[string]any{"room_id": "log.none"}},
		{"delete_room", map[string]any{"room_id": "none"}},
		{"direct_message", map[string]any{"target_id": "none", "content": 1}},
	} {
		a := c.nodes[0].Dial(t)
		answered := 0
		for a.Request(test.message, test.data).ErrorCode() != hub.CodeRateLimited {
			answered++
		}
		if answered < 10 || answered > 20 {
			t.Errorf("%s %v: %d were answered", test.message, test.data, answered)
		}
		a.Close()
	}
}
