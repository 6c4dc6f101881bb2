package room

import (
	"time"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

const (
	// presenceInterval is how long comings and goings are gathered into one
	// notice.
	presenceInterval = 100 * time.Millisecond
	// presenceNames is the room size up to which a notice names the clients;
	// in larger rooms it only counts.
	presenceNames = 1000
	// presenceBytes bounds the names in a notice: whoever comes and goes all
	// the time must not make one that is larger than a message may be.
	presenceBytes = 48 << 10
)

// presence gathers who came and went until the next notice.
type presence struct {
	joined, left   []string
	nJoined, nLeft int
	bytes          int // of joined and left
	scheduled      bool

	elsewhere map[uint64]int // members on other nodes, by node
}

// Change is who came into or left a room on one node.
type Change struct {
	Joined, Left   []string `json:",omitempty"` // nil where there are too many to name
	NJoined, NLeft int      `json:",omitempty"`
	Members        int      // on that node, now
}

// Share sends a change to the other nodes of a shared room; it is called under
// the room's lock.
type Share func(room string, c Change)

// Notice builds the frame of member_joined or member_left: ids is nil where
// the room is too large to name them; count is how many came or went, members
// how many there are now.
type Notice func(joined bool, room string, ids []string, count, members int) []byte

// noticeLocked notes that a client came or went, for members that want to know.
func (r *Room) noticeLocked(id string, joined bool) {
	p := r.presence
	if p == nil {
		return
	}
	named := r.members.count <= presenceNames && p.bytes+len(id) <= presenceBytes
	if named {
		p.bytes += len(id)
	}
	if joined {
		p.nJoined++
		if named {
			p.joined = append(p.joined, id)
		}
	} else {
		p.nLeft++
		if named {
			p.left = append(p.left, id)
		}
	}
	if !p.scheduled {
		p.scheduled = true
		time.AfterFunc(presenceInterval, r.sendNotices)
	}
}

func (r *Room) sendNotices() {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.presence
	if r.deleted {
		return
	}
	if len(p.joined) != p.nJoined || r.members.count > presenceNames {
		p.joined = nil
	}
	if len(p.left) != p.nLeft || r.members.count > presenceNames {
		p.left = nil
	}
	c := Change{Joined: p.joined, Left: p.left, NJoined: p.nJoined, NLeft: p.nLeft, Members: r.members.count}
	*p = presence{elsewhere: p.elsewhere}
	r.enqueueChange(c)
	if r.shared {
		r.fan.Share(r.id, c)
	}
}

// enqueueChange tells the members here of who came and went. The caller holds
// the lock.
func (r *Room) enqueueChange(c Change) {
	if c.NJoined > 0 {
		r.enqueueNotice(true, c.Joined, c.NJoined)
	}
	if c.NLeft > 0 {
		r.enqueueNotice(false, c.Left, c.NLeft)
	}
}

func (r *Room) enqueueNotice(joined bool, ids []string, count int) {
	members := r.members.count
	for _, n := range r.presence.elsewhere {
		members += n
	}
	frame := r.fan.Notice(joined, r.id, ids, count, members)
	r.enqueue(&Message{Frame: frame, Op: wire.Text, V1Only: true}, false)
}

// Changed takes a change on another node. A node that is heard for the first
// time is told of this one's members.
func (r *Room) Changed(node uint64, c Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.presence
	if p == nil || r.deleted {
		return
	}
	_, known := p.elsewhere[node]
	if p.elsewhere == nil {
		p.elsewhere = make(map[uint64]int)
	}
	if p.elsewhere[node] = c.Members; c.Members == 0 {
		delete(p.elsewhere, node)
	}
	r.enqueueChange(c)
	if !known && c.Members > 0 && r.members.count > 0 {
		r.fan.Share(r.id, Change{Members: r.members.count})
	}
}

// NodeGone forgets the members on a node that is gone; nobody can say who they
// were.
func (r *Room) NodeGone(node uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.presence
	if p == nil || p.elsewhere[node] == 0 || r.deleted {
		return
	}
	c := Change{NLeft: p.elsewhere[node]}
	delete(p.elsewhere, node)
	r.enqueueChange(c)
}
