package hub

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// membersAnswer is a page of the members on one node.
type membersAnswer struct {
	IDs   []string `json:"ids,omitempty"`
	Next  int      `json:"next"` // -1: no more
	Count int      `json:"count"`
}

// begin is where a node's page began.
func (membersAnswer) begin(q packet, boot uint64) int {
	if boot == q.Node {
		return q.From
	}
	return -1
}

func (h *Hub) membersHere(q packet, boot uint64) membersAnswer {
	r, err := h.rooms.Get(q.Room)
	if err != nil {
		return membersAnswer{Next: -1}
	}
	from, limit := -1, q.Limit
	switch {
	case boot < q.Node:
		limit = 0
	case boot == q.Node:
		from = q.From
	}
	ids, next, count := r.Members(from, min(limit, q.fit()))
	return membersAnswer{IDs: ids, Next: next, Count: count}
}

// fit is how many ids surely go into one answer, whatever they are: JSON makes
// six bytes of some.
func (q packet) fit() int { return maxPageBytes / (6 * maxName) }

// maxPageBytes bounds the answer of one node.
const maxPageBytes = 512 << 10

func (h *Hub) answerMembers(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	q, _, err := readPacket(question)
	if err != nil {
		return nil, err
	}
	return json.Marshal(h.membersHere(q, h.cluster.Boot()))
}

// sharedMembers returns a page of a room's members: those of one node behind
// those of another, in the order of their runs.
func (h *Hub) sharedMembers(ctx context.Context, id string, limit int, cursor string) (page, error) {
	q := packet{Room: id, Limit: limit, From: -1}
	if cursor != "" {
		node, from, _ := strings.Cut(cursor, ".")
		var err1, err2 error
		q.Node, err1 = strconv.ParseUint(node, 36, 64)
		q.From, err2 = strconv.Atoi(from)
		if err1 != nil || err2 != nil || q.From < -1 {
			return page{}, errCursor
		}
	}
	type part struct {
		boot uint64
		membersAnswer
	}
	parts := []part{{h.cluster.Boot(), h.membersHere(q, h.cluster.Boot())}}
	var p page
	p.missing = h.cluster.AskAll(ctx, "members", q.encode(nil), func(n cluster.NodeInfo, answer []byte) {
		x := part{boot: n.Boot}
		if json.Unmarshal(answer, &x.membersAnswer) == nil {
			parts = append(parts, x)
		}
	})
	slices.SortFunc(parts, func(a, b part) int {
		if a.boot < b.boot {
			return -1
		}
		return 1
	})
	full := false
	for _, x := range parts {
		p.count += x.Count
		if full || x.boot < q.Node {
			continue
		}
		if len(p.ids)+len(x.IDs) > limit { // it begins the next page
			full = true
			p.next = strconv.FormatUint(x.boot, 36) + "." + strconv.Itoa(max(x.begin(q, x.boot), -1))
			continue
		}
		p.ids = append(p.ids, x.IDs...)
		if x.Next >= 0 {
			full = true
			p.next = strconv.FormatUint(x.boot, 36) + "." + strconv.Itoa(x.Next)
		}
	}
	return p, nil
}

// roomsAnswer is a part of the rooms on one node.
type roomsAnswer struct {
	Rooms []sdk.Room `json:"rooms"`
	After string     `json:"after,omitempty"` // ask again with it
}

// roomsPage is how many rooms go into one answer.
const roomsPage = 1000

func (h *Hub) answerRooms(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	q, _, err := readPacket(question)
	if err != nil {
		return nil, err
	}
	if q.Room != "" { // this one
		r, err := h.rooms.Get(q.Room)
		if err != nil {
			return json.Marshal(roomsAnswer{})
		}
		return json.Marshal(roomsAnswer{Rooms: []sdk.Room{listRoom(r)}})
	}
	list := h.roomsHere()
	i, _ := slices.BinarySearchFunc(list, q.Text, func(r sdk.Room, after string) int {
		if r.ID <= after {
			return -1
		}
		return 1
	})
	a := roomsAnswer{Rooms: list[i:]}
	if len(a.Rooms) > roomsPage {
		a.Rooms = a.Rooms[:roomsPage]
		a.After = a.Rooms[roomsPage-1].ID
	}
	return json.Marshal(a)
}

// roomsHere describes the rooms on this node, ordered by id.
func (h *Hub) roomsHere() []sdk.Room {
	rooms := h.rooms.List()
	list := make([]sdk.Room, len(rooms))
	for i, r := range rooms {
		list[i] = listRoom(r)
	}
	slices.SortFunc(list, func(a, b sdk.Room) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// sharedRooms describes the rooms on all nodes, ordered by id; one of them only
// where id is not "".
func (h *Hub) sharedRooms(ctx context.Context, id string) (list []sdk.Room, missing []string) {
	all := make(map[string]sdk.Room)
	add := func(rooms []sdk.Room) {
		for _, r := range rooms {
			if have, ok := all[r.ID]; ok {
				have.Members += r.Members
				if r.CreatedAt.Before(have.CreatedAt) {
					have.CreatedAt = r.CreatedAt
				}
				all[r.ID] = have
			} else {
				all[r.ID] = r
			}
		}
	}
	if id == "" {
		add(h.roomsHere())
	} else if r, err := h.rooms.Get(id); err == nil {
		add([]sdk.Room{listRoom(r)})
	}
	q := packet{Room: id}
	more := make(map[uint64]string)
	missing = h.cluster.AskAll(ctx, "rooms", q.encode(nil), func(n cluster.NodeInfo, answer []byte) {
		var a roomsAnswer
		if json.Unmarshal(answer, &a) == nil {
			add(a.Rooms)
			if a.After != "" {
				more[n.Boot] = a.After
			}
		}
	})
	for boot, after := range more {
		for after != "" {
			answer, err := h.cluster.Ask(ctx, boot, "rooms", packet{Text: after}.encode(nil))
			var a roomsAnswer
			if err != nil || json.Unmarshal(answer, &a) != nil {
				missing = append(missing, h.cluster.NodeID(boot))
				break
			}
			add(a.Rooms)
			after = a.After
		}
	}
	for _, r := range all {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b sdk.Room) int { return strings.Compare(a.ID, b.ID) })
	return list, missing
}

// historyOf has the history of a room be on this node until release is called;
// the room is nil where it keeps none and only other nodes have it.
func (h *Hub) historyOf(ctx context.Context, id string) (r *room.Room, release func(), err error) {
	if h.cluster == nil || h.cfg.Rule(id).HistorySize == 0 {
		r, err := h.target(ctx, id)
		return r, func() {}, err
	}
	found, err := h.cluster.Hold(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	release = func() { h.cluster.Release(id) }
	r, missing := h.rooms.Get(id)
	if missing != nil {
		if !found.Exists {
			release()
			return nil, nil, missing
		}
		if r, err = h.rooms.Create(room.Spec{ID: id, Grace: sharedGrace}); err != nil {
			if r, err = h.rooms.Get(id); err != nil {
				release()
				return nil, nil, err
			}
		} else {
			h.cluster.Unfollow(id)
		}
	}
	if err := h.cluster.Follow(ctx, id, bus.Tail{}); err != nil {
		release()
		return nil, nil, err
	}
	return r, release, nil
}
