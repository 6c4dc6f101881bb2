package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

type handlerFunc = func(context.Context, *hub.Client, json.RawMessage) error

// nothing is a handler that does nothing.
func nothing(context.Context, *hub.Client, json.RawMessage) error { return nil }

// handle returns a setup that registers handlers.
func handle(t *testing.T, handlers map[string]handlerFunc) func(*server.Server) {
	return func(s *server.Server) {
		for name, f := range handlers {
			if err := s.RegisterHandler(name, f); err != nil {
				t.Errorf("register %q: %v", name, err)
			}
		}
	}
}

func asHubError(err error) (*hub.Error, bool) { return errors.AsType[*hub.Error](err) }

// within waits for something that another goroutine does.
func within[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(hubtest.Timeout):
		t.Fatalf("%s: not within %v", what, hubtest.Timeout)
	}
	return v
}

// TestHandlerAnswers: what a handler sends, and what becomes of its error.
func TestHandlerAnswers(t *testing.T) {
	secret := errors.New("the password is x")
	srv := start(t, server.Options{}, handle(t, map[string]handlerFunc{
		"reply": func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			return c.Reply(ctx, "replied", data)
		},
		"send": func(_ context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.SendMessage("sent", map[string]int{"a": 1})
		},
		"derived": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			return c.Reply(ctx, "replied", hub.RequestID(ctx))
		},
		"reply error": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.ReplyError(ctx, hub.NewError(10_000, "no %d", 5))
		},
		"reply other error": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.ReplyError(ctx, secret)
		},
		"nothing": nothing,
		"error": func(context.Context, *hub.Client, json.RawMessage) error {
			return &hub.Error{Code: 10_001, Message: "\"own\" <text>", Details: fields{"left": 3}}
		},
		"wrapped": func(context.Context, *hub.Client, json.RawMessage) error {
			return fmt.Errorf("%w: wrapped: %w", secret, hub.NewError(hub.CodeRoomFull, "full"))
		},
		"other error": func(context.Context, *hub.Client, json.RawMessage) error { return secret },
		"nil error":   func(context.Context, *hub.Client, json.RawMessage) error { return (*hub.Error)(nil) },
		"details": func(context.Context, *hub.Client, json.RawMessage) error {
			return &hub.Error{Code: 10_002, Message: "m", Details: make(chan int)}
		},
		"panic":     func(context.Context, *hub.Client, json.RawMessage) error { panic(secret) },
		"panic nil": func(context.Context, *hub.Client, json.RawMessage) error { panic(nil) }, //nolint:govet // what if
		"bad reply": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.Reply(ctx, "replied", make(chan int))
		},
	}))
	c := srv.Dial(t)
	const failed = `{"code":1003,"message":"the server could not handle the message","request_id":%d}`
	for name, want := range map[string][2]string{
		"reply":             {"replied", `{"x":[1]}`},
		"derived":           {"replied", `%d`},
		"reply error":       {"error", `{"code":10000,"message":"no 5","request_id":%d}`},
		"reply other error": {"error", failed},
		"error":             {"error", `{"code":10001,"message":"\"own\" <text>","request_id":%d,"details":{"left":3}}`},
		"wrapped":           {"error", `{"code":3002,"message":"full","request_id":%d}`},
		"other error":       {"error", failed},
		"nil error":         {"error", failed},
		"details":           {"error", `{"code":10002,"message":"m","request_id":%d}`},
		"panic":             {"error", failed},
		"panic nil":         {"error", failed},
		"bad reply":         {"error", failed},
		"send":              {"sent", `{"a":1}`},
		"nothing":           {},
	} {
		for _, id := range []int{0, 5, -5} {
			t.Run(fmt.Sprint(name, " ", id), func(t *testing.T) {
				raw(c, fmt.Sprintf(`{"message_type":%q,"data":{"x":[1]},"message_id":%d}`, name, id))
				data, requestID := want[1], id
				if strings.Contains(data, "%d") {
					data = fmt.Sprintf(data, id)
				}
				if name == "send" {
					requestID = 0
				}
				if want[0] != "" {
					wantMessage(t, c.NextFrame(), want[0], data, requestID)
				}
				c.Silent()
			})
		}
	}
	if n := metric(t, srv, "gohub_panics_total"); n != 6 {
		t.Errorf("%v panics counted, want 6", n)
	}
}

