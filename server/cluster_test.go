package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// plainBus hides that a bus keeps histories, so that the nodes keep them.
type plainBus struct{ bus.Bus }

// cluster is hubs on one broker.
type testCluster struct {
	broker *memory.Broker
	nodes  []*hubtest.Server
}

// startCluster starts n hubs with the same options, on a broker that keeps
// histories if log is true.
func startCluster(t *testing.T, n int, log bool, opts server.Options) *testCluster {
	t.Helper()
	c := &testCluster{broker: memory.NewBroker()}
	opts.EnableCluster, opts.APIKey, opts.EnableQueryClientID = true, testKey, true
	opts.OpenBus = func(o bus.Options) (bus.Bus, error) {
		b, err := c.broker.Connect(o)
		if err == nil && !log {
			return plainBus{b}, nil
		}
		return b, err
	}
	for i := range n {
		opts.NodeID = fmt.Sprint("hub-", i)
		c.nodes = append(c.nodes, start(t, opts))
	}
	eventually(t, "the hubs know each other", func() bool {
		for _, x := range c.nodes {
			stats := x.SDK().ClusterStats()
			if len(stats.Nodes) != n || slices.ContainsFunc(stats.Nodes, func(n sdk.Node) bool { return !n.Ready }) {
				return false
			}
		}
		return true
	})
	return c
}

const testKey = "an API key of more than 32 bytes, for tests"

// withLogs runs f with histories kept by the broker and by the nodes.
func withLogs(t *testing.T, f func(t *testing.T, log bool)) {
	for _, log := range []bool{true, false} {
		t.Run(fmt.Sprint("log=", log), func(t *testing.T) { f(t, log) })
	}
}

func TestClusterChat(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{})
	a := c.nodes[0].Dial(t, hubtest.ID("a"))
	b := c.nodes[1].Dial(t, hubtest.ID("b"))
	for _, room := range []string{"lobby", ">", "a.*.b", "名 前"} {
		a.Join(room)
		b.Join(room)
		if got := a.Request("room_message", map[string]any{"room_id": room, "content": "hi"}); got.Type != "room_message_sent" {
			t.Fatalf("%q: %s %s", room, got.Type, got.Data)
		}
		got := b.Expect("room_message")
		var m struct {
			Content  string `json:"content"`
			SenderID string `json:"sender_id"`
			RoomID   string `json:"room_id"`
		}
		if err := json.Unmarshal(got.Data, &m); err != nil || m.Content != "hi" || m.SenderID != "a" || m.RoomID != room {
			t.Errorf("%q: %s", room, got.Data)
		}
	}
	a.Silent()
	// Whoever is asked, it is one room.
	for _, x := range c.nodes {
		ids, err := x.SDK().GetRoomMembers("lobby")
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, []string{"a", "b"}) {
			t.Errorf("%s: members %v, %v", x.Node(), ids, err)
		}
		r, err := x.SDK().GetRoom("lobby")
		if err != nil || r.Members != 2 {
			t.Errorf("%s: %+v, %v", x.Node(), r, err)
		}
		if n := len(x.SDK().ListRooms()); n != 4 {
			t.Errorf("%s: %d rooms", x.Node(), n)
		}
	}
	if err := c.nodes[2].SDK().BroadcastToRoom("lobby", []byte("from outside"), "a"); err != nil {
		t.Fatal(err)
	}
	if f := b.NextFrame(); string(f.Data) != "from outside" {
		t.Errorf("got %q", f.Data)
	}
	a.Silent()
	if err := c.nodes[2].SDK().BroadcastAll([]byte("all")); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*hubtest.Client{a, b} {
		if f := x.NextFrame(); string(f.Data) != "all" {
			t.Errorf("got %q", f.Data)
		}
	}
}

