package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// Rooms of a cluster have members on several nodes: what one node knows of them
// is not all. This file has what is different for them.

const (
	// clusterWithin bounds what a client waits for other nodes.
	clusterWithin = 5 * time.Second
	// sharedGrace is how long a node keeps a room that its last member has
	// left: the next may come at once, and need not ask everybody again. A room
	// made for somebody who joins must be there when other nodes have answered.
	sharedGrace = 2 * clusterWithin
)

// scopeNode says that a message went to the members on this node only.
const scopeNode = "node"

// within bounds what has no bound of its own.
func (h *Hub) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), clusterWithin)
}

// joinShared makes s a member of a room of the cluster: this node hears the
// room, the room's owner has a seat where seats are limited, and the history is
// here, before the client is told that it has joined.
func (h *Hub) joinShared(ctx context.Context, s *Session, q joinRequest) error {
	if err := s.mayJoin(q.room); err != nil {
		return err // at once, and again when it happens
	}
	ctx, cancel := context.WithTimeout(ctx, clusterWithin)
	defer cancel()
	found, err := h.cluster.Hold(ctx, q.room)
	if err != nil {
		return err
	}
	seat := false
	defer func() {
		if err != nil {
			h.letGo(q.room, seat)
		}
	}()
	var r *room.Room
	if r, err = h.present(q, s, found); err != nil {
		return err
	}
	if limit := r.Info().MaxClients; limit > 0 {
		if err = h.cluster.Admit(ctx, q.room, limit); err != nil {
			return err
		}
		seat = true
	}
	if r.Rule().HistorySize > 0 {
		since, none := cluster.ParsePosition(q.since) // one that is none is not recovered
		followed := h.cluster.Follow(ctx, q.room, since)
		switch {
		case followed == nil:
		case none == nil:
			// It would be told that what it missed is lost, which nobody knows.
			err = hub.NewError(hub.CodeTimeout, "the room's history cannot be read now: join again in a moment")
			return err
		default:
			h.log.Debug("room joined without its history", "error", followed)
		}
	}
	q.create = false
	err = h.joinHere(s, q, seat)
	return err
}

// confirm asks the owners of rooms with a limit whether the members here still
// have their seats, which others may have taken while this node was cut off.
// Whoever has none, the last to come first, has to leave.
func (h *Hub) confirm() {
	for _, r := range h.rooms.List() {
		info := r.Info()
		if info.MaxClients == 0 || info.Members == 0 {
			continue
		}
		for {
			ctx, cancel := context.WithTimeout(h.ctx, clusterWithin)
			leave, err := h.cluster.Confirm(ctx, r.ID(), info.MaxClients)
			cancel()
			if err == nil {
				h.expel(r, leave)
				break
			}
			if _, degraded := h.cluster.Degraded(); degraded || h.ctx.Err() != nil {
				return // asked again when the bus is back
			}
		}
	}
}

// expel has the last members to come leave a room.
func (h *Hub) expel(r *room.Room, n int) {
	if n == 0 {
		return
	}
	h.log.Info("members have to leave a room that was filled meanwhile", "room", r.ID(), "members", n)
	members := r.All()
	for _, m := range members[max(len(members)-n, 0):] {
		_ = h.leave(m.Owner.(*Session), r.ID(), 0) // it may have left meanwhile
	}
}

// letGo undoes the hold, and gives the seat back, of one member.
func (h *Hub) letGo(id string, seat bool) {
	if h.cluster == nil {
		return
	}
	if seat {
		h.cluster.Vacate(id)
	}
	h.cluster.Release(id)
}

// present returns the room on this node, made if some node has it or the client
// may make it.
func (h *Hub) present(q joinRequest, s *Session, found cluster.Presence) (*room.Room, error) {
	r, missing := h.rooms.Touch(q.room)
	switch {
	case missing == nil:
		return r, nil
	case !found.Exists && !q.create && len(found.Missing) > 0:
		return nil, hub.NewError(hub.CodeTimeout, "another hub did not say whether it has the room")
	case !found.Exists && !q.create:
		return nil, missing
	}
	creator := ""
	if !found.Exists {
		creator = s.id
	}
	r, err := h.rooms.Create(room.Spec{ID: q.room, Creator: creator, Grace: sharedGrace})
	if errors.Is(err, &hub.Error{Code: hub.CodeRoomExists}) {
		return h.rooms.Touch(q.room) // meanwhile
	}
	if err != nil {
		return nil, err
	}
	h.cluster.Unfollow(q.room)
	h.events.room(sdk.EventRoomCreated, s, q.room)
	return r, nil
}

// createShared makes a room on every node.
func (h *Hub) createShared(spec room.Spec) (*room.Room, error) {
	if err := h.rooms.MayCreate(spec.Creator); err != nil {
		return nil, err
	}
	ctx, cancel := h.within()
	defer cancel()
	rule := h.cfg.Rule(spec.ID)
	limit := rule.MaxClients
	if spec.MaxClients > 0 && (limit == 0 || spec.MaxClients < limit) {
		limit = spec.MaxClients
	}
	d := cluster.Definition{Room: spec.ID, Name: spec.Name, Max: limit, Grace: spec.Grace, CreatedAt: h.now()}
	if err := h.cluster.Create(ctx, d); err != nil {
		return nil, err
	}
	h.rooms.Credit(spec.ID, spec.Creator)
	return h.rooms.Get(spec.ID)
}

