package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// historyOptions has rooms that keep size messages for ttl.
func historyOptions(size int, ttl time.Duration) server.Options {
	return server.Options{
		EnableQueryClientID: true, Compression: true,
		RateLimit: server.RateLimit{MessagesPerSecond: -1},
		Rooms:     []server.RoomRule{{Pattern: "h*", HistorySize: size, HistoryTTL: ttl}},
	}
}

// kept is a message of a room with history, live, replayed or on a page.
type kept struct {
	Content        int
	SenderID       string `json:"sender_id"`
	Timestamp      int64
	Position, Prev string
}

// joined is the data of room_joined.
type joined struct {
	Position  string
	Recovered *bool
}

// joinSince joins a room and resumes from a position.
func joinSince(t *testing.T, c *hubtest.Client, room, since string) joined {
	t.Helper()
	m := c.Request("join_room", fields{"room_id": room, "since": since})
	if m.Type != "room_joined" {
		t.Fatalf("join: %s %s", m.Type, m.Data)
	}
	return into[joined](t, m)
}

// publishKept publishes count messages, numbered from first, and returns their
// positions.
func publishKept(t *testing.T, c *hubtest.Client, room string, first, count int) []string {
	t.Helper()
	positions := make([]string, count)
	for i := range positions {
		m := c.Request("room_message", fields{"room_id": room, "content": first + i})
		if m.Type != "room_message_sent" {
			t.Fatalf("publish: %s %s", m.Type, m.Data)
		}
		positions[i] = into[struct{ Position string }](t, m).Position
	}
	return positions
}

// wantKept takes count messages of a room, numbered from first, each of which
// must follow on the one before it, the first on prev. It returns the last
// position.
func wantKept(t *testing.T, c *hubtest.Client, prev string, first, count int) string {
	t.Helper()
	for i := range count {
		m := into[kept](t, c.Expect("room_message"))
		if m.Content != first+i || m.Prev != prev || m.Position == prev || m.Position == "" || m.SenderID != "pub" {
			t.Fatalf("message %d behind %q: %+v", first+i, prev, m)
		}
		prev = m.Position
	}
	return prev
}

// TestResumeWithoutReading: a member that may not read gets nothing of what it
// has missed, and is not told otherwise.
func TestResumeWithoutReading(t *testing.T) {
	opts := withTokens()
	opts.Rooms = []server.RoomRule{{Pattern: "h", HistorySize: 10}}
	srv := start(t, opts)
	pub := srv.Dial(t, hubtest.Token(tokenFor(t, "pub", auth.PermCreateRoom, auth.PermJoinRoom, auth.PermSendMessage)))
	begin := into[joined](t, pub.Join("h")).Position
	last := publishKept(t, pub, "h", 0, 3)[2]
	for since, recovers := range map[string]bool{begin: true, last: true, "x": false} {
		for _, may := range []struct {
			permissions []auth.Permission
			read        bool
		}{
			{[]auth.Permission{auth.PermJoinRoom}, false},
			{[]auth.Permission{auth.PermJoinRoom, auth.PermReadMessage}, true},
		} {
			c := srv.Dial(t, hubtest.Token(tokenFor(t, "c", may.permissions...)))
			j := joinSince(t, c, "h", since)
			if want := recovers && may.read; j.Recovered == nil || *j.Recovered != want || j.Position != last {
				t.Errorf("since %q, read %v: %+v", since, may.read, j)
			}
			if may.read && since == begin {
				wantKept(t, c, begin, 0, 3)
			}
			c.Silent()
		}
	}
}