func TestClusterClients(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{})
	a := c.nodes[0].Dial(t, hubtest.ID("a"))
	b := c.nodes[1].Dial(t, hubtest.ID("b"))
	far := c.nodes[2].SDK()
	for range 2 { // asked of all, then remembered
		if got := a.Request("direct_message", map[string]any{"target_id": "b", "content": 1}); got.Type != "direct_message_sent" {
			t.Fatalf("%s %s", got.Type, got.Data)
		}
		b.Expect("direct_message")
	}
	if got := a.Request("direct_message", map[string]any{"target_id": "nobody", "content": 1}); got.ErrorCode() != hub.CodeNoClient {
		t.Errorf("to nobody: %s", got.Data)
	}
	if err := far.SendToClient("b", []byte("hello")); err != nil {
		t.Error(err)
	}
	if f := b.NextFrame(); string(f.Data) != "hello" {
		t.Errorf("got %q", f.Data)
	}
	if err := far.JoinRoom("none", "b"); !errors.Is(err, &hub.Error{Code: hub.CodeRoomNotFound}) {
		t.Errorf("join a room that is not there: %v", err)
	}
	if err := far.CreateRoom("r", "Room", 0); err != nil {
		t.Fatal(err)
	}
	if err := far.JoinRoom("r", "b"); err != nil {
		t.Error(err)
	}
	b.Expect("room_joined")
	if err := far.LeaveRoom("r", "b"); err != nil {
		t.Error(err)
	}
	b.Expect("room_left")
	// A client that moves is found where it is.
	b.Close()
	eventually(t, "the client is gone", func() bool { return c.nodes[1].SDK().GetClientCount() == 0 })
	b = c.nodes[2].Dial(t, hubtest.ID("b"))
	if got := a.Request("direct_message", map[string]any{"target_id": "b", "content": 2}); got.Type != "direct_message_sent" {
		t.Errorf("%s %s", got.Type, got.Data)
	}
	b.Expect("direct_message")
	if err := c.nodes[0].SDK().DisconnectClient("b", 4003, "out"); err != nil {
		t.Error(err)
	}
	if code, reason := b.ExpectClose(); code != 4003 || reason != "out" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if err := far.DisconnectClient("b", 4003, "out"); !errors.Is(err, &hub.Error{Code: hub.CodeNoClient}) {
		t.Errorf("disconnect nobody: %v", err)
	}
}

func TestClusterRequest(t *testing.T) {
	c := startCluster(t, 2, true, server.Options{})
	b := c.nodes[1].Dial(t, hubtest.ID("b"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err := c.nodes[0].SDK().Request(context.Background(), "b", "question", map[string]int{"n": 1})
		if err != nil || string(answer) != `"yes"` {
			t.Errorf("answer %s, %v", answer, err)
		}
	}()
	q := b.Expect("question")
	b.SendFrame(hub.Text(fmt.Appendf(nil, `{"message_type":"answer","data":"yes","request_id":%d}`, q.MessageID)))
	<-done
}

func TestClusterRoomsAreOne(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{})
	a := c.nodes[0].Dial(t)
	if got := a.Request("create_room", map[string]any{"room_id": "r", "name": "N", "max_clients": 2}); got.Type != "room_created" {
		t.Fatalf("%s", got.Data)
	}
	b := c.nodes[1].Dial(t)
	if got := b.Request("create_room", map[string]any{"room_id": "r"}); got.ErrorCode() != hub.CodeRoomExists {
		t.Errorf("created twice: %s", got.Data)
	}
	a.Join("r")
	b.Join("r")
	d := c.nodes[2].Dial(t)
	if got := d.Request("join_room", map[string]any{"room_id": "r"}); got.ErrorCode() != hub.CodeRoomFull {
		t.Errorf("joined a full room: %s", got.Data)
	}
	a.Request("leave_room", map[string]any{"room_id": "r"})
	eventually(t, "the seat is free", func() bool {
		return d.Request("join_room", map[string]any{"room_id": "r"}).Type == "room_joined"
	})
	if got := d.Request("delete_room", map[string]any{"room_id": "r"}); got.Type == "room_left" {
		d.Expect("room_deleted")
	}
	b.Expect("room_left")
	for _, x := range c.nodes {
		if _, err := x.SDK().GetRoom("r"); !errors.Is(err, &hub.Error{Code: hub.CodeRoomNotFound}) {
			t.Errorf("%s: the room is there: %v", x.Node(), err)
		}
	}
	if got := b.Request("leave_room", map[string]any{"room_id": "r"}); got.ErrorCode() != hub.CodeRoomNotFound {
		t.Errorf("left a deleted room: %s", got.Data)
	}
}

