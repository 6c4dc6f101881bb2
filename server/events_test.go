package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// eventTypes are all of them.
var eventTypes = []sdk.EventType{
	sdk.EventClientConnected, sdk.EventClientDisconnected, sdk.EventClientMessage, sdk.EventClientError,
	sdk.EventRoomCreated, sdk.EventRoomDeleted, sdk.EventRoomJoined, sdk.EventRoomLeft, sdk.EventRoomMessage,
}

// eventLog takes events.
type eventLog chan sdk.Event

// listen adds listeners for types, all of them by default.
func (l eventLog) listen(types ...sdk.EventType) func(*server.Server) {
	if len(types) == 0 {
		types = eventTypes
	}
	return func(s *server.Server) {
		for _, typ := range types {
			s.On(typ, func(_ context.Context, ev sdk.Event) error {
				l <- ev
				return nil
			})
		}
	}
}

// next returns the next event.
func (l eventLog) next(t *testing.T) sdk.Event {
	t.Helper()
	select {
	case ev := <-l:
		return ev
	case <-time.After(hubtest.Timeout):
		t.Fatalf("no event for %v", hubtest.Timeout)
		return sdk.Event{}
	}
}

// want checks the next events, but for their times, which must be now and in
// order, and the errors, whose code it compares.
func (l eventLog) want(t *testing.T, events ...sdk.Event) {
	t.Helper()
	last := time.Now().Add(-time.Minute)
	for i, want := range events {
		got := l.next(t)
		if got.Time.Before(last) || time.Since(got.Time) > time.Minute {
			t.Errorf("event %d is of %v, want %v to now", i, got.Time, last)
		}
		last = got.Time
		if e, ok := asHubError(got.Err); got.Err != nil && (!ok || e.Code != got.Code) || (got.Err != nil) != (got.Type == sdk.EventClientError) {
			t.Errorf("event %d: code %d of %v", i, got.Code, got.Err)
		}
		got.Time, got.Err = time.Time{}, nil
		slices.Sort(got.Rooms)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d\ngot  %+v (message %s)\nwant %+v (message %s)", i, got, got.Message, want, want.Message)
		}
	}
}

// TestEvents follows a client from its connecting to its end.
func TestEvents(t *testing.T) {
	log := make(eventLog, 100)
	srv := start(t, queryIDs, log.listen())
	c := srv.Dial(t, hubtest.ID("me"))
	of := func(typ sdk.EventType, room string) sdk.Event {
		return sdk.Event{Type: typ, ClientID: "me", RoomID: room}
	}
	says := func(text string) sdk.Event {
		raw(c, text)
		return sdk.Event{Type: sdk.EventClientMessage, ClientID: "me", Message: []byte(text)}
	}
	log.want(t, of(sdk.EventClientConnected, ""))
	log.want(t, says(`{"message_type":"join_room","data":{"room_id":"r"}}`), of(sdk.EventRoomCreated, "r"), of(sdk.EventRoomJoined, "r"))
	message := of(sdk.EventRoomMessage, "r")
	message.Message, message.SenderID = []byte(`{"a": 1}`), "me"
	log.want(t, says(`{"message_type":"room_message","data":{"room_id":"r","content":{"a": 1}}}`), message)
	for text, code := range map[string]int{`{"message_type":"dance"}`: 1001, `{"message_type":"ping","message_id":"x"}`: 1002, `no JSON`: 1001} {
		failed := of(sdk.EventClientError, "")
		failed.Code = code
		log.want(t, says(text), failed)
	}
	log.want(t, says(`{"message_type":"leave_room","data":{"room_id":"r"}}`), of(sdk.EventRoomLeft, "r"), of(sdk.EventRoomDeleted, "r"))
	log.want(t, says(`{"message_type":"create_room","data":{"room_id":"x"}}`), of(sdk.EventRoomCreated, "x"))
	log.want(t, says(`{"message_type":"join_room","data":{"room_id":"x"}}`), of(sdk.EventRoomJoined, "x"))
	log.want(t, says(`{"message_type":"delete_room","data":{"room_id":"x"}}`), of(sdk.EventRoomLeft, "x"), of(sdk.EventRoomDeleted, "x"))
	log.want(t, says(`{"message_type":"join_room","data":{"room_id":"b"}}`), of(sdk.EventRoomCreated, "b"), of(sdk.EventRoomJoined, "b"))
	log.want(t, says(`{"message_type":"create_room","data":{"room_id":"a"}}`), of(sdk.EventRoomCreated, "a"))
	log.want(t, says(`{"message_type":"join_room","data":{"room_id":"a"}}`), of(sdk.EventRoomJoined, "a"))
	c.Close()
	gone := of(sdk.EventClientDisconnected, "")
	gone.Rooms, gone.Code = []string{"a", "b"}, 1000
	log.want(t, of(sdk.EventRoomDeleted, "b"), gone) // the created one stays for a while
}