func TestPositionsChain(t *testing.T) {
	srv := start(t, historyOptions(100, 0))
	pub, c := srv.Dial(t, hubtest.ID("pub")), srv.Dial(t)
	begin := into[joined](t, pub.Join("h"))
	if begin.Position == "" || begin.Recovered != nil {
		t.Fatalf("joined %+v, want a position and no word of recovery", begin)
	}
	if j := into[joined](t, c.Join("h")); j.Position != begin.Position {
		t.Errorf("position %q, then %q without a message between", begin.Position, j.Position)
	}
	positions := publishKept(t, pub, "h", 0, 10)
	last := wantKept(t, c, begin.Position, 0, 10)
	if last != positions[9] {
		t.Errorf("the sender was told %q, the members %q", positions[9], last)
	}
	if j := into[joined](t, srv.Dial(t).Join("h")); j.Position != last {
		t.Errorf("joined at %q, want %q", j.Position, last)
	}
	for i, p := range positions {
		for _, q := range positions[:i] {
			if p == q {
				t.Errorf("position %q twice", p)
			}
		}
	}
}

// TestHistoryMessages: all that a room with history says, to the letter.
func TestHistoryMessages(t *testing.T) {
	srv := start(t, historyOptions(100, 0))
	pub, c := srv.Dial(t, hubtest.ID("pub")), srv.Dial(t)
	begin := into[joined](t, pub.Join("h")).Position
	at := func(template string, positions ...string) string {
		for i, p := range positions {
			template = strings.ReplaceAll(template, fmt.Sprintf("$%d", i), strconv.Quote(p))
		}
		return template
	}
	wantMessage(t, rawRequest(c, `"join_room","data":{"room_id":"h"}`), "room_joined", at(`{"room_id":"h","status":"joined","position":$0}`, begin), 1<<40)
	sent := rawRequest(pub, `"room_message","data":{"room_id":"h","content":{"a":null}}`)
	position := into[joined](t, decode(t, sent)).Position
	wantMessage(t, sent, "room_message_sent", at(`{"room_id":"h","position":$0,"scope":"cluster"}`, position), 1<<40)
	live := c.NextFrame()
	message := at(`{"room_id":"h","content":{"a":null},"sender_id":"pub","timestamp":"now","position":$0,"prev":$1}`, position, begin)
	wantMessage(t, live, "room_message", message, 0)
	page := at(`{"room_id":"h","messages":[{"content":{"a":null},"sender_id":"pub","timestamp":"now","position":$0,"prev":$1}],"count":1}`, position, begin)
	wantMessage(t, rawRequest(c, `"room_history","data":{"room_id":"h"}`), "room_history", page, 1<<40)
	rawRequest(c, `"leave_room","data":{"room_id":"h"}`)
	again := rawRequest(c, `"join_room","data":{"room_id":"h","since":`+strconv.Quote(begin)+`}`)
	wantMessage(t, again, "room_joined", at(`{"room_id":"h","status":"joined","position":$0,"recovered":true}`, position), 1<<40)
	if replayed := c.NextFrame(); string(replayed.Data) != string(live.Data) {
		t.Errorf("live     %s\nreplayed %s", live.Data, replayed.Data)
	}
	c.Silent()
}

// TestResume: clients of every kind get exactly what they missed, and go on
// from there.
func TestResume(t *testing.T) {
	srv := start(t, historyOptions(100, 0))
	pub := srv.Dial(t, hubtest.ID("pub"))
	room := "h" + strings.Repeat("x", 300) // a name that makes messages long enough to be compressed
	begin := into[joined](t, pub.Join(room)).Position
	positions := append([]string{begin}, publishKept(t, pub, room, 1, 9)...)
	if err := srv.SDK().BroadcastToRoom(room, []byte("{}"), "pub"); err != nil { // is no part of the history
		t.Fatal(err)
	}
	for name, opts := range map[string][]hubtest.Option{
		"plain": nil, "v1": {hubtest.Subprotocols("gohub.v1")}, "compressed": {hubtest.Compressed()},
		"both": {hubtest.Subprotocols("gohub.v1"), hubtest.Compressed()},
	} {
		t.Run(name, func(t *testing.T) {
			for seen, since := range positions {
				c := srv.Dial(t, opts...)
				j := joinSince(t, c, room, since)
				missed := len(positions) - 1 - seen
				if j.Recovered == nil || !*j.Recovered || j.Position != positions[len(positions)-1] {
					t.Fatalf("since %d: %+v", seen, j)
				}
				last := wantKept(t, c, since, seen+1, missed)
				c.Silent()
				if seen%3 != 0 {
					continue
				}
				positions = append(positions, publishKept(t, pub, room, len(positions), 1)...)
				wantKept(t, c, last, len(positions)-1, 1)
				c.Silent()
			}
		})
	}
}

