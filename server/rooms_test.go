package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// dialEach connects a client for each id.
func dialEach(t *testing.T, srv *hubtest.Server, ids ...string) []*hubtest.Client {
	t.Helper()
	clients := make([]*hubtest.Client, len(ids))
	for i, id := range ids {
		clients[i] = srv.Dial(t, hubtest.ID(id))
	}
	return clients
}

// wantCode checks that err is a *hub.Error with that code.
func wantCode(t *testing.T, what string, err error, code int) {
	t.Helper()
	e, ok := asHubError(err)
	if !ok || e.Code != code {
		t.Errorf("%s: error %v, want code %d", what, err, code)
	}
}

func TestCreatedAndJoinedRooms(t *testing.T) {
	srv := start(t, queryIDs)
	c := srv.Dial(t)
	if m := c.Request("create_room", fields{"room_id": "made", "name": "Made", "max_clients": 5}); m.Type != "room_created" {
		t.Fatalf("create_room: %s %s", m.Type, m.Data)
	}
	for _, room := range []string{"made", "joined"} {
		c.Join(room)
		got, err := srv.SDK().GetRoom(room)
		if err != nil || got.Members != 1 || got.Explicit || got.CreatedAt.IsZero() {
			t.Errorf("%s: %+v, %v", room, got, err)
		}
		if m := c.Request("leave_room", fields{"room_id": room}); m.Type != "room_left" {
			t.Errorf("leave %s: %s %s", room, m.Type, m.Data)
		}
	}
	if _, err := srv.SDK().GetRoom("joined"); err == nil {
		t.Error("the room made by joining is still there")
	}
	if got, err := srv.SDK().GetRoom("made"); err != nil || got.Members != 0 || got.Name != "Made" || got.MaxClients != 5 {
		t.Errorf("the room made by create_room: %+v, %v", got, err)
	}
	if m := c.Request("delete_room", fields{"room_id": "made"}); m.Type != "room_deleted" {
		t.Errorf("delete_room: %s %s", m.Type, m.Data)
	}
	if n := srv.SDK().GetRoomCount(); n != 0 {
		t.Errorf("%d rooms left", n)
	}
}