func TestClusterMembersPages(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{})
	want := make(map[string]bool)
	var last *hubtest.Client
	for i := range 30 {
		id := fmt.Sprint("client-", i)
		want[id] = true
		last = c.nodes[i%3].Dial(t, hubtest.ID(id))
		last.Join("r")
	}
	cursor := ""
	for range 30 {
		data := map[string]any{"room_id": "r", "limit": 7}
		if cursor != "" {
			data["cursor"] = cursor
		}
		var page struct {
			Members []string `json:"members"`
			Count   int      `json:"count"`
			Cursor  string   `json:"cursor"`
		}
		got := last.Request("room_members", data)
		if err := json.Unmarshal(got.Data, &page); err != nil || page.Count != 30 || len(page.Members) > 7 {
			t.Fatalf("%s: %s", got.Type, got.Data)
		}
		for _, id := range page.Members {
			if !want[id] {
				t.Errorf("%s is there twice, or not a member", id)
			}
			delete(want, id)
		}
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestClusterHistory(t *testing.T) {
	withLogs(t, func(t *testing.T, log bool) {
		c := startCluster(t, 3, log, server.Options{Rooms: []server.RoomRule{{Pattern: "*", HistorySize: 100, Create: true}}})
		a := c.nodes[0].Dial(t, hubtest.ID("a"))
		b := c.nodes[1].Dial(t, hubtest.ID("b"))
		a.Join("r")
		b.Join("r")
		type message struct{ Content, Position, Prev string }
		say := func(text string) string {
			t.Helper()
			var sent struct{ Position string }
			got := a.Request("room_message", map[string]any{"room_id": "r", "content": text})
			if err := json.Unmarshal(got.Data, &sent); err != nil || sent.Position == "" {
				t.Fatalf("%s: %s", got.Type, got.Data)
			}
			return sent.Position
		}
		hear := func(c *hubtest.Client, text, position, prev string) {
			t.Helper()
			var m message
			got := c.Expect("room_message")
			if err := json.Unmarshal(got.Data, &m); err != nil || m.Content != text || m.Position != position || prev != "" && m.Prev != prev {
				t.Fatalf("%s, want %q at %s behind %s", got.Data, text, position, prev)
			}
		}
		first := say("1")
		second := say("2")
		hear(b, "1", first, "")
		hear(b, "2", second, first)
		b.Drop()
		third := say("3")
		// On a node that has not had the room.
		b = c.nodes[2].Dial(t, hubtest.ID("b"))
		got := b.Request("join_room", map[string]any{"room_id": "r", "since": second})
		var j struct {
			Recovered bool
			Position  string
		}
		if err := json.Unmarshal(got.Data, &j); err != nil || !j.Recovered || j.Position != third {
			t.Errorf("joined: %s, want recovered at %s", got.Data, third)
		}
		hear(b, "3", third, second)
		fourth := say("4")
		hear(b, "4", fourth, third)
		a.Silent()
		for _, x := range c.nodes {
			list, err := x.SDK().GetRoomHistory("r", 10)
			if err != nil || len(list) != 4 || string(list[3].Content) != `"4"` {
				t.Errorf("%s: history %v, %v", x.Node(), list, err)
			}
		}
		d := c.nodes[1].Dial(t)
		if got := d.Request("join_room", map[string]any{"room_id": "r", "since": "another:3"}); json.Unmarshal(got.Data, &j) != nil || j.Recovered {
			t.Errorf("another epoch: %s", got.Data)
		}
		receipt, err := c.nodes[2].SDK().Publish(sdk.Publication{Room: "r", Content: json.RawMessage(`"5"`), IdempotencyKey: "k"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.nodes[0].SDK().Publish(sdk.Publication{Room: "r", Content: json.RawMessage(`"5"`), IdempotencyKey: "k"})
		if err != nil || again.Position != receipt.Position {
			t.Errorf("the same key on another node: %+v and %+v, %v", receipt, again, err)
		}
		hear(a, "5", receipt.Position, fourth)
		a.Silent()
	})
}

func TestClusterDuplicates(t *testing.T) {
	t.Run("replace", func(t *testing.T) {
		c := startCluster(t, 2, true, server.Options{})
		old := c.nodes[0].Dial(t, hubtest.ID("same"))
		c.nodes[1].Dial(t, hubtest.ID("same"))
		if code, _ := old.ExpectClose(); code != hub.CloseReplaced {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("reject", func(t *testing.T) {
		c := startCluster(t, 2, true, server.Options{DuplicateID: server.DuplicateReject})
		old := c.nodes[0].Dial(t, hubtest.ID("same"))
		if _, response, err := c.nodes[1].TryDial(t, hubtest.ID("same")); err == nil || response.StatusCode != http.StatusConflict {
			t.Errorf("a second one: %v", err)
		}
		old.Request("ping", nil)
	})
	t.Run("allow", func(t *testing.T) {
		c := startCluster(t, 2, true, server.Options{DuplicateID: server.DuplicateAllow})
		one := c.nodes[0].Dial(t, hubtest.ID("same"))
		two := c.nodes[1].Dial(t, hubtest.ID("same"))
		if err := c.nodes[0].SDK().SendToClient("same", []byte("x")); err != nil {
			t.Fatal(err)
		}
		one.NextFrame()
		two.NextFrame()
	})
}

func TestClusterPresence(t *testing.T) {
	c := startCluster(t, 2, true, server.Options{Rooms: []server.RoomRule{{Pattern: "*", Presence: true, Create: true}}})
	a := c.nodes[0].Dial(t, hubtest.ID("a"), hubtest.Subprotocols("gohub.v1"))
	a.Expect("connected")
	a.Join("r")
	notice := func(c *hubtest.Client, messageType string) (ids []string, members int) {
		t.Helper()
		var data struct {
			ClientIDs []string `json:"client_ids"`
			Members   int      `json:"members"`
		}
		got := c.Expect(messageType)
		if err := json.Unmarshal(got.Data, &data); err != nil {
			t.Fatal(err)
		}
		return data.ClientIDs, data.Members
	}
	notice(a, "member_joined") // itself
	b := c.nodes[1].Dial(t, hubtest.ID("b"), hubtest.Subprotocols("gohub.v1"))
	b.Expect("connected")
	b.Join("r")
	if ids, members := notice(a, "member_joined"); !slices.Equal(ids, []string{"b"}) || members != 2 {
		t.Errorf("a hears that %v joined, %d are there", ids, members)
	}
	notice(b, "member_joined")
	a2 := c.nodes[0].Dial(t, hubtest.ID("a2"))
	a2.Join("r")
	if ids, members := notice(b, "member_joined"); !slices.Equal(ids, []string{"a2"}) || members != 3 {
		t.Errorf("b hears that %v joined, %d are there", ids, members)
	}
	notice(a, "member_joined")
	b.Drop()
	if ids, members := notice(a, "member_left"); !slices.Equal(ids, []string{"b"}) || members != 2 {
		t.Errorf("a hears that %v left, %d are there", ids, members)
	}
}

func TestClusterNodes(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{})
	c.nodes[1].Dial(t).Join("r")
	eventually(t, "the connection is told", func() bool { return c.nodes[0].SDK().ClusterStats().Connections == 1 })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.nodes[0].URL("http")+api.PathNodes, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testKey)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list api.NodeList
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil || list.Count != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, n := range list.Nodes {
		if n.ID != fmt.Sprint("hub-", i) || n.Address == "" || n.Version == "" || !n.Ready || n.Silent || n.Draining {
			t.Errorf("node %+v", n)
		}
	}
	if list.Nodes[1].Connections != 1 || list.Nodes[1].Rooms != 1 {
		t.Errorf("node with a client: %+v", list.Nodes[1])
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestClusterOutage(t *testing.T) {
	c := startCluster(t, 2, true, server.Options{Rooms: []server.RoomRule{{Pattern: "h.*", HistorySize: 10, Create: true}}})
	a := c.nodes[0].Dial(t, hubtest.ID("a"), hubtest.Subprotocols("gohub.v1"))
	a2 := c.nodes[0].Dial(t, hubtest.ID("a2"))
	b := c.nodes[1].Dial(t, hubtest.ID("b"), hubtest.Subprotocols("gohub.v1"))
	a.Expect("connected")
	b.Expect("connected")
	for _, x := range []*hubtest.Client{a, a2, b} {
		x.Join("plain")
		x.Join("h.1")
	}
	// A room that only the other hub has heard of.
	b.Join("h.2")
	var positions []string
	for range 2 {
		var sent struct{ Position string }
		if got := b.Request("room_message", map[string]any{"room_id": "h.2", "content": "missed"}); got.Decode(&sent) != nil || sent.Position == "" {
			t.Fatalf("%s %s", got.Type, got.Data)
		}
		positions = append(positions, sent.Position)
	}
	resume := map[string]any{"room_id": "h.2", "since": positions[0]}
	c.broker.Pause()
	begin := time.Now()
	a.Expect("degraded")
	b.Expect("degraded")
	if took := time.Since(begin); took > 3500*time.Millisecond {
		t.Errorf("told after %v", took)
	}
	if got := a.Request("room_message", map[string]any{"room_id": "h.1", "content": 1}); got.ErrorCode() != hub.CodeServer {
		t.Errorf("into a history: %s %s", got.Type, got.Data)
	}
	got := a.Request("room_message", map[string]any{"room_id": "plain", "content": 1})
	var sent struct{ Scope string }
	if err := json.Unmarshal(got.Data, &sent); err != nil || sent.Scope != "node" {
		t.Errorf("into a plain room: %s %s", got.Type, got.Data)
	}
	a2.Expect("room_message")
	late := c.nodes[0].Dial(t, hubtest.Subprotocols("gohub.v1"))
	late.Expect("connected")
	late.Expect("degraded")
	// Nobody knows now what it missed, so it is not told that it is lost.
	if got := late.Request("join_room", resume); got.ErrorCode() != hub.CodeTimeout {
		t.Errorf("a resume while the bus is away: %s %s", got.Type, got.Data)
	}
	c.broker.Resume()
	a.Expect("recovered")
	late.Expect("recovered")
	var joined struct{ Recovered bool }
	if got := late.Request("join_room", resume); got.Decode(&joined) != nil || !joined.Recovered {
		t.Errorf("a resume after the outage: %s %s", got.Type, got.Data)
	}
	late.Expect("room_message")
	// In which order b hears of them is open.
	heard := map[string]bool{b.Next().Type: true, b.Next().Type: true}
	if !heard["gap"] || !heard["recovered"] {
		t.Errorf("heard %v", heard)
	}
	if got := a.Request("room_message", map[string]any{"room_id": "h.1", "content": 2}); got.Type != "room_message_sent" {
		t.Errorf("after the outage: %s", got.Data)
	}
	b.Expect("room_message")
}

// A hub that was cut off finds its members' seats taken: there are never more
// members than a room takes, and those who have to go are told.
func TestClusterSeatsTaken(t *testing.T) {
	c := startCluster(t, 3, true, server.Options{
		Rooms:     []server.RoomRule{{Pattern: "*", MaxClients: 3, Create: true}},
		RateLimit: server.RateLimit{MessagesPerSecond: -1}, // a client asks until there is a seat
	})
	first := c.nodes[0].Dial(t, hubtest.ID("first"))
	second := c.nodes[0].Dial(t, hubtest.ID("second"))
	first.Join("r")
	second.Join("r")
	c.broker.Cut("hub-0")
	c.nodes[1].Dial(t).Join("r") // the third seat
	late := c.nodes[1].Dial(t)
	eventually(t, "the dead hub's seats are free", func() bool {
		return late.Request("join_room", map[string]any{"room_id": "r"}).Type == "room_joined"
	})
	c.broker.Heal("hub-0")
	second.Expect("room_left")
	eventually(t, "all agree on who is in", func() bool {
		for _, x := range c.nodes {
			ids, err := x.SDK().GetRoomMembers("r")
			if err != nil || len(ids) != 3 || !slices.Contains(ids, "first") {
				return false
			}
		}
		return true
	})
	first.Silent()
}

// A new room of a name has nothing of the room that was deleted.
func TestClusterDeletedHistory(t *testing.T) {
	withLogs(t, func(t *testing.T, log bool) {
		c := startCluster(t, 3, log, server.Options{Rooms: []server.RoomRule{{Pattern: "*", HistorySize: 100}}})
		a, b := c.nodes[0].Dial(t, hubtest.ID("a")), c.nodes[1].Dial(t, hubtest.ID("b"))
		for _, room := range []string{"r", "s", "t"} { // of several owners
			if got := a.Request("create_room", map[string]any{"room_id": room}); got.Type != "room_created" {
				t.Fatalf("%s", got.Data)
			}
			a.Join(room)
			b.Join(room)
			var sent struct{ Position string }
			for range 3 {
				got := a.Request("room_message", map[string]any{"room_id": room, "content": "old"})
				if err := got.Decode(&sent); err != nil || sent.Position == "" {
					t.Fatalf("%s %s", got.Type, got.Data)
				}
				b.Expect("room_message")
			}
			if got := b.Request("delete_room", map[string]any{"room_id": room}); got.Type != "room_deleted" {
				t.Fatalf("%s %s", got.Type, got.Data)
			}
			a.Expect("room_left")
			if got := b.Request("create_room", map[string]any{"room_id": room}); got.Type != "room_created" {
				t.Fatalf("%s %s", got.Type, got.Data)
			}
			for _, x := range c.nodes {
				if list, err := x.SDK().GetRoomHistory(room, 10); err != nil || len(list) > 0 {
					t.Errorf("%s: history of the new %s: %v, %v", x.Node(), room, list, err)
				}
			}
			var joined struct{ Recovered bool }
			got := a.Request("join_room", map[string]any{"room_id": room, "since": sent.Position})
			if err := got.Decode(&joined); err != nil || joined.Recovered {
				t.Errorf("joined with a position of the deleted room: %s %s", got.Type, got.Data)
			}
			if got := a.Request("room_message", map[string]any{"room_id": room, "content": "new"}); got.Type != "room_message_sent" {
				t.Errorf("%s %s", got.Type, got.Data)
			}
		}
	})
}
