package server_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// guardedMessages are the messages that need a permission. Each is sent by a
// member of "chat.a" while "chat.b" exists, and alice is connected.
var guardedMessages = []struct {
	name, send string
	data       fields
	needs      auth.Permission
	answer     string
}{
	{"join", "join_room", fields{"room_id": "chat.b"}, auth.PermJoinRoom, "room_joined"},
	{"leave", "leave_room", fields{"room_id": "chat.a"}, auth.PermLeaveRoom, "room_left"},
	{"create", "create_room", fields{"room_id": "chat.new"}, auth.PermCreateRoom, "room_created"},
	{"delete", "delete_room", fields{"room_id": "chat.b"}, auth.PermDeleteRoom, "room_deleted"},
	{"send", "room_message", fields{"room_id": "chat.a", "content": 1}, auth.PermSendMessage, "room_message_sent"},
	{"direct", "direct_message", fields{"target_id": "alice", "content": 1}, auth.PermSendMessage, "direct_message_sent"},
	{"members", "room_members", fields{"room_id": "chat.a"}, auth.PermReadMessage, "room_members"},
	{"history", "room_history", fields{"room_id": "chat.a"}, auth.PermReadMessage, "room_history"},
}

// permissionGrants are the ways to hold, or not to hold, a permission; %s is
// the one needed.
var permissionGrants = []struct {
	grant        string
	room, direct bool // allowed in the rooms chat.*, and to clients
}{
	{"%s", true, true},
	{"%s:chat.*", true, false},
	{"%s:*", true, false},
	{"%s:chat.?", false, false}, // only * is special
	{"%s:other.*", false, false},
	{"%s:", false, false},
	{"admin:room", true, true},
	{"admin:room:chat.*", true, false},
	{"admin:room:other.*", false, false},
	{"admin:system", true, true},
	{"admin:system:chat.*", false, false},
	{"", false, false},
}

