package room

import (
	"strconv"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Limits bound the rooms of a registry; 0 is no limit.
type Limits struct {
	Rooms            int // at once
	CreatedPerClient int // existing rooms that one client has made
}

// Registry holds the rooms of a hub by id. It is safe for concurrent use.
type Registry struct {
	// Shared says that rooms have members on other nodes: their limits are not
	// this registry's to keep, and their histories are filled with Add and Load.
	// It is set before the first room is made.
	Shared bool

	fan    *FanOut
	epoch  string // begins that of each history
	rule   func(id string) Rule
	limits Limits

	mu      sync.RWMutex // guards all below
	rooms   map[string]*Room
	epochs  uint64             // histories made
	created map[string]int     // rooms by the client that made them
	resting map[*Room]struct{} // empty rooms kept for a time, and some that are empty no more
}

// NewRegistry returns an empty registry. rule tells the rule of a room id;
// epoch must differ from that of any registry before; it holds no ':'.
func NewRegistry(fan *FanOut, epoch string, rule func(id string) Rule, limits Limits) *Registry {
	return &Registry{
		fan: fan, epoch: epoch, rule: rule, limits: limits,
		rooms: make(map[string]*Room), created: make(map[string]int), resting: make(map[*Room]struct{}),
	}
}

// Spec describes a room to be made.
type Spec struct {
	ID, Name   string
	MaxClients int       // 0: the rule's
	Creator    string    // the client it counts for; "" for none
	Explicit   bool      // stays when empty
	CreatedAt  time.Time // zero: now
	Decided    bool      // another node has decided that it may be made: the limits are not looked at
	// Grace is how long a room that is not explicit stays when empty, from
	// when it was made on and from when its last member left.
	Grace time.Duration
}

// Create makes a room.
func (g *Registry) Create(s Spec) (*Room, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rooms[s.ID] != nil {
		return nil, hub.NewError(hub.CodeRoomExists, "room exists already")
	}
	r, err := g.create(s)
	if err == nil && !s.Explicit {
		g.resting[r] = struct{}{} // until somebody comes
	}
	return r, err
}

func (g *Registry) create(s Spec) (*Room, error) {
	if !s.Decided {
		if err := g.mayCreate(s.Creator); err != nil {
			return nil, err
		}
	}
	rule := g.rule(s.ID)
	r := &Room{
		id: s.ID, name: s.Name, rule: rule, max: rule.MaxClients, explicit: s.Explicit,
		creator: s.Creator, fan: g.fan, shared: g.Shared, createdAt: g.fan.Now(), grace: s.Grace,
	}
	r.emptySince = r.createdAt
	if !s.CreatedAt.IsZero() {
		r.createdAt = s.CreatedAt
	}
	if s.MaxClients > 0 && (r.max == 0 || s.MaxClients < r.max) {
		r.max = s.MaxClients
	}
	if rule.HistorySize > 0 {
		// A room of the same name may have been here before, with the same
		// offsets for other messages.
		g.epochs++
		epoch := g.epoch + "." + strconv.FormatUint(g.epochs, 36)
		if g.Shared {
			epoch = "" // until Load or Add say which
		}
		r.history = newHistory(epoch, rule.HistorySize, rule.HistoryTTL)
	}
	if rule.Presence {
		r.presence = new(presence)
	}
	g.rooms[s.ID] = r
	if s.Creator != "" {
		g.created[s.Creator]++
	}
	return r, nil
}

// MayCreate tells whether a client may create another room, as Create would.
func (g *Registry) MayCreate(creator string) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.mayCreate(creator)
}

func (g *Registry) mayCreate(creator string) error {
	if g.limits.Rooms > 0 && len(g.rooms) >= g.limits.Rooms {
		return hub.NewError(hub.CodeRateLimited, "the hub holds as many rooms as it may")
	}
	if creator != "" && g.limits.CreatedPerClient > 0 && g.created[creator] >= g.limits.CreatedPerClient {
		return hub.NewError(hub.CodeRateLimited, "the client has created as many rooms as it may (%d)", g.limits.CreatedPerClient)
	}
	return nil
}

// Credit counts an existing room as made by a client.
func (g *Registry) Credit(id, creator string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.rooms[id]; r != nil && r.creator == "" && creator != "" {
		r.creator = creator
		g.created[creator]++
	}
}

// Keep makes an existing room one that stays when empty.
func (g *Registry) Keep(id, name string, limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.rooms[id]; r != nil {
		r.mu.Lock()
		r.explicit, r.name, r.max = true, name, limit
		r.mu.Unlock()
		delete(g.resting, r)
	}
}

