package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// dialKnown connects a plain client, and waits until the hub knows it: that is
// a moment after the handshake.
func dialKnown(t *testing.T, srv *hubtest.Server, id string) *hubtest.Client {
	t.Helper()
	c := srv.Dial(t, hubtest.ID(id))
	c.Silent()
	return c
}

// dialEach connects a client for each id.
func dialEach(t *testing.T, srv *hubtest.Server, ids ...string) []*hubtest.Client {
	t.Helper()
	clients := make([]*hubtest.Client, len(ids))
	for i, id := range ids {
		clients[i] = dialKnown(t, srv, id)
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

func TestExplicitAndImplicitRooms(t *testing.T) {
	srv := start(t, queryIDs)
	c := srv.Dial(t)
	if m := c.Request("create_room", fields{"room_id": "made", "name": "Made", "max_clients": 5}); m.Type != "room_created" {
		t.Fatalf("create_room: %s %s", m.Type, m.Data)
	}
	for _, room := range []string{"made", "joined"} {
		c.Join(room)
		got, err := srv.SDK().GetRoom(room)
		if err != nil || got.Members != 1 || got.Explicit != (room == "made") || got.CreatedAt.IsZero() {
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

// witness follows what one client gets of rooms and complains where it is not
// what a member is promised.
type witness struct {
	t    *testing.T
	name string
	in   map[string]bool
	last map[string]int // by room and publisher: the number of the last message heard
}

func newWitness(t *testing.T, name string) *witness {
	return &witness{t: t, name: name, in: map[string]bool{}, last: map[string]int{}}
}

// publication is a message of the storm.
type publication struct {
	RoomID   string `json:"room_id"`
	SenderID string `json:"sender_id"`
	Content  int
}

// take takes a message and tells its type and, for a room_message, what it is.
func (w *witness) take(m hubtest.Message) (string, publication) {
	w.t.Helper()
	p := into[publication](w.t, m)
	switch m.Type {
	case "room_joined":
		w.in[p.RoomID] = true
	case "room_left":
		w.in[p.RoomID] = false
		for key := range w.last {
			if room, _ := splitKey(key); room == p.RoomID {
				delete(w.last, key)
			}
		}
	case "room_message":
		key := p.RoomID + "/" + p.SenderID
		last, heard := w.last[key]
		switch {
		case !w.in[p.RoomID]:
			w.t.Fatalf("%s is not in %s and got %+v", w.name, p.RoomID, p)
		case p.SenderID == w.name:
			w.t.Fatalf("%s hears itself: %+v", w.name, p)
		case heard && p.Content != last+1:
			w.t.Fatalf("%s: %d came after %d of %s", w.name, p.Content, last, key)
		}
		w.last[key] = p.Content
	default:
		w.t.Fatalf("%s got %s %s", w.name, m.Type, m.Data)
	}
	return m.Type, p
}

func splitKey(key string) (room, sender string) {
	i := slices.Index([]byte(key), '/')
	return key[:i], key[i+1:]
}

// storm is several members that publish to two rooms at the same time.
type storm struct {
	t       *testing.T
	rooms   []string
	clients []*hubtest.Client
	names   []string
	started []atomic.Int64 // by publisher: the number of the last message that may be on its way
	bursts  []chan int
	done    sync.WaitGroup
}

func newStorm(t *testing.T, srv *hubtest.Server, rooms []string, publishers int) *storm {
	s := &storm{t: t, rooms: rooms, started: make([]atomic.Int64, publishers)}
	for i := range publishers {
		name := fmt.Sprint("p", i)
		c := srv.Dial(t, hubtest.ID(name))
		for _, room := range rooms {
			c.Join(room)
		}
		s.clients, s.names = append(s.clients, c), append(s.names, name)
	}
	for i := range publishers {
		bursts := make(chan int, 100)
		s.bursts = append(s.bursts, bursts)
		s.done.Go(func() {
			n := 0
			for count := range bursts {
				for range count {
					n++
					s.started[i].Store(int64(n))
					s.publish(i, n)
				}
			}
		})
	}
	return s
}

func (s *storm) publish(i, n int) {
	for _, room := range s.rooms {
		text, _ := json.Marshal(fields{"message_type": "room_message", "data": fields{"room_id": room, "content": n}})
		if err := s.clients[i].Conn().WriteMessage(websocket.TextMessage, text); err != nil {
			s.t.Errorf("publish: %v", err)
		}
	}
}

// burst has every publisher publish count messages more; it does not wait.
func (s *storm) burst(count int) {
	for _, b := range s.bursts {
		b <- count
	}
}

// end waits until everything has been sent; it returns how much each sent.
func (s *storm) end() int {
	for _, b := range s.bursts {
		close(b)
	}
	s.done.Wait()
	return int(s.started[0].Load())
}

// hear takes messages until all of the storm have been heard.
func (s *storm) hear(w *witness, next func() hubtest.Message, total int) {
	s.t.Helper()
	want := len(s.rooms) * len(s.names)
	if slices.Contains(s.names, w.name) {
		want -= len(s.rooms)
	}
	for complete := 0; complete < want; {
		if _, p := w.take(next()); p.Content == total {
			complete++
		}
	}
}

// TestStorm has members publish to two rooms while others join and leave, and
// one does not read until it is over.
func TestStorm(t *testing.T) {
	const publishers, rounds, burst = 4, 25, 8
	rooms := []string{"one", "two"}
	srv := start(t, server.Options{EnableQueryClientID: true, SendQueueBytes: -1, RateLimit: server.RateLimit{MessagesPerSecond: -1}})
	slow, _, err := websocket.DefaultDialer.Dial(srv.URL("ws")+"/ws?client_id=slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	for _, room := range rooms {
		if err := slow.WriteJSON(fields{"message_type": "join_room", "data": fields{"room_id": room}}); err != nil {
			t.Fatal(err)
		}
	}
	slowWitness := newWitness(t, "slow")
	read := func() (m hubtest.Message) {
		if err := slow.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for range rooms {
		slowWitness.take(read())
	}
	s := newStorm(t, srv, rooms, publishers)
	passing := dialEach(t, srv, "x0", "x1", "x2")
	witnesses := make([]*witness, len(passing))
	for i := range passing {
		witnesses[i] = newWitness(t, fmt.Sprint("x", i))
	}
	heard := 0
	for range rounds {
		for i, c := range passing {
			s.burst(burst)
			c.Send("join_room", fields{"room_id": rooms[i%2]})
			if kind, _ := witnesses[i].take(c.Next()); kind != "room_joined" {
				t.Fatalf("%s before room_joined", kind)
			}
			begun := make([]int, publishers)
			for p := range begun {
				begun[p] = int(s.started[p].Load())
			}
			s.burst(burst)
			c.Send("leave_room", fields{"room_id": rooms[i%2]})
			first := map[string]bool{}
			for {
				kind, p := witnesses[i].take(c.Next())
				if kind == "room_left" {
					break
				}
				heard++
				sender := slices.Index(s.names, p.SenderID)
				if !first[p.SenderID] && p.Content > begun[sender]+1 {
					t.Fatalf("x%d had joined when %s began with %d, and heard %d first", i, p.SenderID, begun[sender], p.Content)
				}
				first[p.SenderID] = true
			}
		}
	}
	total := s.end()
	if want := 2 * rounds * burst * len(passing); total != want || heard == 0 {
		t.Fatalf("each published %d of %d, those passing by heard %d", total, want, heard)
	}
	for i, c := range s.clients {
		w := newWitness(t, s.names[i])
		w.in["one"], w.in["two"] = true, true
		s.hear(w, c.Next, total)
		c.Silent()
	}
	s.hear(slowWitness, read, total)
	for _, c := range passing {
		c.Silent()
	}
}