// TestResumeFails: whoever cannot be told all that it missed is told that, and
// where the room is now.
func TestResumeFails(t *testing.T) {
	srv := start(t, historyOptions(5, 0))
	pub := srv.Dial(t, hubtest.ID("pub"))
	pub.Join("h")
	old := publishKept(t, pub, "h", 0, 3)[2]
	if err := srv.SDK().DeleteRoom("h"); err != nil {
		t.Fatal(err)
	}
	begin := into[joined](t, pub.Join("h")).Position
	positions := publishKept(t, pub, "h", 1, 10)
	last := positions[9]
	epoch, offset, _ := strings.Cut(last, ":")
	for name, since := range map[string]string{
		"out of the window": positions[3], "the beginning": begin, "another room's": old,
		"past the end": epoch + ":" + offset + "0", "of another server": "0:" + offset, "garbage": "garbage", "no offset": epoch + ":",
		"no epoch": ":" + offset, "negative": epoch + ":-1", "float": epoch + ":1.0", "huge": epoch + ":99999999999999999999999",
		"long": strings.Repeat("9", 40_000), "not ASCII": "é:🦄", "with a tail": last + ":1",
	} {
		t.Run(name, func(t *testing.T) {
			c := srv.Dial(t)
			if j := joinSince(t, c, "h", since); j.Recovered == nil || *j.Recovered || j.Position != last {
				t.Errorf("since %.50q: %+v, want no recovery and %q", since, j, last)
			}
			c.Silent()
		})
	}
	t.Run("the edge of the window", func(t *testing.T) {
		c := srv.Dial(t)
		if j := joinSince(t, c, "h", positions[4]); j.Recovered == nil || !*j.Recovered {
			t.Errorf("%+v", j)
		}
		wantKept(t, c, positions[4], 6, 5)
		c.Silent()
	})
	t.Run("no since", func(t *testing.T) {
		c := srv.Dial(t)
		if j := joinSince(t, c, "h", ""); j.Recovered != nil || j.Position != last {
			t.Errorf("%+v", j)
		}
		c.Silent()
	})
}