// TestAnswersAreUTF8: JSON that is no UTF-8 reaches no client, which would
// have to end the connection (RFC 6455, section 8.1).
func TestAnswersAreUTF8(t *testing.T) {
	bad := json.RawMessage("\"\xff\"")
	srv := start(t, queryIDs, handle(t, map[string]handlerFunc{
		"raw": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error { return c.Reply(ctx, "x", bad) },
		"inside": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			return c.Reply(ctx, "x", fields{"a": bad})
		},
		"details": func(context.Context, *hub.Client, json.RawMessage) error {
			return &hub.Error{Code: 10_000, Message: "m\xff", Details: bad}
		},
		"own": func(_ context.Context, c *hub.Client, _ json.RawMessage) error {
			if err := c.SendMessage("x", bad); !errors.Is(err, hub.ErrNotUTF8) {
				t.Errorf("send: %v", err)
			}
			return nil
		},
	}))
	c := srv.Dial(t, hubtest.ID("me"))
	for name, code := range map[string]int{"raw": 1003, "inside": 1003, "details": 10_000} {
		if m := c.Request(name, nil); m.ErrorCode() != code || !bytes.Equal(m.Data, bytes.ToValidUTF8(m.Data, nil)) {
			t.Errorf("%s: %s %q, want error %d", name, m.Type, m.Data, code)
		}
	}
	c.Send("own", nil)
	c.Silent()
}

// TestOneMessageAtATime: the messages of a client are handled in order, one
// after the other, and a slow one holds up no other client.
func TestOneMessageAtATime(t *testing.T) {
	const messages = 300
	entered, release := make(chan struct{}), make(chan struct{})
	running, next := 0, 0 // plain: the race detector watches
	opts := queryIDs
	opts.RateLimit.MessagesPerSecond = -1
	srv := start(t, opts, handle(t, map[string]handlerFunc{
		"count": func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
			running++
			if string(data) != fmt.Sprint(next) || running != 1 {
				t.Errorf("message %s in place of %d, %d at the same time", data, next, running)
			}
			if next == 0 {
				close(entered)
				<-release
			}
			next++
			running--
			return c.Reply(ctx, "counted", data)
		},
	}))
	c := dialEach(t, srv, "busy", "other")
	for i := range messages {
		c[0].Send("count", i)
	}
	within(t, "handler", entered)
	for range 20 {
		c[1].Silent()
	}
	c[1].Join("room")
	if err := srv.SDK().JoinRoom("room", "busy"); err != nil { // others may deal with a busy client
		t.Fatal(err)
	}
	c[0].Expect("room_joined")
	close(release)
	for i := range messages {
		if got := into[int](t, c[0].Expect("counted")); got != i {
			t.Fatalf("answer %d in place of %d", got, i)
		}
	}
}