// TestWhoseRoomsStay: what a client creates stays for good only where a token
// vouches for it.
func TestWhoseRoomsStay(t *testing.T) {
	opts := withTokens()
	opts.AllowAnonymous, opts.AnonymousPermissions = true, []auth.Permission{auth.PermCreateRoom}
	opts.EnableQueryClientID = true
	withAuth, without := start(t, opts), start(t, queryIDs)
	for _, tt := range []struct {
		name  string
		srv   *hubtest.Server
		who   hubtest.Option
		stays bool
	}{
		{"a token", withAuth, hubtest.Token(tokenFor(t, "alice", auth.PermCreateRoom)), true},
		{"a guest", withAuth, hubtest.Query("x", ""), false},
		{"an id of its own choice", withAuth, hubtest.ID("me"), false},
		{"a guest without authentication", without, hubtest.Query("x", ""), false},
		{"an id without authentication", without, hubtest.ID("me"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m := tt.srv.Dial(t, tt.who).Request("create_room", fields{"room_id": tt.name}); m.Type != "room_created" {
				t.Fatalf("%s %s", m.Type, m.Data)
			}
			if r, err := tt.srv.SDK().GetRoom(tt.name); err != nil || r.Explicit != tt.stays {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestRoomCapacity: a place is free again when somebody leaves, and a rule's
// limit is the most that a room can ask for.
func TestRoomCapacity(t *testing.T) {
	opts := queryIDs
	opts.Rooms = []server.RoomRule{{Pattern: "duo.*", MaxClients: 2}}
	srv := start(t, opts)
	c := dialEach(t, srv, "a", "b", "c")
	for ask, want := range map[int]int{0: 2, 1: 1, 9: 2} {
		data := into[fields](t, c[0].Request("create_room", fields{"room_id": "duo." + strconv.Itoa(ask), "max_clients": ask}))
		if data["max_clients"] != float64(want) {
			t.Errorf("max_clients %d where 2 are allowed: %v, want %d", ask, data["max_clients"], want)
		}
	}
	c[0].Join("duo.x")
	c[1].Join("duo.x")
	if m := c[2].Request("join_room", fields{"room_id": "duo.x"}); m.ErrorCode() != hub.CodeRoomFull {
		t.Errorf("third of two: %s %s", m.Type, m.Data)
	}
	c[0].Request("leave_room", fields{"room_id": "duo.x"})
	c[2].Join("duo.x")
}

func TestSenderIsLeftOut(t *testing.T) {
	srv := start(t, queryIDs)
	c := dialEach(t, srv, "a", "b", "c")
	for _, x := range c {
		x.Join("room")
	}
	for _, sender := range c {
		sender.Send("room_message", fields{"room_id": "room", "content": "x"})
		for _, x := range c {
			if x != sender {
				x.Expect("room_message")
			}
		}
	}
	for _, x := range c {
		x.Silent()
	}
}

// TestMembersWhilePaging: whoever is a member throughout is on a page,
// whatever the others do between the pages.
func TestMembersWhilePaging(t *testing.T) {
	srv := start(t, queryIDs)
	const stable, passing = 25, 15
	ids := make([]string, stable+passing)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i)
	}
	clients := dialEach(t, srv, ids...)
	order := rand.Perm(len(clients))
	in := make(map[int]bool)
	for _, i := range order {
		clients[i].Join("room")
		in[i] = true
	}
	for range 20 {
		seen := map[string]bool{}
		cursor := ""
		for pages := 0; ; pages++ {
			page := into[struct {
				Members []string
				Count   int
				Cursor  string
			}](t, clients[0].Request("room_members", fields{"room_id": "room", "limit": 3, "cursor": cursor}))
			if page.Count != len(in) || len(page.Members) > 3 || pages > len(clients) {
				t.Fatalf("page %d: %+v, want a count of %d", pages, page, len(in))
			}
			for _, id := range page.Members {
				seen[id] = true
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
			for range 4 {
				i := stable + rand.IntN(passing)
				if in[i] {
					clients[i].Request("leave_room", fields{"room_id": "room"})
					delete(in, i)
				} else {
					clients[i].Join("room")
					in[i] = true
				}
			}
		}
		for _, id := range ids[:stable] {
			if !seen[id] {
				t.Fatalf("%s was a member throughout and on no page", id)
			}
		}
	}
}

// TestDeleteRoomTellsMembers: they get room_left, whoever deletes.
func TestDeleteRoomTellsMembers(t *testing.T) {
	srv := start(t, queryIDs)
	c := dialEach(t, srv, "a", "b")
	for name, remove := range map[string]func(){
		"a member": func() { c[0].Send("delete_room", fields{"room_id": "room"}) },
		"the SDK": func() {
			if err := srv.SDK().DeleteRoom("room"); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c[0].Join("room")
			c[1].Join("room")
			remove()
			for _, x := range c {
				wantMessage(t, x.NextFrame(), "room_left", `{"room_id":"room","status":"left"}`, 0)
			}
			for _, x := range c {
				if m := x.Request("room_message", fields{"room_id": "room", "content": 1}); m.ErrorCode() != hub.CodeRoomNotFound {
					t.Errorf("message to the deleted room: %s %s", m.Type, m.Data)
				}
				x.Silent()
			}
		})
	}
}

// TestDisconnectLeavesEveryRoom: when a disconnect is told, it is no member
// any more anywhere, and rooms that it alone was in are gone.
func TestDisconnectLeavesEveryRoom(t *testing.T) {
	gone := make(chan sdk.Event, 1)
	srv := start(t, queryIDs, func(s *server.Server) {
		s.On(sdk.EventClientDisconnected, func(_ context.Context, ev sdk.Event) error {
			gone <- ev
			return nil
		})
	})
	stays := srv.Dial(t, hubtest.ID("stays"))
	for name, end := range map[string]func(*hubtest.Client){
		"close": func(c *hubtest.Client) { c.Close() },
		"drop":  func(c *hubtest.Client) { c.Drop() },
		"disconnected": func(*hubtest.Client) {
			if err := srv.SDK().DisconnectClient("goes", 1000, ""); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := srv.SDK().CreateRoom("explicit", "", 0); err != nil {
				t.Fatal(err)
			}
			goes := srv.Dial(t, hubtest.ID("goes"))
			rooms := []string{"alone", "explicit", "shared1", "shared2"}
			for _, room := range rooms {
				goes.Join(room)
			}
			stays.Join("shared1")
			stays.Join("shared2")
			end(goes)
			ev := <-gone
			if left := slices.Sorted(slices.Values(ev.Rooms)); !slices.Equal(left, rooms) {
				t.Errorf("left %v, want %v", left, rooms)
			}
			for room, want := range map[string]int{"explicit": 0, "shared1": 1, "shared2": 1} {
				members, err := srv.SDK().GetRoomMembers(room)
				if err != nil || len(members) != want || slices.Contains(members, "goes") {
					t.Errorf("%s: members %v, %v", room, members, err)
				}
			}
			if n := srv.SDK().GetRoomCount(); n != 3 {
				t.Errorf("%d rooms, want 3", n)
			}
			for _, room := range []string{"explicit", "shared1", "shared2"} {
				if err := srv.SDK().DeleteRoom(room); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRoomsDoNotMix: whoever is in one room hears nothing of the other.
func TestRoomsDoNotMix(t *testing.T) {
	srv := start(t, queryIDs)
	c := dialEach(t, srv, "a", "b", "both")
	c[0].Join("one")
	c[1].Join("two")
	c[2].Join("one")
	c[2].Join("two")
	for i := range 100 {
		c[2].Send("room_message", fields{"room_id": []string{"one", "two"}[i%2], "content": i})
	}
	for i := range 100 {
		got := into[struct{ Content int }](t, c[i%2].Expect("room_message"))
		if got.Content != i {
			t.Fatalf("got %d, want %d", got.Content, i)
		}
	}
	for _, x := range c {
		x.Silent()
	}
}
