package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// The size of TestEverythingAtOnce.
const (
	manyClients = 6 // c0, c1...
	manyRooms   = 4 // r0, r1...
	manySteps   = 150
)

// manyOptions has rooms of each kind, and room for little more than those.
var manyOptions = server.Options{
	EnableQueryClientID: true, MaxRooms: manyRooms + 1, RateLimit: server.RateLimit{MessagesPerSecond: -1}, SendQueueBytes: -1,
	Rooms: []server.RoomRule{{Pattern: "r0", MaxClients: 3}, {Pattern: "r1", Presence: true}, {Pattern: "r2", HistorySize: 3, HistoryTTL: time.Millisecond}},
}

func pick(prefix string, n int) string { return prefix + fmt.Sprint(rand.IntN(n)) }

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// doAnything has a client send anything.
func doAnything(c *hubtest.Client) {
	room := pick("r", manyRooms)
	switch rand.IntN(12) {
	case 0, 1, 2, 3:
		c.Send("join_room", fields{"room_id": room, "since": "x"})
	case 4, 5:
		c.Send("leave_room", fields{"room_id": room})
	case 6:
		c.Send("create_room", fields{"room_id": room, "max_clients": 4, "name": "created"})
	case 7:
		c.Send("delete_room", fields{"room_id": room})
	case 8:
		c.Send("room_members", fields{"room_id": room})
	default:
		c.Send("room_message", fields{"room_id": room, "content": 1, "idempotency_key": pick("k", 3)})
	}
}

// callAnything calls anything of the SDK.
func callAnything(t *testing.T, s *sdk.SDK) {
	room, client := pick("r", manyRooms), pick("c", manyClients)
	var err error
	switch rand.IntN(7) {
	case 0:
		err = s.CreateRoom(room, "", rand.IntN(3))
	case 1:
		err = s.DeleteRoom(room)
	case 2:
		err = s.JoinRoom(room, client)
	case 3:
		err = s.LeaveRoom(room, client)
	case 4:
		err = s.BroadcastToRoom(room, []byte(`{"message_type":"room_message","data":{}}`), client)
	case 5:
		_, err = s.GetRoomMembers(room)
	default:
		_ = s.ListRooms()
	}
	if e, ok := asHubError(err); err != nil && (!ok || e.Code == hub.CodeServer) {
		t.Errorf("error %v", err)
	}
}

// follow takes what c gets up to the answer to a ping, and returns the rooms it
// is in then, where it was in those of in before.
func follow(t *testing.T, c *hubtest.Client, id string, in []string) []string {
	t.Helper()
	c.Send("ping", fields{"ts": 1})
	for m := c.Next(); m.Type != "pong"; m = c.Next() {
		room := into[struct {
			RoomID string `json:"room_id"`
		}](t, m).RoomID
		at := slices.Index(in, room)
		switch m.Type {
		case "room_joined":
			if at >= 0 {
				t.Fatalf("%s joined %s twice", id, room)
			}
			in = append(in, room)
		case "room_left":
			if at < 0 {
				t.Fatalf("%s left %s without having joined", id, room)
			}
			in = slices.Delete(in, at, at+1)
		case "room_message", "member_joined", "member_left":
			if room != "" && at < 0 {
				t.Fatalf("%s is not in %s and got %s %s", id, room, m.Type, m.Data)
			}
		}
		if m.ErrorCode() == hub.CodeServer {
			t.Errorf("%s", m.Data)
		}
	}
	return in
}

