package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

func TestAdminRooms(t *testing.T) {
	srv, a := newAdmin(t, server.Options{MaxRooms: 3})
	var r api.Room
	a.want(201, "POST", api.PathRooms, `{"room_id":"b","name":"B","max_clients":1}`, &r)
	if r.ID != "b" || r.Name != "B" || r.MaxClients != 1 || !r.Explicit || r.Members != 0 || time.Since(r.CreatedAt) > time.Minute {
		t.Errorf("got %+v", r)
	}
	a.refused(409, hub.CodeRoomExists, "exists", "POST", api.PathRooms, `{"room_id":"b"}`)
	alice := connect(t, srv, hubtest.ID("alice"))
	alice.Join("b")
	alice.Join("a")
	var got api.Room
	a.want(200, "GET", at(api.PathRoom, "b"), "", &got)
	if got.Members != 1 || !got.CreatedAt.Equal(r.CreatedAt) {
		t.Errorf("got %+v", got)
	}
	a.want(201, "POST", api.PathRooms, `{"room_id":"c"}`, nil)
	a.refused(429, hub.CodeRateLimited, "as many rooms", "POST", api.PathRooms, `{"room_id":"d"}`)

	a.want(204, "DELETE", at(api.PathRoom, "b"), "", nil)
	alice.Expect("room_left")
	a.refused(404, hub.CodeRoomNotFound, "room not found", "DELETE", at(api.PathRoom, "b"), "")
	a.refused(404, hub.CodeRoomNotFound, "room not found", "GET", at(api.PathRoom, "b"), "")

	for body, words := range map[string]string{
		`{}`:                                             "room_id is missing or empty",
		`{"room_id":"a\u0007"}`:                          "room_id holds a control character",
		`{"room_id":"e","name":"a\u0007"}`:               "name holds a control character",
		`{"room_id":"e","max_clients":-1}`:               "max_clients must be 0",
		`{"room_id":"e","max_clients":1.5}`:              "max_clients must be a whole number",
		`{"room_id":"` + strings.Repeat("x", 513) + `"}`: "room_id is longer than 512 bytes",
	} {
		a.refused(400, hub.CodeFormat, words, "POST", api.PathRooms, body)
	}
}

func TestAdminRoomCountsForTheTokensClient(t *testing.T) {
	_, a := newAdmin(t, server.Options{EnableAuth: true, JWTSecretKey: jwtSecret, MaxRoomsCreatedPerClient: 1})
	alice := a.as(token(t, "alice", "create:room"))
	alice.want(201, "POST", api.PathRooms, `{"room_id":"a"}`, nil)
	alice.refused(429, hub.CodeRateLimited, "as many rooms as it may", "POST", api.PathRooms, `{"room_id":"b"}`)
	a.want(201, "POST", api.PathRooms, `{"room_id":"b"}`, nil)
	a.want(201, "POST", api.PathRooms, `{"room_id":"c"}`, nil)
}

