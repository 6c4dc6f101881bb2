package hub

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

var _ sdk.Hub = (*Hub)(nil)

// ClientCount returns the number of clients.
func (h *Hub) ClientCount() int { return int(h.clients.count.Load()) }

// RoomCount returns the number of rooms.
func (h *Hub) RoomCount() int { return h.rooms.Len() }

// ClusterStats describes the nodes.
func (h *Hub) ClusterStats() sdk.ClusterStats {
	if h.cluster == nil {
		return sdk.ClusterStats{
			Nodes:       []sdk.Node{{ID: h.cfg.Node, Connections: h.ClientCount(), Rooms: h.RoomCount(), Ready: true, Draining: h.Draining()}},
			Connections: h.ClientCount(),
		}
	}
	var s sdk.ClusterStats
	_, s.Degraded = h.cluster.Degraded()
	for _, n := range h.cluster.Nodes() {
		s.Nodes = append(s.Nodes, sdk.Node{
			ID: n.ID, Address: n.Address, Version: n.Version, Connections: n.Load.Clients, Rooms: n.Load.Rooms, Load: n.Rate,
			Ready: n.Ready, Silent: n.Silent, Draining: n.Draining,
		})
		s.Connections += n.Load.Clients
	}
	return s
}

// CreateRoom makes a room.
func (h *Hub) CreateRoom(id, name string, maxClients int) error {
	if bad := checkName("room id", id); bad != nil {
		return bad
	}
	if maxClients < 0 {
		return hub.NewError(hub.CodeFormat, "maxClients must be 0 (no limit) or more")
	}
	_, err := h.createRoom(room.Spec{ID: id, Name: name, MaxClients: maxClients, Explicit: true}, nil)
	return err
}

// DeleteRoom removes a room.
func (h *Hub) DeleteRoom(id string) error { return h.deleteRoom(id, nil) }

// Room describes a room.
func (h *Hub) Room(id string) (sdk.Room, error) {
	ctx, cancel := h.within()
	defer cancel()
	r, err := h.target(ctx, id)
	if err != nil {
		return sdk.Room{}, err
	}
	if h.cluster == nil {
		return listRoom(r), nil
	}
	list, _ := h.sharedRooms(ctx, id)
	if len(list) == 0 {
		return sdk.Room{}, errNoRoom
	}
	return list[0], nil
}

// ListRooms describes all rooms, ordered by id.
func (h *Hub) ListRooms() []sdk.Room {
	list, _ := h.RoomsPage()
	return list
}

// RoomsPage describes all rooms, ordered by id, and names the nodes that did not
// say what they have.
func (h *Hub) RoomsPage() (list []sdk.Room, missing []string) {
	if h.cluster == nil {
		return h.roomsHere(), nil
	}
	ctx, cancel := h.within()
	defer cancel()
	return h.sharedRooms(ctx, "")
}

// JoinRoom makes a client a member of an existing room.
func (h *Hub) JoinRoom(roomID, client string) error {
	return h.inRoom(roomID, client, "join", func(ctx context.Context, s *Session) error {
		return h.join(ctx, s, joinRequest{room: roomID})
	})
}

// LeaveRoom takes a client out of a room.
func (h *Hub) LeaveRoom(roomID, client string) error {
	return h.inRoom(roomID, client, "leave", func(_ context.Context, s *Session) error { return h.leave(s, roomID, 0) })
}

// inRoom does something with a client and an existing room.
func (h *Hub) inRoom(roomID, client, do string, f func(context.Context, *Session) error) error {
	ctx, cancel := h.within()
	defer cancel()
	if _, err := h.target(ctx, roomID); err != nil {
		return err
	}
	return h.withClient(ctx, client, func(s *Session) error { return f(ctx, s) }, packet{ID: client, Room: roomID, Do: do})
}