// TestResumeUnderLoad: over many reconnects amid publications no message is
// lost and none comes twice.
func TestResumeUnderLoad(t *testing.T) {
	const publishers, each, burst = 4, 300, 15
	srv := start(t, historyOptions(publishers*each, 0))
	pub := srv.Dial(t, hubtest.ID("pub"))
	since := into[joined](t, pub.Join("h")).Position
	for range 8 { // make deliveries take long enough for a join to come between
		srv.Dial(t).Join("h")
	}
	var done sync.WaitGroup
	turns := make(chan struct{}, publishers*each)
	for p := range publishers {
		done.Go(func() {
			for i := range each {
				if i%burst == 0 {
					<-turns
				}
				content, _ := json.Marshal(p*each + i)
				if _, err := srv.SDK().Publish(sdk.Publication{Room: "h", SenderID: "pub", Content: content}); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	defer done.Wait()
	defer close(turns)
	heard := map[int]bool{}
	for len(heard) < publishers*each {
		c := srv.Dial(t, hubtest.Compressed())
		for range publishers {
			turns <- struct{}{}
		}
		if j := joinSince(t, c, "h", since); j.Recovered == nil || !*j.Recovered {
			t.Fatalf("since %q: %+v", since, j)
		}
		for range min(publishers*burst/2, publishers*each-len(heard)) {
			m := into[kept](t, c.Expect("room_message"))
			if m.Prev != since || heard[m.Content] {
				t.Fatalf("behind %q came %+v (heard before: %t)", since, m, heard[m.Content])
			}
			heard[m.Content], since = true, m.Position
		}
		c.Drop()
	}
}

// TestHistoryExpires: messages live as long as the rule says, and an empty
// room as long as they do.
func TestHistoryExpires(t *testing.T) {
	t.Parallel()
	deleted := make(chan sdk.Event, 1)
	srv := start(t, historyOptions(10, 600*time.Millisecond), func(s *server.Server) {
		s.On(sdk.EventRoomDeleted, func(_ context.Context, ev sdk.Event) error {
			deleted <- ev
			return nil
		})
	})
	pub, c := srv.Dial(t, hubtest.ID("pub")), srv.Dial(t)
	begin := into[joined](t, pub.Join("h")).Position
	last := publishKept(t, pub, "h", 0, 3)[2]
	published := time.Now()
	for {
		page := into[struct {
			Messages []kept
			Count    int
		}](t, c.Request("room_history", fields{"room_id": "h"}))
		if page.Count != len(page.Messages) {
			t.Fatalf("%+v", page)
		}
		if page.Count == 0 {
			break
		}
		if time.Since(published) > hubtest.Timeout {
			t.Fatal("messages do not expire")
		}
	}
	if age := time.Since(published); age < 550*time.Millisecond {
		t.Errorf("expired after %v", age)
	}
	if j := joinSince(t, c, "h", begin); *j.Recovered {
		t.Error("recovered from before messages that have expired")
	}
	c.Request("leave_room", fields{"room_id": "h"})
	if j := joinSince(t, c, "h", last); !*j.Recovered {
		t.Error("not recovered where nothing was missed")
	}
	c.Request("leave_room", fields{"room_id": "h"})

	publishKept(t, pub, "h", 3, 1)
	pub.Request("leave_room", fields{"room_id": "h"})
	if _, err := srv.SDK().GetRoom("h"); err != nil {
		t.Errorf("the room is gone before its history: %v", err)
	}
	select {
	case ev := <-deleted:
		if ev.RoomID != "h" || ev.ClientID != "" {
			t.Errorf("deleted: %+v", ev)
		}
	case <-time.After(hubtest.Timeout):
		t.Fatal("the room outlives its history")
	}
	if n := srv.SDK().GetRoomCount(); n != 0 {
		t.Errorf("%d rooms", n)
	}
}

// TestRoomOutlivesItsMembers: whoever comes back finds what was said.
func TestRoomOutlivesItsMembers(t *testing.T) {
	srv := start(t, historyOptions(10, time.Hour))
	pub := srv.Dial(t, hubtest.ID("pub"))
	begin := into[joined](t, pub.Join("h")).Position
	publishKept(t, pub, "h", 1, 3)
	pub.Request("leave_room", fields{"room_id": "h"})
	empty := srv.Dial(t)
	empty.Join("hempty")
	empty.Request("leave_room", fields{"room_id": "hempty"})
	if n := srv.SDK().GetRoomCount(); n != 1 {
		t.Errorf("%d rooms, want the one that has a history", n)
	}
	c := srv.Dial(t)
	if j := joinSince(t, c, "h", begin); !*j.Recovered {
		t.Errorf("%+v", j)
	}
	wantKept(t, c, begin, 1, 3)
}

// TestHistoryPages: pages go from the newest messages to older ones, without
// an overlap, though there are ever newer ones.
func TestHistoryPages(t *testing.T) {
	srv := start(t, historyOptions(100, 0))
	pub, c := srv.Dial(t, hubtest.ID("pub")), srv.Dial(t)
	begin := into[joined](t, pub.Join("h")).Position
	const total = 25
	positions := append([]string{begin}, publishKept(t, pub, "h", 1, total)...)
	next, cursor := total, ""
	for pages := 0; ; pages++ {
		page := into[struct {
			RoomID   string `json:"room_id"`
			Messages []kept
			Count    int
			Cursor   string
		}](t, c.Request("room_history", fields{"room_id": "h", "limit": 10, "cursor": cursor}))
		if page.RoomID != "h" || page.Count != total+pages || len(page.Messages) != min(10, next) {
			t.Fatalf("page %d: %+v", pages, page)
		}
		for i, m := range page.Messages {
			n := next - len(page.Messages) + 1 + i
			if m.Content != n || m.Position != positions[n] || m.Prev != positions[n-1] || m.SenderID != "pub" ||
				time.Since(time.UnixMilli(m.Timestamp)).Abs() > time.Minute {
				t.Errorf("page %d, message %d: %+v", pages, n, m)
			}
		}
		next -= len(page.Messages)
		if cursor = page.Cursor; cursor == "" {
			break
		}
		publishKept(t, pub, "h", 1000+pages, 1)
	}
	if next != 0 {
		t.Errorf("%d messages were on no page", next)
	}
	t.Run("a cursor of another room", func(t *testing.T) {
		wantMessage(t, rawRequest(c, `"room_history","data":{"room_id":"h","cursor":"other.1:5"}`), "room_history",
			fmt.Sprintf(`{"room_id":"h","messages":[],"count":%d}`, total+2), 1<<40)
	})
	t.Run("SDK", func(t *testing.T) {
		page, err := srv.SDK().GetRoomHistory("h", 2)
		if err != nil || len(page) != 2 || string(page[1].Content) != "1001" || page[1].Prev != page[0].Position {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// rawRequest sends a request given from its type on, and returns the answer.
func rawRequest(c *hubtest.Client, rest string) hub.Frame {
	raw(c, fmt.Sprintf(`{"message_id":%d,"message_type":%s}`, 1<<40, rest))
	return c.NextFrame()
}

// TestIdempotencyKey: what is sent again counts once, for each client apart.
func TestIdempotencyKey(t *testing.T) {
	srv := start(t, historyOptions(100, 0))
	for _, room := range []string{"h", "none"} {
		t.Run(room, func(t *testing.T) {
			a, b, reader := srv.Dial(t, hubtest.ID("a")), srv.Dial(t, hubtest.ID("b")), srv.Dial(t)
			for _, c := range []*hubtest.Client{a, b, reader} {
				c.Join(room)
			}
			publish := func(c *hubtest.Client, key string, content int) string {
				m := c.Request("room_message", fields{"room_id": room, "content": content, "idempotency_key": key})
				if m.Type != "room_message_sent" {
					t.Fatalf("%s %s", m.Type, m.Data)
				}
				return into[struct{ Position string }](t, m).Position
			}
			first := publish(a, "k", 1)
			if again := publish(a, "k", 2); again != first {
				t.Errorf("position %q, sent again %q", first, again)
			}
			if other := publish(a, "l", 3); other == first && room == "h" {
				t.Errorf("another key got the same position %q", other)
			}
			publish(b, "k", 4)
			publish(a, "", 5)
			publish(a, "", 6)
			a.Send("room_message", fields{"room_id": room, "content": 7, "idempotency_key": "k"})
			publish(a, strings.Repeat("k", 512), 8)
			for _, want := range []int{1, 3, 4, 5, 6, 8} {
				if m := into[kept](t, reader.Expect("room_message")); m.Content != want {
					t.Fatalf("got %d, want %d", m.Content, want)
				}
			}
			reader.Silent()
			again := srv.Dial(t, hubtest.ID("a")) // the same client, reconnected
			again.Join(room)
			if p := publish(again, "k", 9); p != first {
				t.Errorf("position %q after a reconnect, want %q", p, first)
			}
			reader.Silent()
			for want := range 2 {
				receipt, err := srv.SDK().Publish(sdk.Publication{Room: room, Content: json.RawMessage("10"), IdempotencyKey: "k"})
				if err != nil || receipt.Scope != "cluster" || receipt.Position == first && room == "h" {
					t.Fatalf("publication %d: %+v, %v", want, receipt, err)
				}
			}
			if m := into[kept](t, reader.Expect("room_message")); m.Content != 10 {
				t.Errorf("got %d", m.Content)
			}
			reader.Silent()
		})
	}
}
