package room_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/internal/hub/room"
)

// notice is what a presence notice says.
type notice struct {
	at             time.Duration
	joined         bool
	room           string
	ids            []string
	count, members int
}

// presence returns a registry whose rooms have presence, and the notices that
// went out. It must be called in a synctest bubble.
func presence() (*room.Registry, *[]notice) {
	var notices []notice
	start := time.Now()
	fan := room.NewFanOut(time.Now, nil)
	fan.Notice = func(joined bool, id string, ids []string, count, members int) []byte {
		notices = append(notices, notice{time.Since(start), joined, id, slices.Clone(ids), count, members})
		return frame("notice")
	}
	rule := func(string) room.Rule { return room.Rule{Presence: true, HistorySize: 1} }
	return room.NewRegistry(fan, "epoch", rule, room.Limits{}), &notices
}

func makeRoom(id string) func() (room.Spec, error) {
	return func() (room.Spec, error) { return room.Spec{ID: id, Explicit: true}, nil }
}

func joinAll(t *testing.T, rooms *room.Registry, id string, from, to int) (owners []*owner, members []*room.Member) {
	t.Helper()
	for i := from; i < to; i++ {
		o := &owner{id: fmt.Sprint(i)}
		m, _, err := o.join(rooms, id, makeRoom(id))
		if err != nil {
			t.Fatal(err)
		}
		owners, members = append(owners, o), append(members, m)
	}
	return owners, members
}

const interval = 100 * time.Millisecond

// goOn lets the bubble's time go on, and waits until all that is due is done.
func goOn(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, notices := presence()
		owners, members := joinAll(t, rooms, "r", 0, 2)
		goOn(interval / 2)
		joinAll(t, rooms, "r", 2, 3)
		goOn(2 * interval)
		owners[0].leave(rooms, members[0])
		joinAll(t, rooms, "r", 3, 4)
		owners[1].leave(rooms, members[1])
		goOn(2 * interval)
		want := []notice{
			{interval, true, "r", []string{"0", "1", "2"}, 3, 3},
			{interval * 7 / 2, true, "r", []string{"3"}, 1, 2},
			{interval * 7 / 2, false, "r", []string{"0", "1"}, 2, 2},
		}
		if fmt.Sprint(*notices) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", *notices, want)
		}
	})
}

// TestPresenceOfManyCounts has more members than notices name.
func TestPresenceOfManyCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, notices := presence()
		owners, members := joinAll(t, rooms, "r", 0, 1000)
		goOn(2 * interval)
		joinAll(t, rooms, "r", 1000, 1001)
		goOn(2 * interval)
		owners[0].leave(rooms, members[0])
		goOn(2 * interval)
		if len(*notices) != 3 {
			t.Fatalf("%d notices, want 3", len(*notices))
		}
		for i, want := range []struct{ named, count, members int }{{1000, 1000, 1000}, {0, 1, 1001}, {1, 1, 1000}} {
			n := (*notices)[i]
			if len(n.ids) != want.named || n.count != want.count || n.members != want.members {
				t.Errorf("notice %d names %d, counts %d of %d; want %+v", i, len(n.ids), n.count, n.members, want)
			}
		}
	})
}

// TestPresenceOfDeletedRoom deletes a room before its notice: there is none,
// and nothing is left running.
func TestPresenceOfDeletedRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, notices := presence()
		joinAll(t, rooms, "r", 0, 2)
		if _, _, err := rooms.Delete("r"); err != nil {
			t.Fatal(err)
		}
		goOn(2 * interval)
		if len(*notices) != 0 {
			t.Errorf("notices of a deleted room: %v", *notices)
		}
	})
}
