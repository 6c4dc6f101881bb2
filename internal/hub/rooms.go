package hub

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

var errNoRoom = hub.NewError(hub.CodeRoomNotFound, "room not found")

// joinRequest is a wish to become a member.
type joinRequest struct {
	room      string
	since     string // position to resume from; "": none
	create    bool   // a missing room is made
	requestID int64
}

// join makes s a member. It holds the connection's lock throughout, so that
// room_joined, the replay and live messages are in this order on the wire.
func (h *Hub) join(ctx context.Context, s *Session, q joinRequest) error {
	if h.cluster != nil {
		return h.joinShared(ctx, s, q)
	}
	return h.joinHere(s, q, false)
}

// mayJoin tells whether the client may be in one room more.
func (s *Session) mayJoin(id string) error {
	s.Lock()
	defer s.Unlock()
	return s.mayJoinLocked(id)
}

func (s *Session) mayJoinLocked(id string) error {
	switch limit := s.hub.cfg.MaxRoomsPerClient; {
	case !s.OpenLocked():
		return hub.ErrClosed
	case s.member(id) != nil:
		return hub.NewError(hub.CodeAlreadyInRoom, "the client is in this room already")
	case limit > 0 && len(s.rooms) >= limit:
		return hub.NewError(hub.CodeRateLimited, "the client is in as many rooms as it may be (%d)", limit)
	}
	return nil
}

// joinHere makes s a member on this node; seat says that the room's owner has
// admitted it.
func (h *Hub) joinHere(s *Session, q joinRequest, seat bool) error {
	m := &room.Member{
		Conn: &s.Conn, Owner: s, V1: s.v1, Drop: s.dropsSlow(), Seat: seat,
	}
	var create func() (room.Spec, error)
	if q.create {
		create = func() (room.Spec, error) { return room.Spec{ID: q.room, Creator: s.id}, nil }
	}
	s.Lock()
	defer s.Unlock()
	// Under the lock: renew changes the claims and the members there.
	m.Muted = !s.HasRoomPermission(auth.PermReadMessage, q.room)
	if err := s.mayJoinLocked(q.room); err != nil {
		return err
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
	if m.Muted {
		j.Replay, j.Recovered = nil, false // it may not read what it has missed
	}
	frames := append([][]byte{dispatch.Frame("room_joined", joinedData(q, j), h.millis(), 0, q.requestID)}, j.Replay...)
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
	s.Lock()
	m := s.member(id)
	if m == nil {
		s.Unlock()
		return h.notIn(id)
	}
	defer s.Unlock()
	deleted := h.rooms.Leave(m)
	h.left(s, m, requestID)
	if deleted != nil {
		h.events.room(sdk.EventRoomDeleted, s, id)
	}
	return nil
}

// notIn says why a client is not in a room: there is none, or it is not in it.
// Other nodes are not asked: whatever the client names would reach them all.
func (h *Hub) notIn(id string) error {
	if _, err := h.rooms.Get(id); err != nil {
		return err
	}
	return errNotInRoom
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
	h.letGo(m.Room.ID(), m.Seat)
}

func (h *Hub) createRoom(spec room.Spec, by *Session) (*room.Room, error) {
	create := h.rooms.Create
	if h.cluster != nil {
		create = h.createShared
	}
	r, err := create(spec)
	if err == nil {
		h.events.room(sdk.EventRoomCreated, by, spec.ID)
	}
	return r, err
}

// deleteRoom removes a room and takes its members out, who are told.
func (h *Hub) deleteRoom(id string, by *Session) error {
	if h.cluster != nil {
		ctx, cancel := h.within()
		defer cancel()
		if err := h.cluster.Delete(ctx, id); err != nil {
			return err
		}
	} else if !h.dropRoom(id) {
		return errNoRoom
	}
	h.events.room(sdk.EventRoomDeleted, by, id)
	return nil
}

// publication is a room_message on its way.
type publication struct {
	content  json.RawMessage
	senderID string
	sender   *Session // does not get it; nil: none
	exclude  []string // clients that do not get it
	key      room.Key // no text: none
}

// message is the publication as it goes to the members here.
func (h *Hub) message(id string, p publication, position, prev string, now time.Time) *room.Message {
	m := &room.Message{Frame: roomMessageFrame(id, p, position, prev, now.UnixMilli()), Op: wire.Text, Exclude: h.connections(p.exclude)}
	if p.sender != nil {
		m.Sender = &p.sender.Conn
	}
	if position != "" {
		m.Record = &room.Record{Frame: m.Frame, Content: p.content, SenderID: p.senderID, At: now, Position: position, Prev: prev}
	}
	return m
}

// scopeCluster says that a message goes to the members on every node.
const scopeCluster = "cluster"

// publish sends a room_message to a room; r is nil where only other nodes have
// it.
func (h *Hub) publish(ctx context.Context, id string, r *room.Room, p publication) (sdk.Receipt, error) {
	h.wake()
	if h.cluster != nil {
		return h.publishShared(ctx, id, r, p)
	}
	now := h.now()
	made := false // a repeated key publishes nothing
	position, ok := r.Publish(now, p.key, func(position, prev string) *room.Message {
		made = true
		return h.message(id, p, position, prev, now)
	})
	if !ok {
		return sdk.Receipt{}, errNoRoom
	}
	if made {
		h.metrics.published.Inc()
		h.events.roomMessage(p.sender, sdk.Event{RoomID: id, SenderID: p.senderID, Position: position}, p.content)
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

var errCursor = hub.NewError(hub.CodeFormat, "cursor is not one that the hub gave out")

// page is a page of a room's members.
type page struct {
	ids     []string
	next    string   // the cursor of the next page; "": no more
	count   int      // of all members
	missing []string // nodes that did not answer
}

// members returns a page of a room's members; r is nil where only other nodes
// have it.
func (h *Hub) members(ctx context.Context, id string, r *room.Room, limit int, cursor string) (p page, err error) {
	if h.cluster != nil {
		return h.sharedMembers(ctx, id, limit, cursor)
	}
	from := -1
	if cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return p, errCursor
		}
	}
	var index int
	p.ids, index, p.count = r.Members(from, limit)
	if index >= 0 {
		p.next = strconv.Itoa(index)
	}
	return p, nil
}

// history returns a page of a room's history, oldest first: the newest
// messages before cursor; the cursor of the next page, older ones ("" at the
// end); and the number of all. A cursor of a history that is gone is the end.
func (h *Hub) history(r *room.Room, limit int, cursor string) (page []sdk.Message, next string, count int, err error) {
	if cursor != "" && !room.IsPosition(cursor) {
		return nil, "", 0, errCursor
	}
	records, more, count := r.History(limit, cursor, h.now())
	page = make([]sdk.Message, len(records))
	for i, m := range records {
		page[i] = sdk.Message{Content: m.Content, SenderID: m.SenderID, Timestamp: m.At.UnixMilli(), Position: m.Position, Prev: m.Prev}
	}
	if more {
		next = page[0].Position
	}
	return page, next, count, nil
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