// TestContextEnds with the connection, however that ends. Where the client is
// gone without a word it takes as long as closing may.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*hubtest.Client, *hubtest.Server){
		"disconnected": func(_ *hubtest.Client, srv *hubtest.Server) {
			if err := srv.SDK().DisconnectClient("disconnected", 1000, ""); err != nil {
				t.Error(err)
			}
		},
		"replaced": func(_ *hubtest.Client, srv *hubtest.Server) { srv.Dial(t, hubtest.ID("replaced")) },
		"drop":     func(c *hubtest.Client, _ *hubtest.Server) { c.Drop() },
		"reset": func(c *hubtest.Client, _ *hubtest.Server) {
			_ = c.Conn().NetConn().(*net.TCPConn).SetLinger(0)
			c.Drop()
		},
	}
	entered, ended := make(chan error, len(ends)), make(chan error, len(ends))
	srv := start(t, queryIDs, handle(t, map[string]handlerFunc{
		"wait": func(ctx context.Context, c *hub.Client, _ json.RawMessage) error {
			entered <- ctx.Err()
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		},
	}))
	clients := map[string]*hubtest.Client{}
	for name := range ends {
		clients[name] = srv.Dial(t, hubtest.ID(name))
		clients[name].Send("wait", nil)
		if err := within(t, "handler", entered); err != nil {
			t.Errorf("context ended before: %v", err)
		}
	}
	for name, end := range ends {
		end(clients[name], srv)
	}
	for range ends {
		if err := within(t, "end of a context", ended); !errors.Is(err, context.Canceled) {
			t.Errorf("context ended with %v", err)
		}
	}
}

func TestRegisterHandlerErrors(t *testing.T) {
	s, err := server.NewServer(hubtest.Options(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RegisterHandler("mine", nothing); err != nil {
		t.Fatal(err)
	}
	wantError := func(name string, f handlerFunc, text string) {
		t.Helper()
		if err := s.RegisterHandler(name, f); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("register %q: %v, want an error that says %q", name, err, text)
		}
	}
	wantError("mine", nothing, `"mine": the message type is registered already`)
	wantError("ping", nothing, `"ping": the message type is built in`)
	wantError("", nothing, "empty")
	wantError("nil", nil, `"nil": handler is nil`)
	hubtest.Run(t, s)
	wantError("late", nothing, `"late": server has started`)
	wantError("mine", nothing, "server has started")
}

// TestHandleRaw: the handler gets every data frame as it came, in order.
// TestHandleRawTooLate changes nothing, and says so.
func TestHandleRawTooLate(t *testing.T) {
	var log syncBuffer
	srv := start(t, server.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := srv.Dial(t)
	srv.HandleRaw(func(context.Context, *hub.Client, hub.Frame) error { panic("called") })
	srv.HandleRaw(nil)
	c.Silent()
	for _, want := range []string{"HandleRaw is ignored", "server has started", "handler is nil"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}

func TestHandleRaw(t *testing.T) {
	srv := start(t, queryIDs, func(s *server.Server) {
		s.HandleRaw(func(_ context.Context, c *hub.Client, f hub.Frame) error {
			switch string(f.Data) {
			case "panic":
				panic("raw")
			case "error":
				return hub.NewError(10_000, "no")
			case "join":
				return c.SendMessage("x", nil)
			}
			return c.Send(f)
		})
	})
	c := srv.Dial(t)
	frames := []hub.Frame{
		hub.Text([]byte(`{"message_type":"ping","message_id":1}`)), hub.Binary([]byte{0, 255, 128}), hub.Text(nil), hub.Binary(nil),
		hub.Text([]byte("no JSON, é")), hub.Binary(bytes.Repeat([]byte{0xff}, 65_536)), hub.Text(bytes.Repeat([]byte("x"), 200)),
	}
	for _, f := range frames {
		c.SendFrame(f)
	}
	for i, want := range frames {
		if got := c.NextFrame(); got.MsgType != want.MsgType || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("frame %d: %d %.50q, want %d %.50q", i, got.MsgType, got.Data, want.MsgType, want.Data)
		}
	}
	raw(c, "panic")
	wantMessage(t, c.NextFrame(), "error", `{"code":1003,"message":"the server could not handle the message","request_id":0}`, 0)
	raw(c, "error")
	wantMessage(t, c.NextFrame(), "error", `{"code":10000,"message":"no","request_id":0}`, 0)
	raw(c, "join")
	wantMessage(t, c.NextFrame(), "x", `null`, 0)
}
