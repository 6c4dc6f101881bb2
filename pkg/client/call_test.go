package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// TestPublishAgain: a message whose answer was lost is sent again with the same
// key where that counts once, and only there.
func TestPublishAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		joined fields // by the room_joined before
		id     string // of the client in the second connection
		again  bool
	}{
		"history":         {fields{"position": "0"}, "me", true},
		"no history":      {nil, "me", false},
		"another guestid": {fields{"position": "0"}, "guest-2", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var keys []any
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					var p *peer
					if n == 0 {
						p = accept(t, w, r)
						p.joined(tc.joined)
					} else {
						p = acceptBare(t, w, r)
						p.send("connected", fields{"client_id": tc.id}, 0)
						p.joined(fields{"position": "0", "recovered": true})
						if !tc.again {
							p.idle()
							return
						}
					}
					id, data := p.expect("room_message")
					keys = append(keys, data["idempotency_key"])
					if n == 0 {
						p.drop()
						return
					}
					p.send("room_message_sent", fields{"room_id": "r", "position": "1", "scope": "cluster"}, id)
					id, data = p.expect("room_message")
					keys = append(keys, data["idempotency_key"])
					p.send("room_message_sent", fields{"room_id": "r", "position": "2", "scope": "cluster"}, id)
					p.idle()
				})
				c := f.mustConnect(client.Options{})
				if _, err := c.Join(t.Context(), "r", client.JoinOptions{}); err != nil {
					t.Fatal(err)
				}
				r, err := c.Publish(t.Context(), "r", "hi")
				if !tc.again {
					if !errors.Is(err, client.ErrUnknown) {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil || r.Position != "1" {
					t.Errorf("got %+v, %v", r, err)
				}
				if _, err := c.Publish(t.Context(), "r", "ho"); err != nil {
					t.Error(err)
				}
				if len(keys) != 3 || keys[0] == nil || keys[0] != keys[1] || keys[1] == keys[2] {
					t.Errorf("keys %v", keys)
				}
			})
		})
	}
}

// TestPublishRefusedAgain: a hub that refuses what is sent again knows nothing of
// the message before it.
func TestPublishRefusedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			p.joined(fields{"position": "0", "recovered": n > 0})
			id, _ := p.expect("room_message")
			if n == 0 {
				p.drop()
				return
			}
			p.send("error", fields{"code": 1003, "message": "the bus is away"}, id)
			p.idle()
		})
		c := f.mustConnect(client.Options{})
		if _, err := c.Join(t.Context(), "r", client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := c.Publish(t.Context(), "r", "hi")
		if !errors.Is(err, client.ErrUnknown) || !errors.Is(err, &hub.Error{Code: 1003}) {
			t.Errorf("got %v, want that the outcome is unknown, and the refusal", err)
		}
	})
}

// TestPublishTooLate: hubs forget keys.
func TestPublishTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			switch n {
			case 0:
				p := accept(t, w, r)
				p.joined(fields{"position": "0"})
				p.expect("room_message")
				p.drop()
			case 1:
				w.Header().Set("Retry-After", "120")
				w.WriteHeader(503)
			default:
				p := accept(t, w, r)
				p.joined(fields{"position": "0", "recovered": true})
				if m, ok := p.receive(); ok {
					t.Errorf("got %+v", m)
				}
				p.drop()
			}
		})
		c := f.mustConnect(client.Options{})
		if _, err := c.Join(t.Context(), "r", client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Publish(t.Context(), "r", "hi"); !errors.Is(err, client.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	})
}

// TestOutcomes: what the errors of calls say.
func TestOutcomes(t *testing.T) {
	answer := func(code int) func(p *peer) {
		return func(p *peer) {
			id, _ := p.expect("room_message")
			p.send("error", fields{"code": code, "message": "no", "details": fields{"a": 1}}, id)
		}
	}
	for name, tc := range map[string]struct {
		script  func(p *peer)
		short   bool // of time
		want    error
		unknown bool
	}{
		"refused":       {answer(3003), false, &hub.Error{Code: 3003}, false},
		"unknown":       {answer(1004), false, &hub.Error{Code: 1004}, true},
		"no answer":     {func(p *peer) {}, true, context.DeadlineExceeded, true},
		"lost":          {func(p *peer) { p.expect("room_message"); p.drop() }, false, client.ErrUnknown, true},
		"lost, no more": {func(p *peer) { p.expect("room_message"); p.close(4009, "why") }, false, client.ErrUnknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					tc.script(p)
					p.idle()
				})
				c := f.mustConnect(client.Options{})
				ctx, cancel := context.Background(), func() {}
				if tc.short {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				}
				defer cancel()
				_, err := c.Publish(ctx, "r", 1)
				if !errors.Is(err, tc.want) || errors.Is(err, client.ErrUnknown) != tc.unknown {
					t.Errorf("got %v", err)
				}
				if e, ok := errors.AsType[*hub.Error](err); ok && fmt.Sprintf("%s", e.Details) != `{"a":1}` {
					t.Errorf("details %s", e.Details)
				}
			})
		})
	}
}

