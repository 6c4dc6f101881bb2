package room_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
)

// clock stands still but for Advance.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1e9, c.nanos.Load()) }
func (c *clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// newRegistry returns a registry whose rooms keep history where their ids
// begin with h, for a minute.
func newRegistry(c *clock, limits room.Limits, maxClients int) *room.Registry {
	rule := func(id string) room.Rule {
		r := room.Rule{MaxClients: maxClients}
		if id[0] == 'h' {
			r.HistorySize, r.HistoryTTL = 4, time.Minute
		}
		return r
	}
	return room.NewRegistry(room.NewFanOut(c.Now, nil), "epoch", rule, limits)
}

func by(creator, id string) func() (room.Spec, error) {
	return func() (room.Spec, error) { return room.Spec{ID: id, Creator: creator}, nil }
}

func code(err error) int {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestCreate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limits  room.Limits
		ruleMax int
		before  []room.Spec
		spec    room.Spec
		code    int // 0: it is made
		max     int
	}{
		{"no limits", room.Limits{}, 0, nil, room.Spec{ID: "a"}, 0, 0},
		{"its own limit", room.Limits{}, 0, nil, room.Spec{ID: "a", MaxClients: 5}, 0, 5},
		{"the rule's limit", room.Limits{}, 7, nil, room.Spec{ID: "a"}, 0, 7},
		{"below the rule's limit", room.Limits{}, 7, nil, room.Spec{ID: "a", MaxClients: 5}, 0, 5},
		{"above the rule's limit", room.Limits{}, 7, nil, room.Spec{ID: "a", MaxClients: 9}, 0, 7},
		{"it exists", room.Limits{}, 0, []room.Spec{{ID: "a"}}, room.Spec{ID: "a"}, hub.CodeRoomExists, 0},
		{"it exists, and no more may", room.Limits{Rooms: 1}, 0, []room.Spec{{ID: "a"}}, room.Spec{ID: "a"}, hub.CodeRoomExists, 0},
		{"the last one", room.Limits{Rooms: 2}, 0, []room.Spec{{ID: "a"}}, room.Spec{ID: "b"}, 0, 0},
		{"one too many", room.Limits{Rooms: 1}, 0, []room.Spec{{ID: "a"}}, room.Spec{ID: "b"}, hub.CodeRateLimited, 0},
		{"the client's last one", room.Limits{CreatedPerClient: 2}, 0, []room.Spec{{ID: "a", Creator: "c"}}, room.Spec{ID: "b", Creator: "c"}, 0, 0},
		{"one too many of a client", room.Limits{CreatedPerClient: 1}, 0, []room.Spec{{ID: "a", Creator: "c"}}, room.Spec{ID: "b", Creator: "c"}, hub.CodeRateLimited, 0},
		{"one of another client", room.Limits{CreatedPerClient: 1}, 0, []room.Spec{{ID: "a", Creator: "c"}}, room.Spec{ID: "b", Creator: "d"}, 0, 0},
		{"nobody's do not count", room.Limits{CreatedPerClient: 1}, 0, []room.Spec{{ID: "a"}, {ID: "b"}}, room.Spec{ID: "c"}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rooms := newRegistry(new(clock), tt.limits, tt.ruleMax)
			for _, s := range tt.before {
				if _, err := rooms.Create(s); err != nil {
					t.Fatal(err)
				}
			}
			r, err := rooms.Create(tt.spec)
			if code(err) != tt.code {
				t.Fatalf("got %v, want code %d", err, tt.code)
			}
			if err != nil {
				if rooms.Len() != len(tt.before) {
					t.Errorf("%d rooms", rooms.Len())
				}
				return
			}
			if got := r.Info().MaxClients; got != tt.max {
				t.Errorf("the limit is %d, want %d", got, tt.max)
			}
			if same, err := rooms.Get(tt.spec.ID); same != r || err != nil {
				t.Errorf("Get: %v, %v", same, err)
			}
		})
	}
}

func TestJoinAndLeave(t *testing.T) {
	rooms := newRegistry(new(clock), room.Limits{CreatedPerClient: 1}, 2)
	a, b, c := &owner{id: "a"}, &owner{id: "b"}, &owner{id: "c"}
	if _, _, err := a.join(rooms, "r", nil); code(err) != hub.CodeRoomNotFound {
		t.Fatalf("join of no room: %v", err)
	}
	refused := errors.New("refused")
	if _, _, err := a.join(rooms, "r", func() (room.Spec, error) { return room.Spec{}, refused }); err != refused {
		t.Fatalf("join of a room that must not be made: %v", err)
	}
	ma, created, err := a.join(rooms, "r", by("a", "r"))
	if err != nil || created == nil || created.ID() != "r" {
		t.Fatalf("the first join: %v, %v", created, err)
	}
	if _, _, err := a.join(rooms, "s", by("a", "s")); code(err) != hub.CodeRateLimited {
		t.Fatalf("a second room: %v", err)
	}
	mb, again, err := b.join(rooms, "r", by("b", "r"))
	if err != nil || again != nil {
		t.Fatalf("the second join: %v, %v", again, err)
	}
	if _, _, err := c.join(rooms, "r", by("c", "r")); code(err) != hub.CodeRoomFull {
		t.Fatalf("a join too many: %v", err)
	}
	if got := a.leave(rooms, ma); got != nil || !ma.Gone() {
		t.Errorf("left %v, gone is %v", got, ma.Gone())
	}
	if ids := created.IDs(); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("the members are %q", ids)
	}
	if got := b.leave(rooms, mb); got != created || rooms.Len() != 0 {
		t.Errorf("the last one left %v; %d rooms", got, rooms.Len())
	}
	if _, _, err := a.join(rooms, "s", by("a", "s")); err != nil {
		t.Errorf("the vanished room still counts for its maker: %v", err)
	}
}

