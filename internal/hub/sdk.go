package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

var _ sdk.Hub = (*Hub)(nil)

// ClientCount returns the number of clients.
func (h *Hub) ClientCount() int { return int(h.clients.count.Load()) }

// RoomCount returns the number of rooms.
func (h *Hub) RoomCount() int { return h.rooms.Len() }

// BroadcastAll sends a frame to every client.
func (h *Hub) BroadcastAll(f hub.Frame) error {
	frame, op, err := encode(f)
	if err != nil {
		return err
	}
	m := &room.Message{Frame: frame, Op: op}
	for _, s := range h.clients.all() {
		_ = s.write(m.For(&s.Conn, &h.fan.Deflater)) // counted where it fails
	}
	return nil
}

// SendToClient sends a frame to a client.
func (h *Hub) SendToClient(id string, f hub.Frame) error {
	frame, _, err := encode(f)
	if err != nil {
		return err
	}
	return h.sendFrame(id, frame)
}

// sendFrame sends a finished frame to every connection of a client. It fails
// only where none took it.
func (h *Hub) sendFrame(id string, frame []byte) error {
	sessions := h.clients.every(id)
	if len(sessions) == 0 {
		return errNoClient
	}
	sent := false
	var failed error
	for _, s := range sessions {
		if err := s.write(frame); err != nil {
			failed = err
		} else {
			sent = true
		}
	}
	switch {
	case sent:
		return nil
	case errors.Is(failed, hub.ErrTooSlow):
		return hub.NewError(hub.CodeClientOffline, "the client does not keep up")
	default:
		return hub.NewError(hub.CodeClientOffline, "the client is leaving")
	}
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
	r, err := h.rooms.Get(id)
	if err != nil {
		return sdk.Room{}, err
	}
	return listRoom(r), nil
}

// ListRooms describes all rooms, ordered by id.
func (h *Hub) ListRooms() []sdk.Room {
	rooms := h.rooms.List()
	list := make([]sdk.Room, len(rooms))
	for i, r := range rooms {
		list[i] = listRoom(r)
	}
	slices.SortFunc(list, func(a, b sdk.Room) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// JoinRoom makes a client a member of an existing room.
func (h *Hub) JoinRoom(roomID, client string) error {
	if _, err := h.rooms.Get(roomID); err != nil {
		return err
	}
	return h.eachSession(client, func(s *Session) error {
		return h.join(s, joinRequest{room: roomID})
	})
}

// LeaveRoom takes a client out of a room.
func (h *Hub) LeaveRoom(roomID, client string) error {
	if _, err := h.rooms.Get(roomID); err != nil {
		return err
	}
	return h.eachSession(client, func(s *Session) error { return h.leave(s, roomID, 0) })
}

// eachSession does something with every connection of a client. It returns the
// error only where all of them fail.
func (h *Hub) eachSession(client string, f func(*Session) error) error {
	sessions := h.clients.every(client)
	if len(sessions) == 0 {
		return errNoClient
	}
	done := false
	var failed error
	for _, s := range sessions {
		if err := f(s); err != nil {
			failed = err
		} else {
			done = true
		}
	}
	if done {
		return nil
	}
	return failed
}

// BroadcastToRoom sends a frame as it is to the members of a room.
func (h *Hub) BroadcastToRoom(roomID string, f hub.Frame, exclude []string) error {
	r, err := h.rooms.Get(roomID)
	if err != nil {
		return err
	}
	frame, op, err := encode(f)
	if err != nil {
		return err
	}
	m := &room.Message{Frame: frame, Op: op, Exclude: h.connections(exclude)}
	if !r.Broadcast(m) {
		return hub.NewError(hub.CodeRoomNotFound, "room not found")
	}
	h.metrics.published.Inc()
	h.events.roomMessage(nil, roomID, f.Data)
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
	r, err := h.rooms.Get(p.Room)
	if err != nil {
		return sdk.Receipt{}, err
	}
	return h.publish(r, publication{
		content: slices.Clone(p.Content), senderID: p.SenderID, exclude: h.connections(p.Exclude), key: p.IdempotencyKey,
	})
}

// RoomMembers returns the ids of a room's members.
func (h *Hub) RoomMembers(id string) ([]string, error) {
	r, err := h.rooms.Get(id)
	if err != nil {
		return nil, err
	}
	return r.IDs(), nil
}

// MembersPage returns a page of a room's members, as room_members does.
func (h *Hub) MembersPage(id string, limit int, cursor string) (ids []string, next string, count int, err error) {
	r, err := h.rooms.Get(id)
	if err != nil {
		return nil, "", 0, err
	}
	return h.members(r, limit, cursor)
}

// RoomHistory returns the newest messages of a room.
func (h *Hub) RoomHistory(id string, limit int) ([]sdk.Message, error) {
	page, _, _, err := h.HistoryPage(id, limit, "")
	return page, err
}

// HistoryPage returns a page of a room's history, as room_history does.
func (h *Hub) HistoryPage(id string, limit int, cursor string) (page []sdk.Message, next string, count int, err error) {
	r, err := h.rooms.Get(id)
	if err != nil {
		return nil, "", 0, err
	}
	page, next, count = h.history(r, max(limit, 0), cursor)
	return page, next, count, nil
}

// Client returns a client.
func (h *Hub) Client(id string) (*hub.Client, error) {
	s := h.clients.get(id)
	if s == nil {
		return nil, errNoClient
	}
	return &s.client, nil
}

// DisconnectClient closes the connections of a client.
func (h *Hub) DisconnectClient(id string, code int, reason string) error {
	if code < 1000 || code > 4999 {
		return hub.NewError(hub.CodeFormat, "close code must be 1000 to 4999")
	}
	return h.eachSession(id, func(s *Session) error {
		s.Close(code, reason)
		return nil
	})
}

// Request asks a client and waits for its answer.
func (h *Hub) Request(ctx context.Context, client, messageType string, data any) (json.RawMessage, error) {
	s := h.clients.get(client)
	if s == nil {
		return nil, errNoClient
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode request %q: %w", messageType, err)
	}
	if !utf8.Valid(raw) { // a json.RawMessage, or in one
		return nil, fmt.Errorf("encode request %q: %w", messageType, hub.ErrNotUTF8)
	}
	id := h.requests.Add(1)
	x := s.more()
	wait, ok := x.expect(id)
	if !ok {
		return nil, errOffline
	}
	defer x.forget(id)
	if err := s.write(dispatch.Frame(messageType, raw, h.millis(), id, 0)); err != nil {
		return nil, fmt.Errorf("send request %q: %w", messageType, err)
	}
	select {
	case a, ok := <-wait:
		if !ok {
			return nil, errOffline
		}
		if a.messageType == "error" {
			return nil, answeredError(a.data)
		}
		return a.data, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the answer to %q: %w", messageType, ctx.Err())
	}
}

var errOffline = hub.NewError(hub.CodeClientOffline, "the client has left")

// answeredError turns a client's error answer into an error.
func answeredError(data json.RawMessage) error {
	var e struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Details json.RawMessage `json:"details"`
	}
	if err := json.Unmarshal(data, &e); err != nil || e.Code == 0 {
		return hub.NewError(hub.CodeUnknown, "the client answered with an error")
	}
	out := &hub.Error{Code: e.Code, Message: e.Message}
	if len(e.Details) > 0 {
		out.Details = e.Details
	}
	return out
}
