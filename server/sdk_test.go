package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// TestSDKErrors: what cannot be done is an error that says why.
func TestSDKErrors(t *testing.T) {
	srv := start(t, queryIDs)
	s := srv.SDK()
	in, out := srv.Dial(t, hubtest.ID("in")), srv.Dial(t, hubtest.ID("out"))
	if err := errors.Join(s.CreateRoom("full", "", 1), s.CreateRoom("home", "", 0)); err != nil {
		t.Fatal(err)
	}
	in.Join("full")
	in.Join("home")
	publish := func(p sdk.Publication) error { _, err := s.Publish(p); return err }
	one := json.RawMessage("1")
	for name, tt := range map[string]struct {
		err  error
		code int
	}{
		"join a missing room":         {s.JoinRoom("nowhere", "in"), hub.CodeRoomNotFound},
		"join nobody":                 {s.JoinRoom("home", "nobody"), hub.CodeNoClient},
		"join a full room":            {s.JoinRoom("full", "out"), hub.CodeRoomFull},
		"join twice":                  {s.JoinRoom("home", "in"), hub.CodeAlreadyInRoom},
		"leave a missing room":        {s.LeaveRoom("nowhere", "in"), hub.CodeRoomNotFound},
		"nobody leaves":               {s.LeaveRoom("home", "nobody"), hub.CodeNoClient},
		"leave without being in":      {s.LeaveRoom("home", "out"), hub.CodeNotInRoom},
		"create twice":                {s.CreateRoom("home", "", 0), hub.CodeRoomExists},
		"create without a name":       {s.CreateRoom("", "", 0), hub.CodeFormat},
		"create with a long name":     {s.CreateRoom(strings.Repeat("x", 513), "", 0), hub.CodeFormat},
		"create with a bad name":      {s.CreateRoom("a\nb", "", 0), hub.CodeFormat},
		"create with no UTF-8":        {s.CreateRoom("a\xff", "", 0), hub.CodeFormat},
		"create with a bad limit":     {s.CreateRoom("x", "", -1), hub.CodeFormat},
		"delete a missing room":       {s.DeleteRoom("nowhere"), hub.CodeRoomNotFound},
		"broadcast to a missing room": {s.BroadcastToRoom("nowhere", nil), hub.CodeRoomNotFound},
		"frame to a missing room":     {s.BroadcastFrameToRoom("nowhere", hub.Binary(nil)), hub.CodeRoomNotFound},
		"publish to a missing room":   {publish(sdk.Publication{Room: "nowhere", Content: one}), hub.CodeRoomNotFound},
		"publish nothing":             {publish(sdk.Publication{Room: "home"}), hub.CodeFormat},
		"publish no JSON":             {publish(sdk.Publication{Room: "home", Content: json.RawMessage("{")}), hub.CodeFormat},
		"publish no UTF-8":            {publish(sdk.Publication{Room: "home", Content: json.RawMessage("\"\xff\"")}), hub.CodeFormat},
		"publish too much":            {publish(sdk.Publication{Room: "home", Content: json.RawMessage(`"` + strings.Repeat("x", 65_536) + `"`)}), hub.CodeTooLarge},
		"publish with a long key":     {publish(sdk.Publication{Room: "home", Content: one, IdempotencyKey: strings.Repeat("x", 513)}), hub.CodeFormat},
		"send to nobody":              {s.SendToClient("nobody", nil), hub.CodeNoClient},
		"message to nobody":           {s.SendMessage("nobody", "x", nil), hub.CodeNoClient},
		"frame to nobody":             {s.SendFrameToClient("nobody", hub.Binary(nil)), hub.CodeNoClient},
		"disconnect nobody":           {s.DisconnectClient("nobody", 1000, ""), hub.CodeNoClient},
		"disconnect with no code":     {s.DisconnectClient("in", 0, ""), hub.CodeFormat},
		"disconnect with a high code": {s.DisconnectClient("in", 5000, ""), hub.CodeFormat},
	} {
		wantCode(t, name, tt.err, tt.code)
	}
	_, err := s.GetRoom("nowhere")
	wantCode(t, "get a missing room", err, hub.CodeRoomNotFound)
	_, err = s.GetRoomMembers("nowhere")
	wantCode(t, "members of a missing room", err, hub.CodeRoomNotFound)
	_, err = s.GetRoomHistory("nowhere", 1)
	wantCode(t, "history of a missing room", err, hub.CodeRoomNotFound)
	_, err = s.GetClient("nobody")
	wantCode(t, "get nobody", err, hub.CodeNoClient)
	_, err = s.Request(t.Context(), "nobody", "x", nil)
	wantCode(t, "ask nobody", err, hub.CodeNoClient)
	bad := []byte("a\xff")
	for name, err := range map[string]error{
		"broadcast": s.BroadcastAll(bad), "broadcast a frame": s.BroadcastFrame(hub.Text(bad)),
		"room": s.BroadcastToRoom("home", bad), "send": s.SendToClient("in", bad),
	} {
		if !errors.Is(err, hub.ErrNotUTF8) {
			t.Errorf("%s text that is no UTF-8: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"broadcast": s.BroadcastFrame(hub.Frame{MsgType: 9}), "room": s.BroadcastFrameToRoom("home", hub.Frame{MsgType: 9}),
		"send": s.SendFrameToClient("in", hub.Frame{MsgType: 9}),
	} {
		if !errors.Is(err, hub.ErrMessageType) {
			t.Errorf("%s a ping: %v", name, err)
		}
	}
	in.Silent()
	out.Silent()
	if s.GetRoomCount() != 2 {
		t.Errorf("rooms %+v", s.ListRooms())
	}
}

func TestSDKRooms(t *testing.T) {
	srv := start(t, queryIDs)
	s := srv.SDK()
	a, b := srv.Dial(t, hubtest.ID("a")), srv.Dial(t, hubtest.ID("b"))
	for _, room := range []string{"y", "x"} {
		if err := s.CreateRoom(room, "Room "+room, 7); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a", "b"} {
		if err := s.JoinRoom("x", id); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*hubtest.Client{a, b} {
		wantMessage(t, c.NextFrame(), "room_joined", `{"room_id":"x","status":"joined"}`, 0)
	}
	b.Join("z")
	list := s.ListRooms()
	var seen []string
	for _, r := range list {
		seen = append(seen, fmt.Sprintf("%s/%s/%d/%d/%t", r.ID, r.Name, r.MaxClients, r.Members, r.Explicit))
		if one, err := s.GetRoom(r.ID); err != nil || one != r || time.Since(r.CreatedAt).Abs() > time.Minute {
			t.Errorf("%+v, then %+v, %v", r, one, err)
		}
	}
	if want := []string{"x/Room x/7/2/true", "y/Room y/7/0/true", "z//0/1/false"}; !slices.Equal(seen, want) || s.GetRoomCount() != 3 {
		t.Errorf("rooms %v (%d), want %v", seen, s.GetRoomCount(), want)
	}
	members, err := s.GetRoomMembers("x")
	if slices.Sort(members); err != nil || !slices.Equal(members, []string{"a", "b"}) {
		t.Errorf("members %v, %v", members, err)
	}
	if err := s.LeaveRoom("x", "a"); err != nil {
		t.Error(err)
	}
	wantMessage(t, a.NextFrame(), "room_left", `{"room_id":"x","status":"left"}`, 0)
	if members, err := s.GetRoomMembers("x"); err != nil || !slices.Equal(members, []string{"b"}) {
		t.Errorf("members %v, %v", members, err)
	}
	if members, err := s.GetRoomMembers("y"); err != nil || members == nil || len(members) != 0 {
		t.Errorf("members of an empty room %v, %v", members, err)
	}
	if history, err := s.GetRoomHistory("x", 5); err != nil || len(history) != 0 {
		t.Errorf("history of a room that keeps none: %v, %v", history, err)
	}
}

// TestSDKSends: every way to send, to those it is for and nobody else.
func TestSDKSends(t *testing.T) {
	srv := start(t, server.Options{EnableQueryClientID: true, Compression: true})
	s := srv.SDK()
	clients := map[string]*hubtest.Client{}
	for _, id := range []string{"a", "b", "out"} {
		clients[id] = srv.Dial(t, hubtest.ID(id))
	}
	packed := srv.Dial(t, hubtest.ID("packed"), hubtest.Compressed())
	packed.Silent()
	clients["packed"] = packed
	for _, id := range []string{"a", "b", "packed"} {
		clients[id].Join("room")
	}
	text, binary := []byte("é"+strings.Repeat("x", 500)), append([]byte{0xff, 0}, bytes.Repeat([]byte("y"), 500)...)
	receipt := func(p sdk.Publication) error {
		r, err := s.Publish(p)
		if err == nil && (r.Scope != "cluster" || r.Position != "") {
			t.Errorf("receipt %+v", r)
		}
		return err
	}
	for name, tt := range map[string]struct {
		send func(data []byte) error
		data []byte
		to   []string
		op   int
	}{
		"BroadcastAll":   {s.BroadcastAll, text, []string{"a", "b", "out", "packed"}, hub.TextMessage},
		"BroadcastFrame": {func(d []byte) error { return s.BroadcastFrame(hub.Binary(d)) }, binary, []string{"a", "b", "out", "packed"}, hub.BinaryMessage},
		"SendToClient":   {func(d []byte) error { return s.SendToClient("packed", d) }, text, []string{"packed"}, hub.TextMessage},
		"SendFrameToClient": {
			func(d []byte) error { return s.SendFrameToClient("out", hub.Binary(d)) }, binary, []string{"out"}, hub.BinaryMessage,
		},
		"BroadcastToRoom": {func(d []byte) error { return s.BroadcastToRoom("room", d) }, text, []string{"a", "b", "packed"}, hub.TextMessage},
		"BroadcastToRoom but": {
			func(d []byte) error { return s.BroadcastToRoom("room", d, "a", "nobody", "out", "packed") }, text, []string{"b"}, hub.TextMessage,
		},
		"BroadcastFrameToRoom": {
			func(d []byte) error { return s.BroadcastFrameToRoom("room", hub.Binary(d), "b") }, binary, []string{"a", "packed"}, hub.BinaryMessage,
		},
		"empty": {func(d []byte) error { return s.BroadcastToRoom("room", d) }, nil, []string{"a", "b", "packed"}, hub.TextMessage},
	} {
		t.Run(name, func(t *testing.T) {
			own := slices.Clone(tt.data)
			if err := tt.send(own); err != nil {
				t.Fatal(err)
			}
			clear(own) // is the caller's again
			for id, c := range clients {
				if slices.Contains(tt.to, id) {
					if f := c.NextFrame(); f.MsgType != tt.op || !bytes.Equal(f.Data, tt.data) {
						t.Errorf("%s got %d %.30q", id, f.MsgType, f.Data)
					}
				}
				c.Silent()
			}
		})
	}
	t.Run("Publish", func(t *testing.T) {
		content := json.RawMessage(`{"a":"é"}`)
		if err := receipt(sdk.Publication{Room: "room", SenderID: "the \"server\"", Content: content, Exclude: []string{"b", "nobody"}}); err != nil {
			t.Fatal(err)
		}
		clear(content)
		for _, id := range []string{"a", "packed"} {
			wantMessage(t, clients[id].NextFrame(), "room_message",
				`{"room_id":"room","content":{"a":"é"},"sender_id":"the \"server\"","timestamp":"now"}`, 0)
		}
		for _, c := range clients {
			c.Silent()
		}
	})
}

func TestSDKCounts(t *testing.T) {
	log := make(eventLog, 10)
	srv := start(t, queryIDs, log.listen(sdk.EventClientDisconnected))
	s := srv.SDK()
	want := func(clients, rooms int) {
		t.Helper()
		if c, r := s.GetClientCount(), s.GetRoomCount(); c != clients || r != rooms {
			t.Errorf("%d clients, %d rooms, want %d and %d", c, r, clients, rooms)
		}
	}
	want(0, 0)
	a := srv.Dial(t, hubtest.ID("a"))
	want(1, 0)
	b := srv.Dial(t, hubtest.ID("b"))
	b.Join("room")
	want(2, 1)
	a.Join("room")
	want(2, 1)
	b.Drop()
	log.next(t)
	want(1, 1)
	if err := s.DisconnectClient("a", 4321, "enough"); err != nil {
		t.Error(err)
	}
	if code, reason := a.ExpectClose(); code != 4321 || reason != "enough" {
		t.Errorf("closed with %d %q", code, reason)
	}
	log.next(t)
	want(0, 0)
}

// ask has the server ask a client, and returns the question as the client got
// it and what became of it.
func ask(t *testing.T, srv *hubtest.Server, c *hubtest.Client, ctx context.Context) (hubtest.Message, <-chan error, *json.RawMessage) {
	t.Helper()
	var answer json.RawMessage
	done := make(chan error, 1)
	go func() {
		var err error
		answer, err = srv.SDK().Request(ctx, "me", "question", fields{"q": 1})
		done <- err
	}()
	m := c.Expect("question")
	if m.MessageID == 0 || m.RequestID != 0 || string(m.Data) != `{"q":1}` {
		t.Fatalf("question %+v", m)
	}
	return m, done, &answer
}

func TestSDKRequest(t *testing.T) {
	srv := start(t, queryIDs)
	c, other := srv.Dial(t, hubtest.ID("me")), srv.Dial(t, hubtest.ID("other"))
	answer := func(c *hubtest.Client, m hubtest.Message, typ, data string) {
		raw(c, fmt.Sprintf(`{"message_type":%q,"data":%s,"request_id":%d}`, typ, data, m.MessageID))
	}
	t.Run("answer", func(t *testing.T) {
		m, done, got := ask(t, srv, c, t.Context())
		answer(other, m, "answer", `"of somebody else"`)
		if m := other.Next(); m.ErrorCode() != hub.CodeFormat {
			t.Errorf("%s %s", m.Type, m.Data)
		}
		c.Silent() // it may do something else first
		answer(c, m, "ping", `{"a":[1]}`)
		if err := within(t, "answer", done); err != nil || string(*got) != `{"a":[1]}` {
			t.Errorf("%s, %v", *got, err)
		}
		c.Silent()
		answer(c, m, "answer", `"again"`)
		if m := c.Next(); m.ErrorCode() != hub.CodeFormat {
			t.Errorf("%s %s", m.Type, m.Data)
		}
	})
	t.Run("several at once", func(t *testing.T) {
		m1, done1, got1 := ask(t, srv, c, t.Context())
		m2, done2, got2 := ask(t, srv, c, t.Context())
		answer(c, m2, "answer", "2")
		answer(c, m1, "answer", "1")
		if err := errors.Join(within(t, "first", done1), within(t, "second", done2)); err != nil || string(*got1) != "1" || string(*got2) != "2" {
			t.Errorf("%s %s %v", *got1, *got2, err)
		}
	})
	for name, tt := range map[string]struct {
		data    string
		code    int
		message string
	}{
		"error":              {`{"code":10007,"message":"no","details":{"a":1}}`, 10_007, "no"},
		"error without code": {`{"message":"no"}`, hub.CodeUnknown, ""},
		"error that is none": {`"no"`, hub.CodeUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, done, _ := ask(t, srv, c, t.Context())
			answer(c, m, "error", tt.data)
			err := within(t, "error", done)
			wantCode(t, name, err, tt.code)
			if e, ok := asHubError(err); ok && tt.message != "" && (e.Message != tt.message || fmt.Sprintf("%s", e.Details) != `{"a":1}`) {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("context ends", func(t *testing.T) {
		for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
			ctx, cancel := context.WithCancel(t.Context())
			if end == context.DeadlineExceeded {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			_, done, _ := ask(t, srv, c, ctx)
			if end == context.Canceled {
				cancel()
			}
			if err := within(t, "error", done); !errors.Is(err, end) {
				t.Errorf("%v, want %v", err, end)
			}
			cancel()
		}
	})
	t.Run("data", func(t *testing.T) {
		if _, err := srv.SDK().Request(t.Context(), "me", "question", make(chan int)); err == nil {
			t.Error("a channel was sent")
		}
		if _, err := srv.SDK().Request(t.Context(), "me", "question", json.RawMessage("\"\xff\"")); !errors.Is(err, hub.ErrNotUTF8) {
			t.Errorf("no UTF-8: %v", err)
		}
		c.Silent()
	})
	t.Run("client leaves", func(t *testing.T) {
		_, done, _ := ask(t, srv, c, t.Context())
		c.Drop()
		wantCode(t, "request", within(t, "error", done), hub.CodeClientOffline)
	})
}

// TestSDKPermissions: with tokens a client may do what its token says.
func TestSDKPermissions(t *testing.T) {
	const secret = "a secret of at least thirty-two bytes"
	srv := start(t, server.Options{
		EnableAuth: true, JWTSecretKey: secret, AllowAnonymous: true, EnableQueryClientID: true,
		AnonymousPermissions: []auth.Permission{auth.PermReadMessage},
	})
	s := srv.SDK()
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Issue(auth.TokenClaims{Subject: "alice", Permissions: []auth.Permission{auth.PermSendMessage, "join:room:chat.*"}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	srv.Dial(t, hubtest.Token(token)).Silent()
	srv.Dial(t, hubtest.ID("bob")).Silent()
	for _, tt := range []struct {
		client string
		p      auth.Permission
		room   string // "": everywhere
		want   bool
	}{
		{"alice", auth.PermSendMessage, "", true},
		{"alice", auth.PermSendMessage, "x", true},
		{"alice", auth.PermJoinRoom, "", false},
		{"alice", auth.PermJoinRoom, "chat.1", true},
		{"alice", auth.PermJoinRoom, "chat", false},
		{"alice", auth.PermReadMessage, "chat.1", false},
		{"anon:bob", auth.PermReadMessage, "", true},
		{"anon:bob", auth.PermReadMessage, "x", true},
		{"anon:bob", auth.PermSendMessage, "", false},
		{"nobody", auth.PermReadMessage, "", false},
		{"nobody", auth.PermReadMessage, "x", false},
	} {
		got := s.HasPermission(tt.client, tt.p)
		if tt.room != "" {
			got = s.HasRoomPermission(tt.client, tt.p, tt.room)
		}
		if got != tt.want {
			t.Errorf("%s, %s in %q: %t", tt.client, tt.p, tt.room, got)
		}
	}
}

// TestSDKFromHandlers: handlers and listeners may use the SDK, on their own
// client, too.
func TestSDKFromHandlers(t *testing.T) {
	done := make(chan error, 1)
	srv := start(t, queryIDs, func(s *server.Server) {
		s.On(sdk.EventRoomJoined, func(_ context.Context, ev sdk.Event) error {
			done <- errors.Join(s.SDK().SendToClient(ev.ClientID, []byte("welcome")), s.SDK().LeaveRoom(ev.RoomID, ev.ClientID))
			return nil
		})
		_ = s.RegisterHandler("enter", func(_ context.Context, c *hub.Client, _ json.RawMessage) error {
			return errors.Join(s.SDK().CreateRoom("hall", "", 0), s.SDK().JoinRoom("hall", c.GetID()))
		})
	})
	c := srv.Dial(t, hubtest.ID("me"))
	c.Send("enter", nil)
	c.Expect("room_joined")
	if f := c.NextFrame(); string(f.Data) != "welcome" {
		t.Errorf("%s", f.Data)
	}
	c.Expect("room_left")
	if err := within(t, "listener", done); err != nil {
		t.Error(err)
	}
}
