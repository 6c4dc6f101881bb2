package hub

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// joinRequest is a wish to become a member.
type joinRequest struct {
	room      string
	since     string // position to resume from; "": none
	create    bool   // a missing room is made
	requestID int64
}

// join makes s a member. It holds the connection's lock throughout, so that
// room_joined, the replay and live messages are in this order on the wire.
func (h *Hub) join(s *Session, q joinRequest) error {
	m := &room.Member{
		Conn: &s.Conn, Owner: s, V1: s.v1, Drop: s.dropsSlow(),
	}
	var create func() (room.Spec, error)
	if q.create {
		create = func() (room.Spec, error) { return room.Spec{ID: q.room, Creator: s.id}, nil }
	}
	s.Lock()
	defer s.Unlock()
	// Under the lock: renew changes the claims and the members there.
	m.Muted = !s.HasRoomPermission(auth.PermReadMessage, q.room)
	switch limit := h.cfg.MaxRoomsPerClient; {
	case !s.OpenLocked():
		return hub.ErrClosed
	case s.member(q.room) != nil:
		return hub.NewError(hub.CodeAlreadyInRoom, "the client is in this room already")
	case limit > 0 && len(s.rooms) >= limit:
		return hub.NewError(hub.CodeRateLimited, "the client is in as many rooms as it may be (%d)", limit)
	}
	j, created, err := h.rooms.Join(m, q.room, q.since, create)
	if err != nil {
		return err
	}
	s.rooms = append(s.rooms, m)
	if created != nil {
		h.events.room(sdk.EventRoomCreated, s, q.room)
	}
	h.events.room(sdk.EventRoomJoined, s, q.room)
	frames := [][]byte{dispatch.Frame("room_joined", joinedData(q, j), h.millis(), 0, q.requestID)}
	if !m.Muted {
		frames = append(frames, j.Replay...)
	}
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	if err := s.WriteAllLocked(frames, size); errors.Is(err, conn.ErrSlow) {
		s.CloseLocked(hub.CloseTooSlow, "too slow: the send queue is full")
	}
	h.metrics.sent(len(frames), size)
	return nil
}

func joinedData(q joinRequest, j room.Joined) []byte {
	data := append(make([]byte, 0, 128), `{"room_id":`...)
	data = dispatch.AppendString(data, q.room)
	data = append(data, `,"status":"joined"`...)
	if j.Position != "" {
		data = append(data, `,"position":`...)
		data = dispatch.AppendString(data, j.Position)
	}
	if q.since != "" {
		data = append(data, `,"recovered":`...)
		data = strconv.AppendBool(data, j.Recovered)
	}
	return append(data, '}')
}

// leave ends a membership; nothing of the room is written behind room_left.
func (h *Hub) leave(s *Session, id string, requestID int64) error {
	if _, err := h.rooms.Get(id); err != nil {
		return err
	}
	s.Lock()
	defer s.Unlock()
	m := s.member(id)
	if m == nil {
		return errNotInRoom
	}
	deleted := h.rooms.Leave(m)
	h.left(s, m, requestID)
	if deleted != nil {
		h.events.room(sdk.EventRoomDeleted, s, id)
	}
	return nil
}

// left forgets a membership that has ended and tells the client; the caller
// holds the connection's lock.
func (h *Hub) left(s *Session, m *room.Member, requestID int64) {
	for i, x := range s.rooms {
		if x == m {
			last := len(s.rooms) - 1
			s.rooms[i] = s.rooms[last]
			s.rooms[last] = nil
			s.rooms = s.rooms[:last]
			break
		}
	}
	data := append(make([]byte, 0, 128), `{"room_id":`...)
	data = dispatch.AppendString(data, m.Room.ID())
	data = append(data, `,"status":"left"}`...)
	frame := dispatch.Frame("room_left", data, h.millis(), 0, requestID)
	if err := s.WriteLocked(frame); errors.Is(err, conn.ErrSlow) {
		s.CloseLocked(hub.CloseTooSlow, "too slow: the send queue is full")
	}
	h.metrics.sent(1, len(frame))
	h.events.room(sdk.EventRoomLeft, s, m.Room.ID())
}

func (h *Hub) createRoom(spec room.Spec, by *Session) (*room.Room, error) {
	r, err := h.rooms.Create(spec)
	if err == nil {
		h.events.room(sdk.EventRoomCreated, by, spec.ID)
	}
	return r, err
}

