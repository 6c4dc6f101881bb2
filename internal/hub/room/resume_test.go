package room_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/room"
)

// TestResume joins amid traffic: the replay and what comes live are all there
// is, once each.
func TestResume(t *testing.T) {
	srv := serve(t, options{rule: func(string) room.Rule { return room.Rule{HistorySize: 100, HistoryTTL: time.Hour} }})
	keeper, late := srv.dial(t, "keeper"), srv.dial(t, "late")
	_, j := keeper.join(t, "r", "")
	r := srv.room(t, "r")
	done := background(func() {
		for i := range 100 {
			publish(r, fmt.Sprint(i))
		}
	})
	for i := range 50 {
		if got := keeper.next(t); got != fmt.Sprint(i) {
			t.Fatalf("got %q", got)
		}
	}
	_, k := late.join(t, "r", j.Position)
	if !k.Recovered || len(k.Replay) < 50 {
		t.Fatalf("recovered: %v, with %d messages", k.Recovered, len(k.Replay))
	}
	for i, f := range k.Replay {
		if string(f) != string(frame(fmt.Sprint(i))) {
			t.Fatalf("message %d of the replay is %q", i, f)
		}
	}
	get(t, done)
	for i := len(k.Replay); i < 100; i++ {
		if got := late.next(t); got != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
	late.expect(t)
}

func TestIdempotentPublish(t *testing.T) {
	srv := serve(t, options{rule: func(string) room.Rule { return room.Rule{HistorySize: 10} }})
	p := srv.dial(t, "p")
	p.join(t, "r", "")
	r := srv.room(t, "r")
	send := func(key, text string) string {
		position, ok := r.Publish(time.Now(), room.Key{Text: key}, func(position, prev string) *room.Message {
			m := plain(text)
			m.Record = &room.Record{Frame: m.Frame, At: time.Now(), Position: position, Prev: prev}
			return m
		})
		if !ok {
			t.Fatal("the room is gone")
		}
		return position
	}
	a, b := send("a", "1"), send("b", "2")
	if a == b || send("a", "3") != a || send("b", "4") != b || send("", "5") == b {
		t.Error("a key has not the position of its message")
	}
	p.expect(t, "1", "2", "5")
}