// TestNothingSent: errors after which nothing can have arrived.
func TestNothingSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 0 {
				w.WriteHeader(503)
				return
			}
			p := accept(t, w, r)
			p.expect("x")
			p.drop()
		})
		c := f.mustConnect(client.Options{MaxPending: 1})
		for name, tc := range map[string]struct {
			messageType string
			data        any
			want        error
		}{
			"too large":   {"x", strings.Repeat("x", 65536), client.ErrTooLarge},
			"not UTF-8":   {"x", json.RawMessage("\"\xff\""), hub.ErrNotUTF8},
			"not JSON":    {"x", json.RawMessage("{"), nil},
			"no encoding": {"x", make(chan int), nil},
			"no type":     {"", nil, nil},
		} {
			for kind, err := range map[string]error{"Request": second(c.Request(t.Context(), tc.messageType, tc.data)), "Send": c.Send(t.Context(), tc.messageType, tc.data)} {
				if err == nil || tc.want != nil && !errors.Is(err, tc.want) || errors.Is(err, client.ErrUnknown) {
					t.Errorf("%s, %s: %v", kind, name, err)
				}
			}
		}
		if _, err := c.Request(t.Context(), "x", nil); !errors.Is(err, client.ErrUnknown) {
			t.Errorf("lost: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waiting := make(chan error, 1)
		go func() { waiting <- c.Send(ctx, "x", nil) }()
		synctest.Wait()
		if _, err := c.Request(t.Context(), "x", nil); !errors.Is(err, client.ErrBusy) {
			t.Errorf("busy: %v", err)
		}
		if err := <-waiting; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, client.ErrUnknown) {
			t.Errorf("away: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestBlockedWrite: a hub that takes nothing holds up no call for longer than
// its ctx, nor any for longer than WriteTimeout.
func TestBlockedWrite(t *testing.T) {
	for name, limit := range map[string]time.Duration{"ctx": time.Second, "WriteTimeout": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				f := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					if n == 0 {
						<-stop
						p.drop()
						return
					}
					p.idle()
				})
				seen := newRecord()
				c := f.mustConnect(seen.options(client.Options{}))
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if name == "ctx" {
					ctx, cancel = context.WithTimeout(ctx, limit)
				}
				defer cancel()
				begin := time.Now()
				if err := c.Send(ctx, "x", nil); !errors.Is(err, client.ErrUnknown) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begin); took != limit {
					t.Errorf("took %v, want %v", took, limit)
				}
				await[client.Connected](t, seen, 1)
				close(stop)
			})
		})
	}
}

// TestTooLargeMessage: a message over the limit ends the client, also one that
// is small on the wire.
func TestTooLargeMessage(t *testing.T) {
	for name, serve := range map[string]func(p *peer){
		"plain": func(p *peer) { p.send("x", strings.Repeat("x", 1000), 0) },
		"exact": func(p *peer) {
			p.sendJSON(json.RawMessage(`{"message_type":"` + strings.Repeat("x", 1000-20) + `"}`)) /* and a newline */
		},
		"inflated": func(p *peer) {
			p.ws.EnableWriteCompression(true)
			p.send("x", strings.Repeat("x", 50_000), 0)
		},
		"header": func(p *peer) { p.send("x", strings.Repeat("x", 1<<20), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					serve(p)
					p.idle()
				})
				seen := newRecord()
				c := f.mustConnect(seen.options(client.Options{MaxMessageSize: 1000, Compression: name == "inflated"}))
				if name == "exact" {
					await[client.Message](t, seen, 0)
					return
				}
				<-c.Done()
				if err := c.Err(); !errors.Is(err, client.ErrTooLarge) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestHubAsks: questions of the hub are answered, whatever becomes of them.
func TestHubAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		handler    func(context.Context, client.Message) (any, error)
		wantType   string
		wantAnswer string
	}{
		"answer":  {func(_ context.Context, m client.Message) (any, error) { return m.Data, nil }, "ask", `{"q":1}`},
		"error":   {func(context.Context, client.Message) (any, error) { return nil, hub.NewError(10001, "busy") }, "error", `{"code":10001,"details":null,"message":"busy"}`},
		"private": {func(context.Context, client.Message) (any, error) { return nil, errors.New("secret") }, "error", `{"code":1003,"details":null,"message":"the client could not handle the request"}`},
		"no JSON": {func(context.Context, client.Message) (any, error) { return make(chan int), nil }, "error", `{"code":1003,"details":null,"message":"the client could not handle the request"}`},
		"large":   {func(context.Context, client.Message) (any, error) { return strings.Repeat("x", 70000), nil }, "error", `{"code":4002,"details":null,"message":"the answer is larger than the hub takes"}`},
		"nobody":  {nil, "error", `{"code":1000,"details":null,"message":"this client answers no requests"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := make(chan wireMessage, 1)
				f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					p := accept(t, w, r)
					p.sendJSON(fields{"message_type": "ask", "data": fields{"q": 1}, "message_id": 7})
					m, _ := p.receive()
					got <- m
					p.idle()
				})
				f.mustConnect(client.Options{OnRequest: tc.handler})
				if m := <-got; m.Type != tc.wantType || m.RequestID != 7 || string(m.Data) != tc.wantAnswer {
					t.Errorf("got %s %s for %d", m.Type, m.Data, m.RequestID)
				}
			})
		})
	}
}
