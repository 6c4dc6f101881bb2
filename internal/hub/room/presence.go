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
}

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
	if p.nJoined > 0 {
		r.enqueueNotice(true, p.joined, p.nJoined)
	}
	if p.nLeft > 0 {
		r.enqueueNotice(false, p.left, p.nLeft)
	}
	*p = presence{}
}

func (r *Room) enqueueNotice(joined bool, ids []string, count int) {
	if len(ids) != count || r.members.count > presenceNames {
		ids = nil
	}
	frame := r.fan.Notice(joined, r.id, ids, count, r.members.count)
	r.enqueue(&Message{Frame: frame, Op: wire.Text, V1Only: true}, false)
}