// deleteRoom removes a room and takes its members out, who are told.
func (h *Hub) deleteRoom(id string, by *Session) error {
	_, members, err := h.rooms.Delete(id)
	if err != nil {
		return err
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
	h.events.room(sdk.EventRoomDeleted, by, id)
	return nil
}

// publication is a room_message on its way.
type publication struct {
	content  json.RawMessage
	senderID string
	sender   *Session // does not get it; nil: none
	exclude  []*conn.Conn
	key      string // idempotency key; "": none
}

// scopeCluster says that a message goes to the members on every node.
const scopeCluster = "cluster"

// publish sends a room_message to a room.
func (h *Hub) publish(r *room.Room, p publication) (sdk.Receipt, error) {
	now := h.now()
	made := false // a repeated key publishes nothing
	position, ok := r.Publish(now, p.key, func(position, prev string) *room.Message {
		made = true
		m := &room.Message{Frame: roomMessageFrame(r.ID(), p, position, prev, now.UnixMilli()), Op: wire.Text, Exclude: p.exclude}
		if p.sender != nil {
			m.Sender = &p.sender.Conn
		}
		if position != "" {
			m.Record = &room.Record{Frame: m.Frame, Content: p.content, SenderID: p.senderID, At: now, Position: position, Prev: prev}
		}
		return m
	})
	if !ok {
		return sdk.Receipt{}, hub.NewError(hub.CodeRoomNotFound, "room not found")
	}
	if made {
		h.metrics.published.Inc()
		h.events.roomMessage(p.sender, r.ID(), p.content)
	}
	return sdk.Receipt{Position: position, Scope: scopeCluster}, nil
}

func roomMessageFrame(id string, p publication, position, prev string, millis int64) []byte {
	size := len(id) + len(p.content) + len(p.senderID) + len(position) + len(prev) + 100
	return dispatch.FrameFunc("room_message", size, func(b []byte) []byte {
		b = append(b, `{"room_id":`...)
		b = dispatch.AppendString(b, id)
		b = append(b, `,"content":`...)
		b = append(b, p.content...)
		b = append(b, `,"sender_id":`...)
		b = dispatch.AppendString(b, p.senderID)
		b = append(b, `,"timestamp":`...)
		b = strconv.AppendInt(b, millis, 10)
		if position != "" {
			b = append(b, `,"position":`...)
			b = dispatch.AppendString(b, position)
			b = append(b, `,"prev":`...)
			b = dispatch.AppendString(b, prev)
		}
		return append(b, '}')
	}, millis, 0, 0)
}

// members returns a page of a room's members, the cursor of the next ("" at the
// end) and the number of all.
func (h *Hub) members(r *room.Room, limit int, cursor string) (ids []string, next string, count int, err error) {
	from := -1
	if cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return nil, "", 0, hub.NewError(hub.CodeFormat, "cursor is not one that the hub gave out")
		}
	}
	ids, index, count := r.Members(from, limit)
	if index >= 0 {
		next = strconv.Itoa(index)
	}
	return ids, next, count, nil
}

// history returns a page of a room's history, oldest first: the newest
// messages before cursor; the cursor of the next page, older ones ("" at the
// end); and the number of all.
func (h *Hub) history(r *room.Room, limit int, cursor string) (page []sdk.Message, next string, count int) {
	records, more, count := r.History(limit, cursor, h.now())
	page = make([]sdk.Message, len(records))
	for i, m := range records {
		page[i] = sdk.Message{Content: m.Content, SenderID: m.SenderID, Timestamp: m.At.UnixMilli(), Position: m.Position, Prev: m.Prev}
	}
	if more {
		next = page[0].Position
	}
	return page, next, count
}

// presenceFrame is the notice of who came into or left a room.
func (h *Hub) presenceFrame(joined bool, id string, ids []string, count, members int) []byte {
	messageType := "member_left"
	if joined {
		messageType = "member_joined"
	}
	data := map[string]any{"room_id": id, "count": count, "members": members}
	if ids != nil {
		data["client_ids"] = ids
	}
	raw, _ := json.Marshal(data) // strings and numbers can always be encoded
	return dispatch.Frame(messageType, raw, h.millis(), 0, 0)
}