func TestAdminListsRooms(t *testing.T) {
	_, a := newAdmin(t, server.Options{EnableAuth: true, JWTSecretKey: jwtSecret})
	for i := range 7 {
		a.want(201, "POST", api.PathRooms, fmt.Sprintf(`{"room_id":"%c.%d"}`, "xy"[i%2], i), nil)
	}
	list := func(a *admin, query string) (page api.RoomList, ids []string) {
		a.want(200, "GET", api.PathRooms+query, "", &page)
		for _, r := range page.Rooms {
			ids = append(ids, r.ID)
		}
		return page, ids
	}
	all := []string{"x.0", "x.2", "x.4", "x.6", "y.1", "y.3", "y.5"}
	if page, ids := list(a, ""); page.Count != 7 || page.Cursor != "" || !slices.Equal(ids, all) {
		t.Errorf("got %+v", page)
	}
	var paged []string
	for query := "?limit=3"; query != ""; {
		page, ids := list(a, query)
		if page.Count != 7 {
			t.Errorf("count %d", page.Count)
		}
		paged = append(paged, ids...)
		query = ""
		if page.Cursor != "" {
			query = "?limit=3&cursor=" + page.Cursor
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("paged: %v", paged)
	}
	if page, ids := list(a.as(token(t, "u", "read:message:y.*")), "?limit=2"); page.Count != 3 || page.Cursor != "y.3" || !slices.Equal(ids, all[4:6]) {
		t.Errorf("by pattern: got %+v", page)
	}
	if page, _ := list(a.as(token(t, "u", "admin:room:none")), ""); page.Count != 0 || page.Rooms == nil {
		t.Errorf("none: got %+v", page)
	}
	a.as(token(t, "u", "read:message:", "join:room")).refused(403, hub.CodeForbidden, "read:message", "GET", api.PathRooms, "")
}

func TestAdminMembers(t *testing.T) {
	srv, a := newAdmin(t, server.Options{})
	a.want(201, "POST", api.PathRooms, `{"room_id":"r","max_clients":3}`, nil)
	clients := map[string]*hubtest.Client{}
	for _, id := range []string{"a", "b", "c", "d"} {
		clients[id] = connect(t, srv, hubtest.ID(id))
		if id != "d" {
			a.want(204, "PUT", at(api.PathMember, "r", id), "", nil)
			clients[id].Expect("room_joined")
		}
	}
	a.want(204, "PUT", at(api.PathMember, "r", "a"), "", nil)
	clients["a"].Silent()
	a.refused(409, hub.CodeRoomFull, "full", "PUT", at(api.PathMember, "r", "d"), "")
	a.refused(404, hub.CodeNoClient, "no such client", "PUT", at(api.PathMember, "r", "nobody"), "")
	a.refused(404, hub.CodeRoomNotFound, "room not found", "PUT", at(api.PathMember, "none", "a"), "")

	var ids []string
	for query := "?limit=2"; query != ""; {
		var page api.Members
		a.want(200, "GET", at(api.PathMembers, "r")+query, "", &page)
		if page.RoomID != "r" || page.Count != 3 || len(page.Members) > 2 {
			t.Errorf("got %+v", page)
		}
		ids = append(ids, page.Members...)
		query = ""
		if page.Cursor != "" {
			query = "?limit=2&cursor=" + page.Cursor
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("got %v", ids)
	}

	a.want(204, "DELETE", at(api.PathMember, "r", "a"), "", nil)
	clients["a"].Expect("room_left")
	a.refused(404, hub.CodeNotInRoom, "not in this room", "DELETE", at(api.PathMember, "r", "a"), "")
	a.refused(404, hub.CodeNoClient, "no such client", "DELETE", at(api.PathMember, "r", "nobody"), "")
	a.refused(404, hub.CodeRoomNotFound, "room not found", "DELETE", at(api.PathMember, "none", "b"), "")
	var empty api.Members
	a.want(201, "POST", api.PathRooms, `{"room_id":"empty"}`, nil)
	a.want(200, "GET", at(api.PathMembers, "empty"), "", &empty)
	if empty.Count != 0 || empty.Members == nil {
		t.Errorf("got %+v", empty)
	}
}

func TestAdminHistory(t *testing.T) {
	_, a := newAdmin(t, server.Options{Rooms: []server.RoomRule{{Pattern: "log", HistorySize: 5}}})
	a.want(201, "POST", api.PathRooms, `{"room_id":"log"}`, nil)
	for i := range 7 {
		a.want(200, "POST", api.PathPublish, fmt.Sprintf(`{"room":"log","content":%d,"sender_id":"s"}`, i), nil)
	}
	var got, positions []string
	for query := "?limit=2"; query != ""; {
		var page api.History
		a.want(200, "GET", at(api.PathHistory, "log")+query, "", &page)
		if page.RoomID != "log" || page.Count != 5 {
			t.Errorf("got %+v", page)
		}
		for _, m := range slices.Backward(page.Messages) {
			got = append(got, string(m.Content))
			positions = append(positions, m.Prev)
			if m.SenderID != "s" || m.Timestamp == 0 || m.Position == "" {
				t.Errorf("got %+v", m)
			}
		}
		query = ""
		if page.Cursor != "" {
			query = "?limit=2&cursor=" + page.Cursor
		}
	}
	if strings.Join(got, "") != "65432" {
		t.Errorf("got %v", got)
	}
	var none api.History
	a.want(201, "POST", api.PathRooms, `{"room_id":"plain"}`, nil)
	a.want(200, "GET", at(api.PathHistory, "plain"), "", &none)
	if none.Messages == nil || none.Count != 0 {
		t.Errorf("got %+v", none)
	}
	a.refused(404, hub.CodeRoomNotFound, "room not found", "GET", at(api.PathHistory, "none"), "")
}

func TestAdminPageParameters(t *testing.T) {
	_, a := newAdmin(t, server.Options{})
	a.want(201, "POST", api.PathRooms, `{"room_id":"r"}`, nil)
	for _, path := range []string{api.PathRooms, at(api.PathMembers, "r"), at(api.PathHistory, "r")} {
		a.want(200, "GET", path+"?limit=1000", "", nil)
		for query, words := range map[string]string{
			"limit=0": "limit must be 1 to 1000", "limit=1001": "limit must be 1 to 1000", "limit=x": "limit must be 1 to 1000",
			"limit=": "limit must be 1 to 1000", "limt=5": `"limt"`, "limit=1&limit=2": `"limit"`, "a;b": "malformed", "cursor=%zz": "malformed",
		} {
			a.refused(400, hub.CodeFormat, words, "GET", path+"?"+query, "")
		}
	}
	for _, cursor := range []string{"x", "-1", "99999999999999999999"} {
		a.refused(400, hub.CodeFormat, "cursor is not one", "GET", at(api.PathMembers, "r")+"?cursor="+cursor, "")
		a.refused(400, hub.CodeFormat, "cursor is not one", "GET", at(api.PathHistory, "r")+"?cursor="+cursor, "")
	}
}

// TestAdminHostileIDs takes ids through every place of a path.
func TestAdminHostileIDs(t *testing.T) {
	srv, a := newAdmin(t, server.Options{Rooms: []server.RoomRule{{Pattern: "*", HistorySize: 1}}})
	for _, id := range []string{
		"a/b", "/", "//", "../x", ".", "..", "*", ">", "%2F", "%", "a b", "+", "a;b", "a?b=c#d", "{id}", "members", "history",
		"日本語", "a\u202eb", `"quoted"`, `back\slash`, "rooms/a/members/b", strings.Repeat("/", 512),
	} {
		t.Run("", func(t *testing.T) {
			a := &admin{t: t, base: a.base, credential: a.credential}
			body := fmt.Sprintf(`{"room_id":%q}`, id)
			created := a.do("POST", api.PathRooms, body)
			location := created.header.Get("Location")
			if created.status != 201 {
				t.Fatalf("%q: %d %s", id, created.status, created.body)
			}
			for _, path := range []string{location, at(api.PathRoom, id)} {
				var r api.Room
				if a.want(200, "GET", path, "", &r); r.ID != id {
					t.Errorf("%q at %s: got %+v", id, path, r)
				}
			}
			client := connect(t, srv, hubtest.ID(id))
			var c api.Client
			if a.want(200, "GET", at(api.PathClient, id), "", &c); c.ID != id {
				t.Errorf("%q: got %+v", id, c)
			}
			a.want(204, "POST", at(api.PathSend, id), `{"content":1}`, nil)
			client.Expect("direct_message")
			a.want(204, "PUT", at(api.PathMember, id, id), "", nil)
			client.Expect("room_joined")
			var m api.Members
			if a.want(200, "GET", at(api.PathMembers, id), "", &m); m.RoomID != id || !slices.Equal(m.Members, []string{id}) {
				t.Errorf("%q: got %+v", id, m)
			}
			a.want(200, "GET", at(api.PathHistory, id), "", nil)
			a.want(204, "DELETE", at(api.PathMember, id, id), "", nil)
			client.Expect("room_left")
			a.want(204, "POST", at(api.PathDisconnect, id), "", nil)
			client.ExpectClose()
			a.want(204, "DELETE", at(api.PathRoom, id), "", nil)
		})
	}
	// What can be no name is nobody's.
	for _, id := range []string{"\x00", "\xff\xfe", "a\nb", strings.Repeat("x", 513)} {
		a.refused(404, hub.CodeRoomNotFound, "", "GET", at(api.PathRoom, id), "")
		a.refused(404, hub.CodeNoClient, "", "GET", at(api.PathClient, id), "")
		a.refused(404, hub.CodeRoomNotFound, "", "PUT", at(api.PathMember, id, id), "")
	}
}
