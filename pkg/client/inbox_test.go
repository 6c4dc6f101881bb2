package client_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// TestBackPressure: a client whose handlers are slow stops reading.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 1000
		var sent, handled atomic.Int64
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			for i := range messages {
				p.send("x", i, 0)
				sent.Add(1)
			}
			p.idle()
		})
		wait, all := make(chan struct{}), make(chan struct{})
		f.mustConnect(client.Options{InboxBytes: 4096, OnMessage: func(_ context.Context, m client.Message) {
			<-wait
			if n := handled.Add(1); string(m.Data) != fmt.Sprint(n-1) {
				t.Errorf("message %d is %s", n-1, m.Data)
			} else if n == messages {
				close(all)
			}
		}})
		synctest.Wait()
		if n := sent.Load(); n < 10 || n > 50 {
			t.Errorf("%d messages read while the handler waited", n)
		}
		close(wait)
		<-all
	})
}

// TestHandlerCalls: a handler gets its answer though messages wait that it
// holds up itself, and though they have stopped the client from reading.
func TestHandlerCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			asked := make(chan int64)
			go func() {
				id, _ := p.expect("y")
				asked <- id
				p.idle()
			}()
			for range 50 {
				p.send("x", nil, 0)
			}
			p.send("y", nil, <-asked)
		})
		calls, done, full := 0, make(chan error, 1), make(chan struct{})
		var c *client.Client
		c = f.mustConnect(client.Options{InboxBytes: 4096, OnMessage: func(ctx context.Context, _ client.Message) {
			<-full
			if calls++; calls == 1 {
				_, err := c.Request(ctx, "y", fields{})
				done <- err
			}
		}})
		synctest.Wait()
		close(full)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowHandler: a hub that cannot be heard because handlers are slow is not
// taken for a silent one.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 20
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			go p.idle()
			for range messages {
				p.send("x", nil, 0)
			}
		})
		handled := make(chan struct{}, messages)
		f.mustConnect(client.Options{InboxBytes: 1, PingInterval: 10 * time.Second, OnMessage: func(context.Context, client.Message) {
			time.Sleep(time.Minute) // in the bubble
			handled <- struct{}{}
		}})
		for range messages {
			<-handled
		}
		if n := len(f.dialled()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestCloseInHandler: a handler may close its client; nothing is delivered then.
func TestCloseInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			for range 100 {
				p.send("x", nil, 0)
			}
			p.idle()
		})
		var c *client.Client
		ready, calls := make(chan struct{}), 0
		c = f.mustConnect(client.Options{InboxBytes: 1024, OnMessage: func(ctx context.Context, _ client.Message) {
			<-ready
			calls++
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if ctx.Err() == nil {
				t.Error("the handler's ctx goes on")
			}
		}})
		synctest.Wait()
		close(ready)
		<-c.Done()
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestFrames: what is no message of the protocol.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := []hub.Frame{hub.Binary([]byte{0, 1}), hub.Text([]byte("text")), hub.Text([]byte(`{"a":1}`)), hub.Text([]byte(`{"message_type":7}`))}
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			for _, frame := range want {
				_ = p.ws.WriteMessage(frame.MsgType, frame.Data)
			}
			p.idle()
		})
		got := make(chan hub.Frame, len(want))
		f.mustConnect(client.Options{OnFrame: func(_ context.Context, f hub.Frame) { got <- f }})
		for _, w := range want {
			if g := <-got; g.MsgType != w.MsgType || string(g.Data) != string(w.Data) {
				t.Errorf("got %+v, want %+v", g, w)
			}
		}
	})
}

// TestNotices: every notice becomes its event, a broken one a Fault.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			p := accept(t, w, r)
			p.send("member_joined", fields{"room_id": "r", "client_ids": []string{"a"}, "count": 1, "members": 2}, 0)
			p.send("member_left", fields{"room_id": "r", "count": 3, "members": 4}, 0)
			p.send("degraded", fields{"reason": "bus"}, 0)
			p.send("recovered", nil, 0)
			p.send("error", fields{"code": 1001, "message": "cannot be read"}, 0)
			p.send("gap", []int{1}, 0)
			p.send("direct_message", fields{"content": "hi", "sender_id": "you", "timestamp": 1}, 0)
			p.idle()
		})
		seen := newRecord()
		f.mustConnect(seen.options(client.Options{}))
		await[client.DirectMessage](t, seen, 0)
		want := []any{
			client.Connected{ID: "me", Node: "n"},
			client.MemberJoined{Room: "r", IDs: []string{"a"}, Count: 1, Members: 2},
			client.MemberLeft{Room: "r", Count: 3, Members: 4},
			client.Degraded{Reason: "bus"}, client.Recovered{},
			client.Fault{Err: hub.NewError(1001, "cannot be read")},
		}
		got := seen.list()
		for i, w := range want {
			if fmt.Sprintf("%T %+v", got[i], got[i]) != fmt.Sprintf("%T %+v", w, w) {
				t.Errorf("got %T %+v, want %T %+v", got[i], got[i], w, w)
			}
		}
		if n := count[client.Fault](seen); n != 2 {
			t.Errorf("%d faults", n)
		}
	})
}
