// Package room holds rooms: their members, the fan-out of messages to them,
// and their history on this node.
//
// Locks: a member's connection lock comes before the registry's, which comes
// before a room's. Fan-out takes a snapshot of the members under the room's
// lock and then, without it, each member's connection lock in turn. Joining
// and leaving hold the connection lock throughout, so that for one member
// room_joined, replay, live messages and room_left are in order without any
// further care.
package room

import (
	"sync"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Rule is what a room's name decides about it.
type Rule struct {
	MaxClients  int // 0: no limit
	HistorySize int // messages; 0: no history
	HistoryTTL  time.Duration
	Presence    bool // members with gohub.v1 are told who comes and goes
	Create      bool // joining makes the room, without create:room
}

// Owner is whoever a membership belongs to.
type Owner interface{ ID() string }

// Member is one connection's membership of one room.
type Member struct {
	Conn  *conn.Conn
	Room  *Room
	Owner Owner // the client
	V1    bool  // the connection speaks gohub.v1
	Seat  bool  // it has a seat at the room's owner, see package cluster
	Drop  bool  // too slow: drop and announce the gap instead of closing

	// Guarded by Conn's lock.
	Muted bool   // may not read: gets no messages
	from  uint64 // the last sequence that is not owed
	gone  bool   // left: not one frame more
	gap   *Gap   // messages were dropped and the member has not been told

	// Guarded by the room's lock.
	block, slot int32
}

// Gap is what a member missed.
type Gap struct {
	From  string    // the position of the last message before it; "" without history
	Since time.Time // when the first message was dropped
}

// Room is one room. It is safe for concurrent use.
type Room struct {
	id        string
	rule      Rule
	fan       *FanOut
	shared    bool // has members on other nodes, too: see shared.go
	createdAt time.Time
	grace     time.Duration // how long it stays when empty, if it is not explicit

	mu         sync.Mutex // guards all below
	name       string
	max        int    // 0: no limit
	explicit   bool   // made by a call: stays when empty
	creator    string // the client it counts for
	deleted    bool
	members    memberList
	emptySince time.Time // when the last member left, or the room was made
	seq        uint64    // of the last message
	pending    []*Message
	bytes      int // in pending
	running    bool
	crowded    bool          // the last pass was not for one message alone
	passTime   time.Duration // of the last pass
	space      *sync.Cond    // waiters for pending to shrink; nil: none ever waited
	history    *history      // nil: none
	dedup      *dedup        // nil: no idempotency key was used
	presence   *presence     // nil: nobody to tell of
}

// ID returns the room's id.
func (r *Room) ID() string { return r.id }

// Rule returns the room's rule.
func (r *Room) Rule() Rule { return r.rule }

// Info is what a room looks like from outside.
type Info struct {
	ID, Name   string
	MaxClients int
	Members    int
	Explicit   bool
	CreatedAt  time.Time
}

// Info describes the room.
func (r *Room) Info() Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Info{r.id, r.name, r.max, r.members.count, r.explicit, r.createdAt}
}

// Errors of joining and leaving.
var (
	errNotFound = hub.NewError(hub.CodeRoomNotFound, "room not found")
	errFull     = hub.NewError(hub.CodeRoomFull, "room is full")
)

// Joined is the state of a room at the moment of joining.
type Joined struct {
	Position  string // of the last message; "" without history
	Recovered bool   // Replay is all that came after the position asked for
	Replay    [][]byte
}

// join makes m a member. since is the position to resume from, "" for none.
// The caller holds m's connection lock. ok is false where the room has been
// deleted meanwhile.
func (r *Room) join(m *Member, since string, now time.Time) (j Joined, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deleted {
		return j, false, nil
	}
	if !r.shared && r.max > 0 && r.members.count >= r.max {
		return j, true, errFull
	}
	m.Room = r
	m.from = r.seq
	r.members.add(m)
	if r.history != nil {
		j.Position = r.history.position()
		if since != "" {
			j.Replay, j.Recovered = r.history.after(since, now)
		}
	}
	r.noticeLocked(m.Owner.ID(), true)
	return j, true, nil
}

// leave takes m out; the caller holds its connection lock. It tells whether
// nobody is left.
func (r *Room) leave(m *Member) (empty bool) {
	m.gone = true
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deleted {
		return false
	}
	r.members.remove(m)
	r.noticeLocked(m.Owner.ID(), false)
	if r.members.count > 0 {
		return false
	}
	r.emptySince = r.fan.Now()
	return true
}

// keptEmpty tells whether an empty room that is not explicit stays for now: for
// its grace, or for its history. The caller holds the lock.
func (r *Room) keptEmpty(now time.Time) bool {
	return now.Sub(r.emptySince) < r.grace || !r.shared && r.history != nil && r.history.kept(now) > 0
}

// Members returns a page of at most limit members, the cursor of the next page
// ("" at the end is -1) and the number of all members. from is the cursor; -1
// begins. Whoever is a member throughout the paging is on a page.
func (r *Room) Members(from, limit int) (ids []string, next, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	page, next := r.members.page(from, limit)
	ids = make([]string, len(page))
	for i, m := range page {
		ids[i] = m.Owner.ID()
	}
	return ids, next, r.members.count
}

// IDs returns the ids of all members.
func (r *Room) IDs() []string {
	members := r.all()
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.Owner.ID()
	}
	return ids
}

// All returns all members.
func (r *Room) All() []*Member { return r.all() }

func (r *Room) all() []*Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Member, 0, r.members.count)
	for _, b := range r.members.blocks {
		all = append(all, b.members...)
	}
	return all
}

// History returns the newest messages before position before ("" for the
// end), oldest first, whether there are older ones, and the number of all.
func (r *Room) History(limit int, before string, now time.Time) (page []*Record, more bool, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.history == nil {
		return nil, false, 0
	}
	return r.history.newest(limit, before, now)
}