// TestNoGhostMembers: nobody gets into a room that is being deleted, and stays.
func TestNoGhostMembers(t *testing.T) {
	const rounds = 1500
	srv := start(t, queryIDs)
	ids := []string{"a", "b", "c"}
	conns := dialEach(t, srv, ids...)
	for range rounds {
		if err := srv.SDK().CreateRoom("room", "", 0); err != nil {
			t.Fatal(err)
		}
		var acting sync.WaitGroup
		begin := make(chan struct{})
		for _, id := range ids {
			acting.Go(func() {
				<-begin
				if err := srv.SDK().JoinRoom("room", id); err != nil {
					wantCode(t, "join", err, hub.CodeRoomNotFound)
				}
			})
		}
		acting.Go(func() {
			<-begin
			if err := srv.SDK().DeleteRoom("room"); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		acting.Wait()
		for _, id := range ids {
			if c, err := srv.SDK().GetClient(id); err != nil || len(c.Rooms()) > 0 {
				t.Fatalf("%s is in %v (%v)", id, c.Rooms(), err)
			}
		}
	}
	for i, c := range conns {
		if in := follow(t, c, ids[i], nil); len(in) > 0 {
			t.Errorf("%s believes to be in %v", ids[i], in)
		}
	}
}

// TestEverythingAtOnce has clients and the SDK do everything to the same few
// rooms at the same time. In the end every room's members are the clients that
// believe to be in it, and limits count only what is there.
func TestEverythingAtOnce(t *testing.T) {
	var balance sync.Map // rooms created less those deleted, by id
	count := func(by int) func(context.Context, sdk.Event) error {
		return func(_ context.Context, ev sdk.Event) error {
			for {
				n, _ := balance.LoadOrStore(ev.RoomID, 0)
				if balance.CompareAndSwap(ev.RoomID, n, n.(int)+by) {
					return nil
				}
			}
		}
	}
	srv := start(t, manyOptions, func(s *server.Server) {
		s.On(sdk.EventRoomCreated, count(1))
		s.On(sdk.EventRoomDeleted, count(-1))
	})
	var busy sync.WaitGroup
	var clients []*hubtest.Client
	for i := range manyClients {
		c := srv.Dial(t, hubtest.ID(fmt.Sprint("c", i)), hubtest.Subprotocols([]string{"gohub.v1", "other"}[i%2]))
		clients = append(clients, c)
		busy.Go(func() {
			for range manySteps {
				doAnything(c)
			}
		})
	}
	for range 2 {
		busy.Go(func() {
			for range manySteps {
				callAnything(t, srv.SDK())
			}
		})
	}
	busy.Wait()
	wantConsistent(t, srv, clients)
	wantNothingCounted(t, srv, clients)
	if err := srv.Shutdown(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	balance.Range(func(room, n any) bool {
		if n != 0 {
			t.Errorf("%s was created %d times more than deleted", room, n)
		}
		return true
	})
}

// wantConsistent compares what the clients were told, what they are in, and
// what the rooms say.
func wantConsistent(t *testing.T, srv *hubtest.Server, clients []*hubtest.Client) {
	t.Helper()
	told := make([][]string, len(clients))
	for range 2 { // after the first time everything has been handled, the second hears of it
		for i, c := range clients {
			told[i] = follow(t, c, fmt.Sprint("c", i), told[i])
		}
	}
	members := map[string][]string{} // by client
	for _, r := range srv.SDK().ListRooms() {
		ids, err := srv.SDK().GetRoomMembers(r.ID)
		if err != nil && r.ID == "r2" {
			continue // its history has just expired
		}
		if err != nil || len(ids) != r.Members || r.MaxClients > 0 && r.Members > r.MaxClients || r.ID == "r0" && r.Members > 3 {
			t.Errorf("%+v: members %v, %v", r, ids, err)
		}
		if len(ids) == 0 && !r.Explicit && r.Name != "created" && r.ID != "r2" {
			t.Errorf("%+v is empty and still there", r)
		}
		for _, id := range ids {
			members[id] = append(members[id], r.ID)
		}
	}
	for i := range clients {
		id := fmt.Sprint("c", i)
		client, err := srv.SDK().GetClient(id)
		if err != nil {
			t.Fatal(err)
		}
		in, own, listed := sorted(told[i]), sorted(client.Rooms()), sorted(members[id])
		if !slices.Equal(in, own) || !slices.Equal(in, listed) {
			t.Errorf("%s was told it is in %v, is in %v, and a member of %v", id, in, own, listed)
		}
	}
}

// wantNothingCounted ends the clients and the rooms, after which a client may
// make as many rooms as at the beginning.
func wantNothingCounted(t *testing.T, srv *hubtest.Server, clients []*hubtest.Client) {
	t.Helper()
	clear := func() {
		for _, r := range srv.SDK().ListRooms() {
			_ = srv.SDK().DeleteRoom(r.ID) // one kept for its history may go meanwhile
		}
		eventually(t, "no room", func() bool { return srv.SDK().GetRoomCount() == 0 })
	}
	clear()
	for i, c := range clients {
		c.Drop()
		wantClients(t, srv, len(clients)-1-i)
	}
	c := srv.Dial(t, hubtest.ID("c0"))
	if n := rooms(t, c, "create_room", manyRooms+2, hub.CodeRateLimited); n != manyRooms+1 {
		t.Errorf("%d rooms can be made, want %d", n, manyRooms+1)
	}
	clear()
	c.Close()
}