// publishShared sends a room_message to the members on every node.
func (h *Hub) publishShared(ctx context.Context, id string, r *room.Room, p publication) (sdk.Receipt, error) {
	if err := h.carried(len(p.content), p.exclude); err != nil {
		return sdk.Receipt{}, err
	}
	if h.cfg.Rule(id).HistorySize > 0 {
		return h.append(ctx, id, p)
	}
	now := h.now()
	sent, made := false, true
	send := func(frame []byte) {
		sent = h.cluster.Publish(cluster.Message{Room: id, Frame: frame, Exclude: p.exclude})
	}
	if r == nil {
		send(roomMessageFrame(id, p, "", "", now.UnixMilli()))
	} else {
		made = false
		_, ok := r.Publish(now, p.key, func(string, string) *room.Message {
			made = true
			m := h.message(id, p, "", "", now)
			send(m.Frame) // under the room's lock: the same order on every node
			return m
		})
		if !ok {
			return sdk.Receipt{}, errNoRoom
		}
	}
	if made {
		h.metrics.published.Inc()
		h.events.roomMessage(p.sender, sdk.Event{RoomID: id, SenderID: p.senderID}, p.content)
	}
	if made && !sent {
		return sdk.Receipt{Scope: scopeNode}, nil
	}
	return sdk.Receipt{Scope: scopeCluster}, nil
}

// carried returns an error for what is too large to reach other nodes: it must
// not reach the clients here only. exclude goes with it.
func (h *Hub) carried(size int, exclude []string) error {
	if h.cluster == nil {
		return nil
	}
	for _, id := range exclude {
		size += len(id) + 2
	}
	if most := h.cluster.MaxMessage(); size > most {
		return hub.NewError(hub.CodeTooLarge, "the message is larger than the bus carries to other hubs (%d bytes)", most)
	}
	return nil
}

// append adds a room_message to the room's history; it is delivered, here too,
// when it comes from there.
func (h *Hub) append(ctx context.Context, id string, p publication) (sdk.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWithin)
	defer cancel()
	e := entry{boot: h.cluster.Boot(), senderID: p.senderID, at: h.now(), exclude: p.exclude, content: p.content}
	if p.sender != nil {
		e.stamp = p.sender.since
	}
	rule := h.cfg.Rule(id)
	keep := bus.Retention{Size: rule.HistorySize, TTL: rule.HistoryTTL}
	place, err := h.cluster.Append(ctx, id, h.entryID(p.key), e.encode(), keep)
	switch {
	case errors.Is(err, bus.ErrRefused):
		return sdk.Receipt{}, errRefused
	case errors.Is(err, bus.ErrUnknown):
		return sdk.Receipt{}, errUnknown
	case err != nil:
		return sdk.Receipt{}, hub.NewError(hub.CodeServer, "the message was not taken: %s", err)
	}
	h.metrics.published.Inc()
	position := cluster.Position(bus.Tail{Epoch: place.Epoch, Offset: place.Offset})
	h.events.roomMessage(p.sender, sdk.Event{RoomID: id, SenderID: p.senderID, Position: position}, p.content)
	return sdk.Receipt{Position: position, Scope: scopeCluster}, nil
}

// The outcomes of a publish that are not "sent".
var (
	errRefused = &hub.Error{
		Code: hub.CodeServer, Message: "refused: the bus is away, and this room keeps a history; the message will not arrive",
		Details: map[string]any{"outcome": "refused"},
	}
	errUnknown = &hub.Error{
		Code: hub.CodeTimeout, Message: "outcome unknown: the message arrives at most once, or not at all; sent again with the same idempotency_key it counts once",
		Details: map[string]any{"outcome": "unknown"},
	}
)

// entryID names an entry, so that one that is sent again counts once.
func (h *Hub) entryID(k room.Key) string {
	if k.Text == "" {
		return strconv.FormatUint(h.cluster.Boot(), 36) + "-" + strconv.FormatUint(h.entries.Add(1), 36)
	}
	sum := sha256.Sum256([]byte(k.Client + "\x00" + k.Text))
	return "k-" + hex.EncodeToString(sum[:16])
}

// sharedRoom tells whether a room that is not on this node is on another.
func (h *Hub) sharedRoom(ctx context.Context, id string) error {
	exists, err := h.cluster.Exists(ctx, id)
	if err != nil {
		return err
	}
	if !exists {
		return errNoRoom
	}
	return nil
}

// target returns the room on this node, nil where only others have it. An error
// says that none has it.
func (h *Hub) target(ctx context.Context, id string) (*room.Room, error) {
	r, err := h.rooms.Get(id)
	if err == nil || h.cluster == nil {
		return r, err
	}
	return nil, h.sharedRoom(ctx, id)
}

// dropRoom removes a room from this node and takes its members out, who are
// told. It tells whether it was there.
func (h *Hub) dropRoom(id string) bool {
	_, members, err := h.rooms.Delete(id)
	if err != nil {
		return false
	}
	for _, m := range members {
		s := m.Owner.(*Session)
		s.Lock()
		if !m.Gone() {
			m.Expel()
			h.left(s, m, 0)
		}
		s.Unlock()
	}
	return true
}
