package room_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
)

// fill publishes until a member is too slow.
func fill(t *testing.T, srv *server, publish func(i int)) {
	t.Helper()
	for i := 0; srv.fan.Dropped.Load() == 0; i++ {
		if i == 10000 {
			t.Fatal("the member takes everything")
		}
		publish(i)
	}
}

func TestSlowMemberIsClosed(t *testing.T) {
	srv := serve(t, options{Config: conn.Config{SendQueueBytes: 64 << 10}})
	slow, quick := srv.dial(t, "slow"), srv.dial(t, "quick")
	slow.join(t, "r", "")
	quick.join(t, "r", "")
	r := srv.room(t, "r")
	payload := strings.Repeat("x", 32<<10)
	fill(t, srv, func(int) {
		r.Broadcast(plain(payload))
		if got := quick.next(t); got != payload {
			t.Fatal("something else arrived")
		}
	})
	if code := get(t, slow.closed); code != conn.CodeTooSlow {
		t.Errorf("closed with %d, want %d", code, conn.CodeTooSlow)
	}
	if ids := r.IDs(); !slices.Equal(ids, []string{"quick"}) {
		t.Errorf("the members are %q", ids)
	}
	quick.expect(t)
}

// TestGap has a member that does not read for a while: what it gets is all up
// to the gap, the notice, and all that is published behind it.
func TestGap(t *testing.T) {
	srv := serve(t, options{
		Config: conn.Config{SendQueueBytes: 64 << 10},
		rule:   func(string) room.Rule { return room.Rule{HistorySize: 10} },
	})
	slow := srv.dial(t, "slow")
	slow.drop = true
	_, j := slow.join(t, "r", "")
	r := srv.room(t, "r")
	pad := strings.Repeat("x", 32<<10)
	var sent []string
	positions := []string{j.Position}
	fill(t, srv, func(i int) {
		sent = append(sent, fmt.Sprint(i, " ", pad))
		position, _ := publish(r, sent[i])
		positions = append(positions, position)
	})
	for range 3 { // dropped, too, though little: the gap has one end
		publish(r, "lost")
	}
	if got := srv.fan.Dropped.Load(); got != 4 {
		t.Errorf("%d messages counted as dropped, want 4", got)
	}
	last := len(sent) - 1
	for _, want := range sent[:last] {
		if slow.next(t) != want {
			t.Fatal("a message is lost before the gap")
		}
	}
	if got, want := slow.next(t), "gap "+positions[last]; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	publish(r, "behind")
	slow.expect(t, "behind")
	if !slices.Equal(r.IDs(), []string{"slow"}) {
		t.Error("the member is none any more")
	}
}

// TestGapBeginsWithHistory drops a message that history does not keep before
// one that it keeps: the client can resume from there.
func TestGapBeginsWithHistory(t *testing.T) {
	srv := serve(t, options{
		Config: conn.Config{SendQueueBytes: 64 << 10},
		rule:   func(string) room.Rule { return room.Rule{HistorySize: 10} },
	})
	slow := srv.dial(t, "slow")
	slow.drop = true
	slow.join(t, "r", "")
	r := srv.room(t, "r")
	before, _ := publish(r, "kept")
	n := 0
	payload := strings.Repeat("x", 32<<10)
	fill(t, srv, func(i int) {
		r.Broadcast(plain(payload))
		n = i
	})
	publish(r, "lost, but in the history")
	publish(r, "lost, too")
	if got := slow.next(t); got != "kept" {
		t.Fatalf("got %q", got)
	}
	for range n {
		slow.next(t)
	}
	if got := slow.next(t); got != "gap "+before {
		t.Errorf("got %q, want %q", got, "gap "+before)
	}
}