// BroadcastToRoom sends a frame as it is to the members of a room.
func (h *Hub) BroadcastToRoom(roomID string, f hub.Frame, exclude []string) error {
	ctx, cancel := h.within()
	defer cancel()
	r, err := h.target(ctx, roomID)
	if err != nil {
		return err
	}
	frame, op, err := encode(f)
	if err == nil {
		err = h.carried(len(frame), exclude)
	}
	if err != nil {
		return err
	}
	h.wake()
	if r != nil && !r.Broadcast(&room.Message{Frame: frame, Op: op, Exclude: h.connections(exclude)}) {
		return errNoRoom
	}
	if h.cluster != nil {
		h.cluster.Publish(cluster.Message{Room: roomID, Frame: frame, Exclude: exclude})
	}
	h.metrics.published.Inc()
	h.events.roomMessage(nil, sdk.Event{RoomID: roomID}, f.Data)
	return nil
}

func (h *Hub) connections(ids []string) []*conn.Conn {
	var conns []*conn.Conn
	for _, id := range ids {
		for _, s := range h.clients.every(id) {
			conns = append(conns, &s.Conn)
		}
	}
	return conns
}

// Publish sends a room_message to a room.
func (h *Hub) Publish(p sdk.Publication) (sdk.Receipt, error) {
	switch {
	case len(p.Content) == 0 || !json.Valid(p.Content) || !utf8.Valid(p.Content):
		return sdk.Receipt{}, hub.NewError(hub.CodeFormat, "content must be a JSON value in UTF-8")
	case h.cfg.Engine.MaxMessage > 0 && len(p.Content) > h.cfg.Engine.MaxMessage:
		return sdk.Receipt{}, hub.NewError(hub.CodeTooLarge, "content is larger than a message may be (%d bytes)", h.cfg.Engine.MaxMessage)
	case len(p.IdempotencyKey) > maxName:
		return sdk.Receipt{}, hub.NewError(hub.CodeFormat, "idempotency_key is longer than %d bytes", maxName)
	}
	ctx, cancel := h.within()
	defer cancel()
	r, err := h.target(ctx, p.Room)
	if err != nil {
		return sdk.Receipt{}, err
	}
	return h.publish(ctx, p.Room, r, publication{
		content: slices.Clone(p.Content), senderID: p.SenderID, exclude: p.Exclude, key: room.Key{Text: p.IdempotencyKey},
	})
}

// RoomMembers returns the ids of a room's members.
func (h *Hub) RoomMembers(id string) ([]string, error) {
	ctx, cancel := h.within()
	defer cancel()
	r, err := h.target(ctx, id)
	if err != nil {
		return nil, err
	}
	if h.cluster == nil {
		return r.IDs(), nil
	}
	var ids []string
	for cursor := ""; ; {
		p, err := h.members(ctx, id, r, maxPage, cursor)
		if err != nil {
			return nil, err
		}
		if len(p.missing) > 0 {
			return nil, hub.NewError(hub.CodeTimeout, "these hubs did not say who is in the room: %s", strings.Join(p.missing, ", "))
		}
		ids = append(ids, p.ids...)
		if cursor = p.next; cursor == "" {
			return ids, nil
		}
	}
}

// Members is a page of a room's members.
type Members struct {
	IDs     []string
	Next    string   // the cursor of the next page; "": no more
	Count   int      // of all members
	Missing []string // nodes that did not answer
}

// MembersPage returns a page of a room's members, as room_members does.
func (h *Hub) MembersPage(ctx context.Context, id string, limit int, cursor string) (Members, error) {
	r, err := h.target(ctx, id)
	if err != nil {
		return Members{}, err
	}
	p, err := h.members(ctx, id, r, limit, cursor)
	return Members{p.ids, p.next, p.count, p.missing}, err
}

// RoomHistory returns the newest messages of a room.
func (h *Hub) RoomHistory(id string, limit int) ([]sdk.Message, error) {
	ctx, cancel := h.within()
	defer cancel()
	page, _, _, err := h.HistoryPage(ctx, id, max(limit, 0), "")
	return page, err
}

// HistoryPage returns a page of a room's history, as room_history does.
func (h *Hub) HistoryPage(ctx context.Context, id string, limit int, cursor string) (page []sdk.Message, next string, count int, err error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWithin)
	defer cancel()
	r, release, err := h.historyOf(ctx, id)
	if err != nil {
		return nil, "", 0, err
	}
	defer release()
	if r == nil { // another node has it, and it keeps no history
		return []sdk.Message{}, "", 0, nil
	}
	return h.history(r, limit, cursor)
}
