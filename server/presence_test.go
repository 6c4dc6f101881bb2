package server_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// TestPresence: comings and goings are gathered into few notices that name
// everybody, in rooms whose rule says so.
func TestPresence(t *testing.T) {
	opts := queryIDs
	opts.Rooms = []server.RoomRule{{Pattern: "seen", Presence: true}}
	srv := start(t, opts)
	watcher := srv.Dial(t, hubtest.ID("watcher"), hubtest.Subprotocols("gohub.v1"))
	watcher.Expect("connected")
	plain := srv.Dial(t, hubtest.ID("plain"))
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i)
	}
	dialEach(t, srv, ids...)
	plain.Join("seen")
	watcher.Join("seen")
	type notice struct {
		RoomID         string   `json:"room_id"`
		ClientIDs      []string `json:"client_ids"`
		Count, Members int
	}
	gather := func(messageType string, n int) (who []string, notices int, last notice) {
		for len(who) < n {
			last = into[notice](t, watcher.Expect(messageType))
			if last.RoomID != "seen" || last.Count != len(last.ClientIDs) {
				t.Fatalf("%s: %+v", messageType, last)
			}
			who = append(who, last.ClientIDs...)
			notices++
		}
		slices.Sort(who)
		return who, notices, last
	}
	if who, _, _ := gather("member_joined", 2); !slices.Equal(who, []string{"plain", "watcher"}) {
		t.Errorf("joined: %v", who)
	}
	for _, id := range ids {
		if err := srv.SDK().JoinRoom("seen", id); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Sorted(slices.Values(ids))
	who, n, last := gather("member_joined", len(ids))
	if !slices.Equal(who, want) || n > len(ids)/2 || last.Members != 42 {
		t.Errorf("%d notices for %d joins, the last one %+v; joined %v", n, len(ids), last, who)
	}
	for _, id := range ids {
		if err := srv.SDK().LeaveRoom("seen", id); err != nil {
			t.Fatal(err)
		}
	}
	who, n, last = gather("member_left", len(ids))
	if !slices.Equal(who, want) || n > len(ids)/2 || last.Members != 2 {
		t.Errorf("%d notices for %d leaves, the last one %+v; left %v", n, len(ids), last, who)
	}
	plain.Join("unseen")
	watcher.Join("unseen")
	plain.Drop()
	if who, _, last := gather("member_left", 1); who[0] != "plain" || last.Members != 1 {
		t.Errorf("a lost connection: %v %+v", who, last)
	}
	watcher.Silent()
}

// TestPresenceInLargeRooms: with more than 1,000 members nobody is named.
func TestPresenceInLargeRooms(t *testing.T) {
	opts := server.Options{EnableQueryClientID: true, Rooms: []server.RoomRule{{Pattern: "seen", Presence: true}}}
	srv := start(t, opts)
	watcher := srv.Dial(t, hubtest.ID("watcher"), hubtest.Subprotocols("gohub.v1"))
	watcher.Expect("connected")
	watcher.Join("seen")
	wantMessage(t, watcher.NextFrame(), "member_joined", `{"room_id":"seen","client_ids":["watcher"],"count":1,"members":1}`, 0)
	const others = 1000
	for range others {
		upgradeBare(t, srv).join("seen")
	}
	type notice struct {
		ClientIDs      []string `json:"client_ids"`
		Count, Members int
	}
	for joined := 0; joined < others; {
		n := into[notice](t, watcher.Expect("member_joined"))
		joined += n.Count
		if named := n.ClientIDs != nil; named != (n.Members <= 1000) || named && len(n.ClientIDs) != n.Count || n.Members != joined+1 {
			t.Fatalf("after %d joined: %+v", joined, n)
		}
	}
	last := srv.Dial(t, hubtest.ID("last"))
	last.Join("seen")
	wantMessage(t, watcher.NextFrame(), "member_joined", `{"room_id":"seen","count":1,"members":1002}`, 0)
	last.Request("leave_room", fields{"room_id": "seen"})
	wantMessage(t, watcher.NextFrame(), "member_left", `{"room_id":"seen","count":1,"members":1001}`, 0)
	watcher.Silent()
}
