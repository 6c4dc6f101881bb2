package room_test

import (
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// maxPending is what a room takes before its publishers wait.
const maxPending = 4 << 20

// stick holds a pass of the room, and publishes until publishers must wait.
func stick(t *testing.T, srv *server, r *room.Room) (release func()) {
	t.Helper()
	first, stuck := srv.dial(t, "first"), srv.dial(t, "stuck")
	first.join(t, r.ID(), "")
	stuck.join(t, r.ID(), "")
	stuck.Lock()
	done := background(func() { r.Broadcast(plain("begin")) })
	if got := first.next(t); got != "begin" {
		t.Fatalf("got %q", got)
	}
	big := frame(strings.Repeat("x", 1<<20))
	for size := 0; size <= maxPending; size += len(big) {
		if !r.Broadcast(&room.Message{Frame: big, Op: wire.Binary}) {
			t.Fatal("the room is gone")
		}
	}
	_ = first.Conn.Close()
	_ = stuck.Conn.Close()
	return func() {
		stuck.Unlock()
		get(t, done)
	}
}

// TestFullRoom has a handler publish into its own room, which is full.
func TestFullRoom(t *testing.T) {
	var r *room.Room
	published := make(chan bool, 1)
	srv := serve(t, options{onText: func(s *session, text string) {
		m := plain(text)
		m.Sender = &s.Conn
		published <- r.Broadcast(m)
	}})
	explicit, err := srv.rooms.Create(room.Spec{ID: "r", Explicit: true})
	if err != nil {
		t.Fatal(err)
	}
	r = explicit
	release := stick(t, srv, r)
	sender, other := srv.dial(t, "sender"), srv.dial(t, "other")
	sender.join(t, "r", "")
	other.join(t, "r", "")
	if err := sender.WriteMessage(1, []byte("from a handler")); err != nil {
		t.Fatal(err)
	}
	waiters := make(chan bool, 10)
	for range cap(waiters) {
		go func() { waiters <- r.Broadcast(from(sender, "from outside")) }()
	}
	release()
	if !get(t, published) {
		t.Error("the handler's message was refused")
	}
	count := map[string]int{}
	for range 1 + cap(waiters) {
		count[other.next(t)]++
	}
	if count["from a handler"] != 1 || count["from outside"] != cap(waiters) {
		t.Errorf("the other member got %v", count)
	}
	for range cap(waiters) {
		if !get(t, waiters) {
			t.Error("a message was refused")
		}
	}
	sender.expect(t)
}