// roomIDs returns the ids of all rooms, sorted.
func roomIDs(srv *hubtest.Server) (ids []string) {
	for _, room := range srv.SDK().ListRooms() {
		ids = append(ids, room.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestPermissions sends every guarded message with every kind of grant. What
// comes before, and who else is there, is the server's doing.
func TestPermissions(t *testing.T) {
	srv := start(t, withTokens())
	sdk := srv.SDK()
	srv.Dial(t, hubtest.Token(tokenFor(t, "alice"))).Silent()
	n := 0
	for _, m := range guardedMessages {
		for _, g := range permissionGrants {
			grant := auth.Permission(g.grant)
			if g.grant != "" && g.grant[0] == '%' {
				grant = auth.Permission(fmt.Sprintf(g.grant, m.needs))
			}
			t.Run(m.name+"/"+string(grant), func(t *testing.T) {
				for _, id := range roomIDs(srv) {
					if err := sdk.DeleteRoom(id); err != nil {
						t.Fatal(err)
					}
				}
				for _, id := range []string{"chat.a", "chat.b"} {
					if err := sdk.CreateRoom(id, "", 0); err != nil {
						t.Fatal(err)
					}
				}
				n++
				id := fmt.Sprintf("client %d", n)
				all := []auth.Permission{auth.PermJoinRoom + ":chat.a"}
				others := slices.DeleteFunc(auth.AllPermissions(), func(p auth.Permission) bool {
					return p == m.needs || p == auth.PermAdminRoom || p == auth.PermAdminSystem
				})
				c := srv.Dial(t, hubtest.Token(tokenFor(t, id, all...)))
				c.Join("chat.a")
				// The permissions that are not needed are all there: they must not help.
				if m := c.Request("authenticate", fields{"token": tokenFor(t, id, append(others, grant)...)}); m.Type != "authenticated" {
					t.Fatalf("%s %s", m.Type, m.Data)
				}
				allowed := g.room
				if m.send == "direct_message" {
					allowed = g.direct
				}
				got := c.Request(m.send, m.data)
				if allowed && got.Type != m.answer || !allowed && got.ErrorCode() != hub.CodeForbidden {
					t.Errorf("%s %s, allowed should be %v", got.Type, got.Data, allowed)
				}
				rooms, want := roomIDs(srv), []string{"chat.a", "chat.b"}
				switch {
				case allowed && m.name == "create":
					want = append(want, "chat.new")
				case allowed && m.name == "delete":
					want = want[:1]
				}
				if !slices.Equal(rooms, want) {
					t.Errorf("rooms %q, want %q", rooms, want)
				}
			})
		}
	}
}

// TestReadPermission: a member gets a room's messages only where it may read,
// which a new token changes.
func TestReadPermission(t *testing.T) {
	opts := withTokens()
	opts.Rooms = []server.RoomRule{{Pattern: "*", HistorySize: 10}}
	srv := start(t, opts)
	join := []auth.Permission{auth.PermJoinRoom, auth.PermCreateRoom}
	reads := func(more ...auth.Permission) string { return tokenFor(t, "reader", append(more, join...)...) }
	writer := srv.Dial(t, hubtest.Token(tokenFor(t, "writer", auth.PermAdminSystem)))
	reader := srv.Dial(t, hubtest.Token(reads(auth.PermReadMessage+":open*")))
	say := func(content int) {
		t.Helper()
		for _, room := range []string{"closed", "open"} {
			if m := writer.Request("room_message", fields{"room_id": room, "content": content}); m.Type != "room_message_sent" {
				t.Fatalf("%s %s", m.Type, m.Data)
			}
		}
	}
	hears := func(rooms ...string) {
		t.Helper()
		for _, room := range rooms {
			if got := into[fields](t, reader.Expect("room_message"))["room_id"]; got != room {
				t.Fatalf("heard %v, want %s", got, room)
			}
		}
		reader.Silent()
	}
	for _, room := range []string{"closed", "open"} {
		writer.Join(room)
		reader.Join(room)
	}
	say(1)
	hears("open")

	renew := func(token string) {
		t.Helper()
		if m := reader.Request("authenticate", fields{"token": token}); m.Type != "authenticated" {
			t.Fatalf("%s %s", m.Type, m.Data)
		}
	}
	renew(reads())
	say(2)
	hears()
	renew(reads(auth.PermReadMessage))
	say(3)
	hears("closed", "open")

	// Nor does a replay tell what may not be read.
	renew(reads(auth.PermLeaveRoom))
	page := into[struct{ Messages []struct{ Position string } }](t, writer.Request("room_history", fields{"room_id": "closed"}))
	reader.Request("leave_room", fields{"room_id": "closed"})
	reader.Request("join_room", fields{"room_id": "closed", "since": page.Messages[0].Position})
	hears()
}

// TestJoinMakesRooms: joining a room that does not exist needs create:room, or
// a rule that makes it.
func TestJoinMakesRooms(t *testing.T) {
	opts := withTokens()
	opts.Rooms = []server.RoomRule{{Pattern: "never.*"}, {Pattern: "*.free", Create: true}}
	srv := start(t, opts)
	for _, tt := range []struct {
		room   string
		grants []auth.Permission
		code   int
	}{
		{"plain", []auth.Permission{auth.PermJoinRoom}, hub.CodeRoomNotFound},
		{"plain", []auth.Permission{auth.PermJoinRoom, auth.PermCreateRoom + ":other"}, hub.CodeRoomNotFound},
		{"plain", []auth.Permission{auth.PermJoinRoom, auth.PermCreateRoom + ":pla*"}, 0},
		{"plain", []auth.Permission{auth.PermCreateRoom}, hub.CodeForbidden},
		{"a.free", []auth.Permission{auth.PermJoinRoom}, 0},
		{"a.free", nil, hub.CodeForbidden},
		{"never.free", []auth.Permission{auth.PermJoinRoom}, hub.CodeRoomNotFound}, // the first rule that matches
	} {
		c := srv.Dial(t, hubtest.Token(tokenFor(t, "a", tt.grants...)))
		if m := c.Request("join_room", fields{"room_id": tt.room}); m.ErrorCode() != tt.code || tt.code == 0 && m.Type != "room_joined" {
			t.Errorf("join %s with %q: %s %s", tt.room, tt.grants, m.Type, m.Data)
		}
		c.Close()
		wantClients(t, srv, 0)
	}
}

func TestAnonymousPermissions(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous = true
	opts.AnonymousPermissions = []auth.Permission{auth.PermJoinRoom, auth.PermReadMessage + ":lobby"}
	srv := start(t, opts)
	for _, room := range []string{"lobby", "back"} {
		if err := srv.SDK().CreateRoom(room, "", 0); err != nil {
			t.Fatal(err)
		}
	}
	c := srv.Dial(t)
	c.Join("lobby")
	c.Join("back")
	for _, tt := range []struct {
		send string
		data fields
		code int
	}{
		{"room_members", fields{"room_id": "lobby"}, 0},
		{"room_members", fields{"room_id": "back"}, hub.CodeForbidden},
		{"room_message", fields{"room_id": "lobby", "content": 1}, hub.CodeForbidden},
		{"leave_room", fields{"room_id": "lobby"}, hub.CodeForbidden},
		{"join_room", fields{"room_id": "new"}, hub.CodeRoomNotFound},
	} {
		if m := c.Request(tt.send, tt.data); m.ErrorCode() != tt.code {
			t.Errorf("%s %v: %s %s", tt.send, tt.data, m.Type, m.Data)
		}
	}
	// A token does not add what anonymous clients may.
	named := srv.Dial(t, hubtest.Token(tokenFor(t, "alice")))
	if m := named.Request("join_room", fields{"room_id": "lobby"}); m.ErrorCode() != hub.CodeForbidden {
		t.Errorf("alice joins: %s %s", m.Type, m.Data)
	}

	opts = withTokens()
	opts.AllowAnonymous = true
	none := start(t, opts).Dial(t) // no permission by default
	if m := none.Request("join_room", fields{"room_id": "lobby"}); m.ErrorCode() != hub.CodeForbidden {
		t.Errorf("join: %s %s", m.Type, m.Data)
	}
}

// TestAuthenticationOff: everybody may do everything, whatever a token says.
func TestAuthenticationOff(t *testing.T) {
	srv := start(t, queryIDs)
	srv.Dial(t, hubtest.ID("alice")).Silent()
	for i, opts := range [][]hubtest.Option{{hubtest.ID("x")}, {hubtest.ID("y"), hubtest.Token(tokenFor(t, "z"))}} {
		c := srv.Dial(t, opts...)
		for _, m := range []string{"chat.a", "chat.b"} {
			c.Request("create_room", fields{"room_id": m})
		}
		c.Join("chat.a")
		for _, m := range guardedMessages {
			if m.name == "leave" {
				continue
			}
			if got := c.Request(m.send, m.data); got.Type != m.answer {
				t.Errorf("%d: %s: %s %s", i, m.name, got.Type, got.Data)
			}
		}
		if got := c.Request("leave_room", fields{"room_id": "chat.a"}); got.Type != "room_left" {
			t.Errorf("%d: leave: %s %s", i, got.Type, got.Data)
		}
		for _, id := range roomIDs(srv) {
			if err := srv.SDK().DeleteRoom(id); err != nil {
				t.Error(err)
			}
		}
	}
	if n := srv.SDK().GetClientCount(); n != 3 {
		t.Errorf("%d clients", n)
	}
}
