package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// TestConnectedListener: whoever is connected can be greeted, and put into a
// room, by a listener; the hub's own greeting still comes first.
func TestConnectedListener(t *testing.T) {
	opts := queryIDs
	srv := start(t, opts, func(s *server.Server) {
		s.On(sdk.EventClientConnected, func(_ context.Context, ev sdk.Event) error {
			return errors.Join(s.SDK().SendToClient(ev.ClientID, []byte(`{"message_type":"hello"}`)), s.SDK().JoinRoom("hall", ev.ClientID))
		})
	})
	if err := srv.SDK().CreateRoom("hall", "", 0); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		c := srv.Dial(t, hubtest.Subprotocols("gohub.v1"))
		for _, want := range []string{"connected", "hello", "room_joined"} {
			c.Expect(want)
		}
		c.Silent()
		c.Drop()
	}
}

// TestListenersComeAndGo while the server runs.
func TestListenersComeAndGo(t *testing.T) {
	srv := start(t, server.Options{})
	c := srv.Dial(t)
	first, second := make(eventLog, 100), make(eventLog, 100)
	to := func(l eventLog) func(context.Context, sdk.Event) error {
		return func(_ context.Context, ev sdk.Event) error { l <- ev; return nil }
	}
	removeFirst := srv.On(sdk.EventClientMessage, to(first))
	removeSecond := srv.On(sdk.EventClientMessage, to(second))
	twice := srv.On(sdk.EventClientMessage, to(second))
	c.Silent()
	for _, l := range []eventLog{first, second, second} {
		if ev := l.next(t); ev.Type != sdk.EventClientMessage {
			t.Errorf("%+v", ev)
		}
	}
	removeFirst()
	removeFirst() // does nothing
	twice()
	c.Silent()
	second.next(t)
	removeSecond()
	c.Silent()
	last := make(eventLog, 1)
	srv.On(sdk.EventClientMessage, to(last))
	c.Silent()
	last.next(t)
	if len(first)+len(second) != 0 {
		t.Errorf("%d and %d events for listeners that were removed", len(first), len(second))
	}
}

// TestBlockedListener: a listener that does not return holds up no other
// client, and its own only when 256 events wait.
func TestBlockedListener(t *testing.T) {
	const waiting, messages = 256, 1000
	var handled atomic.Int64
	release := make(chan struct{})
	var seen []int
	opts := queryIDs
	opts.RateLimit.MessagesPerSecond = -1
	done := make(chan struct{})
	srv := start(t, opts, func(s *server.Server) {
		s.On(sdk.EventClientMessage, func(_ context.Context, ev sdk.Event) error {
			if ev.ClientID != "slow" || !strings.Contains(string(ev.Message), "count") {
				return nil
			}
			<-release
			var m struct{ Data int }
			if err := json.Unmarshal(ev.Message, &m); err != nil {
				return err
			}
			if seen = append(seen, m.Data); len(seen) == messages {
				close(done)
			}
			return nil
		})
		_ = s.RegisterHandler("count", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			handled.Add(1)
			return c.Reply(ctx, "counted", data)
		})
	})
	c := dialEach(t, srv, "slow", "other")
	for i := range messages {
		c[0].Send("count", i)
	}
	for begin := time.Now(); handled.Load() < waiting; c[1].Silent() {
		if time.Since(begin) > hubtest.Timeout {
			t.Fatalf("only %d messages handled", handled.Load())
		}
	}
	for range 200 {
		c[1].Silent()
	}
	if n := handled.Load(); n > waiting+2 {
		t.Errorf("%d messages handled while %d events may wait", n, waiting)
	}
	close(release)
	for i := range messages {
		if got := into[int](t, c[0].Expect("counted")); got != i {
			t.Fatalf("answer %d came in place of %d", got, i)
		}
	}
	<-done
	for i, n := range seen {
		if n != i {
			t.Fatalf("event %d came in place of %d", n, i)
		}
	}
}

// metric returns the value of a metric without labels.
func metric(t *testing.T, srv *hubtest.Server, name string) float64 {
	t.Helper()
	resp, err := http.Get(srv.URL("http") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestListenersThatFail disturb neither the client nor other listeners.
func TestListenersThatFail(t *testing.T) {
	log := make(eventLog, 100)
	srv := start(t, server.Options{}, func(s *server.Server) {
		s.On(sdk.EventClientMessage, func(context.Context, sdk.Event) error { panic("listener") })
		s.On(sdk.EventClientMessage, func(context.Context, sdk.Event) error { return errors.New("failed") })
	}, log.listen(sdk.EventClientMessage))
	c := srv.Dial(t)
	for range 3 {
		c.Silent()
		log.next(t)
	}
	if n := metric(t, srv, "gohub_panics_total"); n != 3 {
		t.Errorf("%v panics counted, want 3", n)
	}
}
