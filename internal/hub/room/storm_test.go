package room_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
)

// storm is many clients that join, leave, create, delete and publish at once.
type storm struct {
	*room.Registry
	t      *testing.T
	limits room.Limits
	max    int // clients a room
	clock  *clock
}

const stormClients, stormRooms, stormRounds = 16, 8, 1500

func roomID(i int) string {
	if i%2 == 0 {
		return fmt.Sprint("h", i)
	}
	return fmt.Sprint("r", i)
}

// client does one client's part, and leaves every room in the end.
func (s *storm) client(id string, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	o := &owner{id: id}
	joined := map[string]*room.Member{}
	for range stormRounds {
		name := roomID(rnd.IntN(stormRooms))
		switch rnd.IntN(8) {
		case 0:
			s.remove(name)
		case 1:
			_, _ = s.Create(room.Spec{ID: name, Creator: id, Explicit: true})
		case 2:
			s.Sweep()
			s.clock.Advance(10 * time.Second)
		case 3, 4:
			if r, err := s.Get(name); err == nil {
				publishAt(r, "x", s.clock.Now())
				s.look(r)
			}
		default:
			s.joinOrLeave(o, joined, name)
		}
		if n := s.Len(); n > s.limits.Rooms {
			s.t.Errorf("%d rooms, where %d may be", n, s.limits.Rooms)
		}
	}
	for _, m := range joined {
		o.leaveIfMember(s.Registry, m)
	}
}

func (s *storm) look(r *room.Room) {
	info := r.Info()
	if info.Members > s.max {
		s.t.Errorf("%d members, where %d may be", info.Members, s.max)
	}
	r.Members(-1, 3)
	r.History(3, "", s.clock.Now())
}

func (o *owner) leaveIfMember(rooms *room.Registry, m *room.Member) {
	o.conn.Lock()
	defer o.conn.Unlock()
	if !m.Gone() {
		rooms.Leave(m)
	}
}

func (s *storm) joinOrLeave(o *owner, joined map[string]*room.Member, name string) {
	if m := joined[name]; m != nil {
		o.leaveIfMember(s.Registry, m)
		delete(joined, name)
		return
	}
	m, created, err := o.join(s.Registry, name, by(o.id, name))
	switch code(err) {
	case 0:
		if err != nil {
			s.t.Error(err)
		}
		if created != nil && created != m.Room {
			s.t.Error("another room was made than joined")
		}
		joined[name] = m
	case hub.CodeRoomFull, hub.CodeRateLimited:
	default:
		s.t.Error(err)
	}
}

func (s *storm) remove(name string) {
	_, members, err := s.Delete(name)
	if err != nil {
		return
	}
	for _, m := range members {
		m.Conn.Lock()
		if !m.Gone() {
			m.Expel()
		}
		m.Conn.Unlock()
	}
}

func TestStorm(t *testing.T) {
	c := new(clock)
	s := &storm{t: t, clock: c, limits: room.Limits{Rooms: 6, CreatedPerClient: 2}, max: 5}
	s.Registry = newRegistry(c, s.limits, s.max)
	var clients sync.WaitGroup
	for i := range stormClients {
		clients.Go(func() { s.client(fmt.Sprint("c", i), uint64(i)) })
	}
	clients.Wait()

	for _, r := range s.List() {
		info := r.Info()
		if info.Members != 0 {
			t.Errorf("room %s has %d members left", info.ID, info.Members)
		}
		if info.Explicit {
			s.remove(info.ID)
		}
	}
	c.Advance(time.Hour)
	s.Sweep()
	for _, r := range s.List() {
		t.Errorf("empty room %+v is left", r.Info())
	}
	for i := range stormClients {
		creator := fmt.Sprint("c", i)
		for j := range s.limits.CreatedPerClient {
			id := fmt.Sprint("new", j)
			if _, err := s.Create(room.Spec{ID: id, Creator: creator}); err != nil {
				t.Errorf("%s cannot make its rooms any more: %v", creator, err)
			}
		}
		for j := range s.limits.CreatedPerClient {
			s.remove(fmt.Sprint("new", j))
		}
	}
}