// TestEventsOfTheServer are caused by no client.
func TestEventsOfTheServer(t *testing.T) {
	log := make(eventLog, 100)
	srv := start(t, queryIDs, log.listen())
	srv.Dial(t, hubtest.ID("me"))
	log.want(t, sdk.Event{Type: sdk.EventClientConnected, ClientID: "me"})
	for _, err := range []error{
		srv.SDK().CreateRoom("r", "", 0),
		srv.SDK().BroadcastToRoom("r", []byte("text")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := srv.SDK().Publish(sdk.Publication{Room: "r", SenderID: "somebody", Content: json.RawMessage("1")}); err != nil {
		t.Fatal(err)
	}
	log.want(t,
		sdk.Event{Type: sdk.EventRoomCreated, RoomID: "r"},
		sdk.Event{Type: sdk.EventRoomMessage, RoomID: "r", Message: []byte("text")},
		sdk.Event{Type: sdk.EventRoomMessage, RoomID: "r", SenderID: "somebody", Message: []byte("1")},
	)
	if err := errors.Join(srv.SDK().JoinRoom("r", "me"), srv.SDK().LeaveRoom("r", "me"), srv.SDK().JoinRoom("r", "me")); err != nil {
		t.Fatal(err)
	}
	log.want(t,
		sdk.Event{Type: sdk.EventRoomJoined, RoomID: "r", ClientID: "me"},
		sdk.Event{Type: sdk.EventRoomLeft, RoomID: "r", ClientID: "me"},
		sdk.Event{Type: sdk.EventRoomJoined, RoomID: "r", ClientID: "me"},
	)
	if err := srv.SDK().DeleteRoom("r"); err != nil {
		t.Fatal(err)
	}
	// Two queues: the client's and the server's own.
	a, b := log.next(t), log.next(t)
	if a.Type == sdk.EventRoomDeleted {
		a, b = b, a
	}
	if a.Type != sdk.EventRoomLeft || a.ClientID != "me" || b.Type != sdk.EventRoomDeleted || b.ClientID != "" || b.RoomID != "r" {
		t.Errorf("%+v and %+v", a, b)
	}
}

// TestDisconnectedEvent tells why.
func TestDisconnectedEvent(t *testing.T) {
	log := make(eventLog, 100)
	srv := start(t, queryIDs, log.listen(sdk.EventClientDisconnected))
	closing := func(code int, reason string) func(*hubtest.Client) {
		return func(c *hubtest.Client) {
			_ = c.Conn().WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
		}
	}
	for name, tt := range map[string]struct {
		end    func(*hubtest.Client)
		code   int
		reason string
	}{
		"client closes":     {closing(1000, "bye"), 1000, "bye"},
		"with its own code": {closing(4567, "é"), 4567, "é"},
		"without a code":    {closing(1005, ""), 1005, ""},
		"client drops":      {func(c *hubtest.Client) { c.Drop() }, 1006, ""},
		"SDK":               {func(*hubtest.Client) { _ = srv.SDK().DisconnectClient("me", 4321, "go") }, 4321, "go"},
		"replaced":          {func(*hubtest.Client) { srv.Dial(t, hubtest.ID("me")) }, 4009, "replaced by a newer connection with the same id"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.end(srv.Dial(t, hubtest.ID("me")))
			ev := log.next(t)
			if ev.ClientID != "me" || ev.Code != tt.code || tt.reason != "" && ev.Reason != tt.reason || len(ev.Rooms) != 0 {
				t.Errorf("%+v, want %d %q", ev, tt.code, tt.reason)
			}
			if srv.SDK().DisconnectClient("me", 1000, "") == nil {
				log.next(t)
			}
		})
	}
}

// TestNothingBehindDisconnected: a client that is gone says nothing more and
// is sent no error, whatever its last handler returns.
func TestNothingBehindDisconnected(t *testing.T) {
	log := make(eventLog, 100)
	var lines syncBuffer
	opts := queryIDs
	opts.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	srv := start(t, opts, log.listen(sdk.EventClientMessage, sdk.EventClientError, sdk.EventClientDisconnected), handle(t, map[string]handlerFunc{
		"wait": func(ctx context.Context, _ *hub.Client, _ json.RawMessage) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}))
	for range 20 {
		c := srv.Dial(t, hubtest.ID("me"))
		c.Send("wait", nil)
		c.Send("ping", nil) // waits its turn
		if ev := log.next(t); ev.Type != sdk.EventClientMessage {
			t.Fatalf("%+v", ev)
		}
		if err := srv.SDK().DisconnectClient("me", 4000, ""); err != nil {
			t.Fatal(err)
		}
		if ev := log.next(t); ev.Type != sdk.EventClientDisconnected {
			t.Fatalf("%+v", ev)
		}
		c.ExpectClose()
		c.Drop()
	}
	if err := srv.Shutdown(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	if len(log) > 0 {
		t.Errorf("then came %+v", <-log)
	}
	if text := lines.String(); strings.Contains(text, "failed") {
		t.Errorf("log: %s", text)
	}
}

// TestDisconnectedIsLast, whatever of the client's is under way then: rooms
// that it still makes and deletes are told as nobody's doing.
func TestDisconnectedIsLast(t *testing.T) {
	const clients, rooms = 100, 8
	log := make(eventLog, 1<<16)
	srv := start(t, queryIDs, log.listen())
	for i := range clients {
		id := fmt.Sprint("c", i)
		c := srv.Dial(t, hubtest.ID(id))
		c.Join(id)
		for j := range rooms {
			room := fields{"room_id": fmt.Sprint(id, "-", j)}
			c.Send("create_room", room)
			c.Send("delete_room", room)
			c.Send("room_message", fields{"room_id": id, "content": 1})
		}
		if err := srv.SDK().DisconnectClient(id, 4000, ""); err != nil {
			t.Fatal(err)
		}
		c.ExpectClose()
		c.Drop()
	}
	if err := srv.Shutdown(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	gone := map[string]bool{}
	open := map[string]int{}
	for len(log) > 0 {
		ev := <-log
		if gone[ev.ClientID] {
			t.Errorf("behind its end: %+v", ev)
		}
		switch ev.Type {
		case sdk.EventClientDisconnected:
			gone[ev.ClientID] = true
		case sdk.EventRoomCreated:
			open[ev.RoomID]++
		case sdk.EventRoomDeleted:
			open[ev.RoomID]--
		}
	}
	if len(gone) != clients {
		t.Errorf("%d clients were told to be gone", len(gone))
	}
	for room, n := range open {
		if _, err := srv.SDK().GetRoom(room); (err == nil) != (n == 1) || n < 0 || n > 1 {
			t.Errorf("%s was created %d times more than deleted; %v", room, n, err)
		}
	}
}

// TestLeftOnce: a member that is disconnected while its room is deleted leaves
// it once, the one way or the other.
func TestLeftOnce(t *testing.T) {
	const rounds, clients = 8, 60
	log := make(eventLog, 10*clients)
	srv := start(t, queryIDs, log.listen(sdk.EventRoomLeft, sdk.EventClientDisconnected))
	for range rounds {
		if err := srv.SDK().CreateRoom("room", "", 0); err != nil {
			t.Fatal(err)
		}
		var members []*hubtest.Client
		for i := range clients {
			c := srv.Dial(t, hubtest.ID(fmt.Sprint("c", i)))
			c.Join("room")
			members = append(members, c)
		}
		var acting sync.WaitGroup
		begin := make(chan struct{})
		acting.Go(func() {
			<-begin
			for i := range clients { // the last first, so that they meet
				if err := srv.SDK().DisconnectClient(fmt.Sprint("c", clients-1-i), 4000, ""); err != nil {
					t.Error(err)
				}
			}
		})
		acting.Go(func() {
			<-begin
			if err := srv.SDK().DeleteRoom("room"); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		acting.Wait()
		left, gone := map[string]int{}, 0
		for gone < clients {
			ev := log.next(t)
			if ev.Type == sdk.EventRoomLeft {
				left[ev.ClientID]++
				continue
			}
			gone++
			if left[ev.ClientID] += len(ev.Rooms); left[ev.ClientID] != 1 {
				t.Fatalf("%s left %d times", ev.ClientID, left[ev.ClientID])
			}
		}
		for _, c := range members {
			c.ExpectClose()
			c.Drop()
		}
	}
	if err := srv.Shutdown(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	if len(log) > 0 {
		t.Errorf("then came %+v", <-log)
	}
}

// TestEventClaims: events carry the claims of the client's token.
func TestEventClaims(t *testing.T) {
	const secret = "a secret of at least thirty-two bytes"
	log := make(eventLog, 100)
	srv := start(t, server.Options{EnableAuth: true, JWTSecretKey: secret}, log.listen(sdk.EventClientConnected, sdk.EventClientDisconnected))
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Issue(auth.TokenClaims{Subject: "alice", Permissions: []auth.Permission{auth.PermJoinRoom}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	srv.Dial(t, hubtest.Token(token)).Close()
	for range 2 {
		ev := log.next(t)
		if ev.ClientID != "alice" || ev.Claims == nil || ev.Claims.Subject != "alice" || !ev.Claims.HasPermission(auth.PermJoinRoom) {
			t.Errorf("%+v with %+v", ev, ev.Claims)
		}
	}
}

// TestEventsAreNotLost while clients come and go.
func TestEventsAreNotLost(t *testing.T) {
	const clients, rounds = 8, 10
	var count [9]atomic.Int64
	var rooms atomic.Int64 // that clients were in when they left
	gone := make(chan struct{}, clients*rounds)
	srv := start(t, server.Options{}, func(s *server.Server) {
		for i, typ := range eventTypes {
			s.On(typ, func(_ context.Context, ev sdk.Event) error {
				count[i].Add(1)
				if typ == sdk.EventClientDisconnected {
					rooms.Add(int64(len(ev.Rooms)))
					gone <- struct{}{}
				}
				return nil
			})
		}
	})
	of := func(typ sdk.EventType) int64 { return count[slices.Index(eventTypes, typ)].Load() }
	for range rounds {
		var batch []*hubtest.Client
		for i := range clients {
			c := srv.Dial(t)
			for _, room := range []string{"common", "other", fmt.Sprint("own", i)} {
				c.Send("join_room", fields{"room_id": room})
			}
			c.Send("leave_room", fields{"room_id": "common"})
			batch = append(batch, c)
		}
		for _, c := range batch {
			c.Request("ping", nil) // all has been handled
			c.Drop()
		}
	}
	for range clients * rounds {
		<-gone
	}
	srv.Dial(t).Close()
	<-gone
	if err := srv.Shutdown(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	const total = clients*rounds + 1
	if c, d := of(sdk.EventClientConnected), of(sdk.EventClientDisconnected); c != total || d != total {
		t.Errorf("%d connected, %d disconnected, want %d", c, d, total)
	}
	if j, l := of(sdk.EventRoomJoined), of(sdk.EventRoomLeft); j != 3*clients*rounds || l != clients*rounds || rooms.Load() != j-l {
		t.Errorf("%d joined, %d left, %d were in rooms at their end", j, l, rooms.Load())
	}
	if c, d := of(sdk.EventRoomCreated), of(sdk.EventRoomDeleted); c != d || c < clients*rounds {
		t.Errorf("%d created, %d deleted", c, d)
	}
	if m := of(sdk.EventClientMessage); m != 5*clients*rounds {
		t.Errorf("%d messages, want %d", m, 5*clients*rounds)
	}
}

// TestRoomEventsPair: a room that several clients make and leave at the same
// time is created as often as it is deleted.
func TestRoomEventsPair(t *testing.T) {
	var created, deleted atomic.Int64
	opts := queryIDs
	opts.RateLimit.MessagesPerSecond = -1
	srv := start(t, opts, func(s *server.Server) {
		s.On(sdk.EventRoomCreated, func(context.Context, sdk.Event) error { created.Add(1); return nil })
		s.On(sdk.EventRoomDeleted, func(context.Context, sdk.Event) error { deleted.Add(1); return nil })
	})
	const rounds = 150
	c := dialEach(t, srv, "a", "b", "c", "d")
	for range rounds {
		for _, x := range c {
			x.Send("join_room", fields{"room_id": "room"})
			x.Send("leave_room", fields{"room_id": "room"})
		}
	}
	for _, x := range c {
		for range rounds {
			x.Expect("room_joined")
			x.Expect("room_left")
		}
	}
	if n := srv.SDK().GetRoomCount(); n != 0 {
		t.Errorf("%d rooms left over", n)
	}
	for _, x := range c {
		x.Close()
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if created.Load() != deleted.Load() {
		t.Errorf("%d created, %d deleted", created.Load(), deleted.Load())
	}
}
