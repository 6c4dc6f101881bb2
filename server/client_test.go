package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
)

// TestClientInHandlers: what a handler learns and keeps about a client.
func TestClientInHandlers(t *testing.T) {
	before := time.Now().Add(-time.Second)
	kept := make(chan *hub.Client, 1)
	srv := start(t, queryIDs, handle(t, map[string]handlerFunc{
		"keep": func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			kept <- c
			return c.Reply(ctx, "kept", nil)
		},
		"set": func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			old, ok := c.Get("k")
			c.Set("k", string(data))
			return c.Reply(ctx, "set", []any{old, ok})
		},
		"forget": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			c.Set("never", nil)
			c.Set("k", nil)
			return c.Reply(ctx, "forgot", nil)
		},
	}))
	a, b := srv.Dial(t, hubtest.ID("a"), hubtest.Subprotocols("gohub.v1")), srv.Dial(t, hubtest.ID("b"))
	set := func(c *hubtest.Client, value int, want string) {
		t.Helper()
		if m := c.Request("set", value); string(m.Data) != want {
			t.Errorf("got %s, want %s", m.Data, want)
		}
	}
	set(a, 1, `[null,false]`)
	set(b, 2, `[null,false]`)
	set(a, 3, `["1",true]`)
	a.Request("forget", nil)
	set(a, 4, `[null,false]`)
	set(b, 5, `["2",true]`)

	a.Join("room")
	a.Request("keep", nil)
	c := <-kept
	if c.GetID() != "a" || c.Subprotocol() != "gohub.v1" || c.RemoteAddr() != a.Conn().LocalAddr().String() ||
		c.ConnectedAt().Before(before) || time.Since(c.ConnectedAt()) > time.Minute || c.Claims() != nil || !c.HasPermission("admin:system") {
		t.Errorf("%q %q %s (want %s) %v %v", c.GetID(), c.Subprotocol(), c.RemoteAddr(), a.Conn().LocalAddr(), c.ConnectedAt(), c.Claims())
	}
	if rooms := c.Rooms(); len(rooms) != 1 || rooms[0] != "room" {
		t.Errorf("rooms %v", rooms)
	}
	if found, err := srv.SDK().GetClient("a"); err != nil || found.GetID() != "a" {
		t.Errorf("the SDK finds %v, %v", found, err)
	}
}

// TestClientAfterItsEnd: a client that is gone can still be used.
func TestClientAfterItsEnd(t *testing.T) {
	log := make(eventLog, 1)
	srv := start(t, queryIDs, log.listen("client_disconnected"))
	conn := srv.Dial(t, hubtest.ID("me"))
	conn.Join("room")
	c, err := srv.SDK().GetClient("me")
	if err != nil {
		t.Fatal(err)
	}
	c.Set("k", 1)
	c.Close(4444, strings.Repeat("é", 100))
	c.Close(1000, "second")
	if code, reason := conn.ExpectClose(); code != 4444 || reason != strings.Repeat("é", 61) {
		t.Errorf("closed with %d %q", code, reason)
	}
	log.next(t)
	for name, send := range map[string]func() error{
		"Send":        func() error { return c.Send(hub.Text([]byte("x"))) },
		"Send binary": func() error { return c.Send(hub.Binary([]byte("x"))) },
		"SendMessage": func() error { return c.SendMessage("x", 1) },
		"Reply":       func() error { return c.Reply(t.Context(), "x", 1) },
		"ReplyError":  func() error { return c.ReplyError(t.Context(), errors.New("x")) },
	} {
		if err := send(); !errors.Is(err, hub.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Set("l", 2)
	if v, ok := c.Get("k"); !ok || v != 1 || c.GetID() != "me" || len(c.Rooms()) != 0 {
		t.Errorf("%v %v %q %v", v, ok, c.GetID(), c.Rooms())
	}
	c.Close(1000, "third")
}

// TestClientClose: what is queued goes first, and only codes that may be sent
// are (RFC 6455, section 7.4.1).
func TestClientClose(t *testing.T) {
	srv := start(t, queryIDs, handle(t, map[string]handlerFunc{
		"close": func(_ context.Context, c *hub.Client, data json.RawMessage) error {
			var code int
			if err := json.Unmarshal(data, &code); err != nil {
				return err
			}
			if err := c.SendMessage("last", nil); err != nil {
				return err
			}
			c.Close(code, "why")
			if err := c.SendMessage("too late", nil); !errors.Is(err, hub.ErrClosed) {
				t.Errorf("send after Close: %v", err)
			}
			return nil
		},
	}))
	for code, want := range map[int]int{
		1000: 1000, 1001: 1001, 1011: 1011, 3000: 3000, 4000: 4000, 4999: 4999,
		0: 1000, -1: 1000, 999: 1000, 5000: 1000, 70_000: 1000, 1004: 1000, 1005: 1000, 1006: 1000, 1015: 1000, 2000: 1000,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			c := srv.Dial(t)
			c.Send("close", code)
			c.Expect("last")
			if got, reason := c.ExpectClose(); got != want || reason != "why" {
				t.Errorf("Close(%d) closed with %d %q, want %d", code, got, reason, want)
			}
		})
	}
}

// TestBytesHaveOneOwner: a handler may keep what it gets, and change what it
// has sent.
func TestBytesHaveOneOwner(t *testing.T) {
	const messages = 200
	got := make(chan json.RawMessage, messages)
	scratch := make([]byte, 0, 1024)
	opts := queryIDs
	opts.RateLimit.MessagesPerSecond = -1
	srv := start(t, opts, handle(t, map[string]handlerFunc{
		"keep": func(_ context.Context, c *hub.Client, data json.RawMessage) error {
			got <- data
			scratch = append(scratch[:0], data...)
			if err := c.Send(hub.Text(scratch)); err != nil {
				return err
			}
			clear(scratch)
			scratch = append(scratch[:0], data...)
			err := c.SendMessage("again", json.RawMessage(scratch))
			clear(scratch)
			return err
		},
	}))
	c := srv.Dial(t)
	want := func(i int) string { return fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", i%50)) }
	for i := range messages {
		c.Send("keep", json.RawMessage(want(i)))
	}
	for i := range messages {
		if f := c.NextFrame(); string(f.Data) != want(i) {
			t.Errorf("frame %d: %s", i, f.Data)
		}
		if m := c.Expect("again"); string(m.Data) != want(i) {
			t.Errorf("message %d: %s", i, m.Data)
		}
	}
	for i := range messages {
		if data := <-got; string(data) != want(i) {
			t.Fatalf("data %d has become %s", i, data)
		}
	}
}

// TestSendRefuses frames that no client could take.
func TestSendRefuses(t *testing.T) {
	srv := start(t, queryIDs)
	conn := srv.Dial(t, hubtest.ID("me"))
	c, err := srv.SDK().GetClient("me")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(hub.Text([]byte("a\xff"))); !errors.Is(err, hub.ErrNotUTF8) {
		t.Errorf("text that is no UTF-8: %v", err)
	}
	for _, typ := range []int{-1, 3, 8, 9, 10, 257} {
		if err := c.Send(hub.Frame{MsgType: typ}); !errors.Is(err, hub.ErrMessageType) {
			t.Errorf("frame of type %d: %v", typ, err)
		}
	}
	conn.Silent()
	if err := c.Send(hub.Frame{Data: []byte("text by default")}); err != nil {
		t.Error(err)
	}
	if f := conn.NextFrame(); f.MsgType != hub.TextMessage || string(f.Data) != "text by default" {
		t.Errorf("%+v", f)
	}
}