// remove forgets r; the caller holds g.mu and r.mu.
func (g *Registry) remove(r *Room) {
	r.deleted = true
	if r.space != nil {
		r.space.Broadcast()
	}
	delete(g.rooms, r.id)
	delete(g.resting, r)
	if r.creator != "" {
		if g.created[r.creator]--; g.created[r.creator] == 0 {
			delete(g.created, r.creator)
		}
	}
}

// Get returns a room.
func (g *Registry) Get(id string) (*Room, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if r := g.rooms[id]; r != nil {
		return r, nil
	}
	return nil, errNotFound
}

// Touch returns a room, whose time to stay when empty begins anew: somebody is
// about to join it.
func (g *Registry) Touch(id string) (*Room, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	r := g.rooms[id]
	if r == nil {
		return nil, errNotFound
	}
	r.mu.Lock()
	r.emptySince = g.fan.Now()
	r.mu.Unlock()
	return r, nil
}

// List returns all rooms, in no order.
func (g *Registry) List() []*Room {
	g.mu.RLock()
	defer g.mu.RUnlock()
	rooms := make([]*Room, 0, len(g.rooms))
	for _, r := range g.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}

// Len returns the number of rooms.
func (g *Registry) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.rooms)
}

// Join makes m a member of the room id; the caller holds m's connection lock.
// A missing room is made by create, unless that is nil; created is the room
// then.
func (g *Registry) Join(m *Member, id, since string, create func() (Spec, error)) (j Joined, created *Room, err error) {
	for {
		var ok bool
		if r, missing := g.Get(id); missing == nil {
			j, ok, err = r.join(m, since, g.fan.Now())
		} else {
			j, created, ok, err = g.createToJoin(m, id, since, create)
		}
		if ok {
			return j, created, err
		}
		// Made or deleted in between: again.
	}
}

// createToJoin makes the room id with m in it, in one step: nobody else can
// come, and be the last to go, before the one who made it. ok is false where
// there is a room by now.
func (g *Registry) createToJoin(m *Member, id, since string, create func() (Spec, error)) (j Joined, created *Room, ok bool, err error) {
	if create == nil {
		return j, nil, true, errNotFound
	}
	spec, err := create()
	if err != nil {
		return j, nil, true, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rooms[id] != nil {
		return j, nil, false, nil
	}
	if created, err = g.create(spec); err != nil {
		return j, nil, true, err
	}
	j, ok, err = created.join(m, since, g.fan.Now())
	return j, created, ok, err
}

// Leave takes m out of its room; the caller holds m's connection lock. It
// returns the room if that is gone with its last member.
func (g *Registry) Leave(m *Member) (deleted *Room) {
	r := m.Room
	if !r.leave(m) || !g.removeIfEmpty(r) {
		return nil
	}
	return r
}

// removeIfEmpty removes a room that is not explicit, has no member and need not
// be kept any longer.
func (g *Registry) removeIfEmpty(r *Room) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deleted || r.explicit || r.members.count > 0 {
		delete(g.resting, r)
		return false
	}
	if r.keptEmpty(g.fan.Now()) {
		g.resting[r] = struct{}{}
		return false
	}
	g.remove(r)
	return true
}

// Sweep removes the empty rooms whose time is up, and returns them.
func (g *Registry) Sweep() []*Room {
	g.mu.RLock()
	resting := make([]*Room, 0, len(g.resting))
	for r := range g.resting {
		resting = append(resting, r)
	}
	g.mu.RUnlock()
	var removed []*Room
	for _, r := range resting {
		if g.removeIfEmpty(r) {
			removed = append(removed, r)
		}
	}
	return removed
}

// Delete removes a room; nobody can join it or publish to it from then on. The
// members are returned for the caller to tell and take out with Expel.
func (g *Registry) Delete(id string) (*Room, []*Member, error) {
	g.mu.Lock()
	r := g.rooms[id]
	if r == nil {
		g.mu.Unlock()
		return nil, nil, errNotFound
	}
	r.mu.Lock()
	g.remove(r)
	r.mu.Unlock()
	g.mu.Unlock()
	return r, r.all(), nil
}

// Expel ends m's membership of a deleted room: not one frame of it is written
// from then on. The caller holds m's connection lock.
func (m *Member) Expel() { m.gone = true }

// Gone tells whether m is no member any more; the caller holds its
// connection's lock.
func (m *Member) Gone() bool { return m.gone }