func TestExplicitRoomStays(t *testing.T) {
	rooms := newRegistry(new(clock), room.Limits{CreatedPerClient: 1}, 0)
	r, err := rooms.Create(room.Spec{ID: "r", Explicit: true, Creator: "a"})
	if err != nil {
		t.Fatal(err)
	}
	a := &owner{id: "a"}
	m, _, err := a.join(rooms, "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.leave(rooms, m); got != nil || rooms.Len() != 1 {
		t.Fatal("an explicit room vanished")
	}
	m, _, _ = a.join(rooms, "r", nil)
	deleted, members, err := rooms.Delete("r")
	if err != nil || deleted != r || len(members) != 1 || members[0] != m {
		t.Fatalf("Delete: %v, %v, %v", deleted, members, err)
	}
	if _, _, err := rooms.Delete("r"); code(err) != hub.CodeRoomNotFound {
		t.Errorf("a second Delete: %v", err)
	}
	if _, err := rooms.Create(room.Spec{ID: "r", Creator: "a"}); err != nil {
		t.Errorf("the deleted room still counts for its maker: %v", err)
	}
	if got := a.leave(rooms, m); got != nil || rooms.Len() != 1 {
		t.Error("leaving the deleted room touched its successor")
	}
}

func TestRestingRoom(t *testing.T) {
	c := new(clock)
	rooms := newRegistry(c, room.Limits{}, 0)
	a := &owner{id: "a"}
	m, r, err := a.join(rooms, "h", by("a", "h"))
	if err != nil {
		t.Fatal(err)
	}
	send := func() { publishAt(r, "x", c.Now()) }
	swept := func(want bool) {
		t.Helper()
		if got := rooms.Sweep(); len(got) == 1 != want {
			t.Errorf("swept %d rooms", len(got))
		}
	}
	send()
	if got := a.leave(rooms, m); got != nil {
		t.Fatal("the room vanished with its history")
	}
	swept(false)
	c.Advance(time.Minute)
	swept(false)

	// Somebody comes in, and goes when all has expired but what came then.
	m, created, err := a.join(rooms, "h", by("a", "h"))
	if err != nil || created != nil {
		t.Fatalf("join of a resting room: %v, %v", created, err)
	}
	swept(false)
	c.Advance(time.Hour)
	swept(false)
	send()
	a.leave(rooms, m)
	swept(false)
	c.Advance(time.Minute + 1)
	swept(true)
	if rooms.Len() != 0 {
		t.Errorf("%d rooms are left", rooms.Len())
	}

	// Without anything to keep it vanishes at once.
	if m, _, err = a.join(rooms, "h", by("a", "h")); err != nil {
		t.Fatal(err)
	}
	if got := a.leave(rooms, m); got == nil {
		t.Error("an empty room without messages stays")
	}
}

// TestGrace creates a room that stays for a minute when it is empty.
func TestGrace(t *testing.T) {
	c := new(clock)
	rooms := newRegistry(c, room.Limits{Rooms: 1, CreatedPerClient: 1}, 0)
	a := &owner{id: "a"}
	create := func() {
		t.Helper()
		if _, err := rooms.Create(room.Spec{ID: "r", Creator: "a", Grace: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	swept := func(want bool) {
		t.Helper()
		if got := rooms.Sweep(); len(got) == 1 != want {
			t.Errorf("swept %d rooms", len(got))
		}
	}
	create()
	c.Advance(time.Minute - 1)
	swept(false)
	c.Advance(1)
	swept(true)
	create() // neither counts any more

	c.Advance(time.Minute - 1)
	m, _, err := a.join(rooms, "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	swept(false)
	if got := a.leave(rooms, m); got != nil {
		t.Fatal("the room vanished with its last member")
	}
	c.Advance(time.Minute - 1)
	swept(false)
	m, _, _ = a.join(rooms, "r", nil) // somebody is back in time
	c.Advance(time.Minute)
	swept(false)
	a.leave(rooms, m)
	c.Advance(time.Minute)
	swept(true)
}

// TestEpochs resumes in a room with the name, and as many messages, of one
// that is gone.
func TestEpochs(t *testing.T) {
	rooms := newRegistry(new(clock), room.Limits{}, 0)
	var positions []string
	for range 2 {
		r, err := rooms.Create(room.Spec{ID: "h", Explicit: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			position, _ := publish(r, "x")
			positions = append(positions, position)
		}
		o := &owner{id: "o"}
		for i, position := range positions {
			m := o.member()
			o.conn.Lock()
			j, _, err := rooms.Join(m, "h", position, nil)
			rooms.Leave(m)
			o.conn.Unlock()
			if want := i >= len(positions)-3; err != nil || j.Recovered != want {
				t.Errorf("resume from %q of %q: %v, %v", position, positions, j.Recovered, err)
			}
		}
		if _, _, err := rooms.Delete("h"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMembersPages reads the members of a room page by page.
func TestMembersPages(t *testing.T) {
	rooms := newRegistry(new(clock), room.Limits{}, 0)
	for i := range 25 {
		o := &owner{id: fmt.Sprint(i)}
		if _, _, err := o.join(rooms, "r", by("", "r")); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := rooms.Get("r")
	var all []string
	for from, pages := -1, 0; pages == 0 || from >= 0; pages++ {
		var ids []string
		var count int
		if ids, from, count = r.Members(from, 10); count != 25 {
			t.Errorf("count is %d", count)
		}
		all = append(all, ids...)
	}
	ids := r.IDs()
	slices.Sort(all)
	slices.Sort(ids)
	if !slices.Equal(all, ids) || len(all) != 25 {
		t.Errorf("the pages hold %q", all)
	}
}
