package hub

import (
	"strconv"
	"time"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// builtins are the message types of the protocol (docs/protocol.md).
func (h *Hub) builtins() map[string]*registered {
	m := make(map[string]*registered)
	for name, f := range map[string]handler{
		"ping":           h.handlePing,
		"join_room":      h.handleJoin,
		"leave_room":     h.handleLeave,
		"create_room":    h.handleCreate,
		"delete_room":    h.handleDelete,
		"room_message":   h.handleRoomMessage,
		"direct_message": h.handleDirect,
		"room_members":   h.handleMembers,
		"room_history":   h.handleHistory,
		"authenticate":   h.handleAuthenticate,
	} {
		m[name] = h.measured(name, f)
	}
	return m
}

// roomArgs reads data that names a room, and checks the permission for it.
func (m *message) roomArgs(p auth.Permission) (args, error) {
	a, bad := parseArgs(m.Data)
	if bad == nil {
		bad = checkName("room_id", a.roomID)
	}
	if bad == nil && !m.s.HasRoomPermission(p, a.roomID) {
		bad = forbidden(p)
	}
	if bad != nil {
		return a, bad
	}
	return a, nil
}

func forbidden(p auth.Permission) *hub.Error {
	return hub.NewError(hub.CodeForbidden, "permission %s is needed", p)
}

// answer answers a request; a message without an id gets no answer.
func (m *message) answer(messageType string, data any) error {
	if m.MessageID == 0 {
		return nil
	}
	return m.s.SendMessage(messageType, data, m.MessageID)
}

// answerPage is answer with the cursor of the next page, if there is one.
func (m *message) answerPage(messageType, next string, data map[string]any) error {
	if next != "" {
		data["cursor"] = next
	}
	return m.answer(messageType, data)
}

func (h *Hub) handlePing(m *message) error {
	a := args{}
	if len(m.Data) > 0 && string(m.Data) != "null" {
		var bad *hub.Error
		if a, bad = parseArgs(m.Data); bad != nil {
			return bad
		}
	}
	now := h.millis()
	data := []byte(`{"ts":`)
	rtt := int64(0)
	if ts, ok := dispatch.Int(a.ts); ok {
		data = strconv.AppendInt(data, ts, 10)
		rtt = max(now-ts, 0)
	} else if len(a.ts) > 0 {
		return hub.NewError(hub.CodeFormat, "ts must be a whole number of milliseconds")
	} else {
		data = append(data, "null"...)
	}
	data = append(data, `,"server_ts":`...)
	data = strconv.AppendInt(data, now, 10)
	data = append(data, `,"rtt":`...)
	data = strconv.AppendInt(data, rtt, 10)
	return m.s.reply("pong", m.MessageID, append(data, '}'))
}

func (h *Hub) handleJoin(m *message) error {
	a, err := m.roomArgs(auth.PermJoinRoom)
	if err != nil {
		return err
	}
	mayCreate := h.cfg.Rule(a.roomID).Create || m.s.HasRoomPermission(auth.PermCreateRoom, a.roomID)
	return m.asked(h.join(m, m.s, joinRequest{room: a.roomID, since: a.since, create: mayCreate, requestID: m.MessageID}))
}

func (h *Hub) handleLeave(m *message) error {
	a, err := m.roomArgs(auth.PermLeaveRoom)
	if err != nil {
		return err
	}
	return h.leave(m.s, a.roomID, m.MessageID)
}

// roomGrace is how long a room stays without members that a client without a
// token has created. Nobody vouches for its id, and it may have a new one with
// each connection: what it creates must not stay for ever.
const roomGrace = time.Minute

func (h *Hub) handleCreate(m *message) error {
	a, err := m.roomArgs(auth.PermCreateRoom)
	if err != nil {
		return err
	}
	if a.name != "" {
		if bad := checkName("name", a.name); bad != nil {
			return bad
		}
	}
	spec := room.Spec{ID: a.roomID, Name: a.name, MaxClients: int(a.maxClients), Creator: m.s.id}
	if m.s.Claims() != nil {
		spec.Explicit = true
	} else {
		spec.Grace = roomGrace
	}
	r, err := h.createRoom(spec, m.s)
	if err != nil {
		return err
	}
	info := r.Info()
	return m.answer("room_created", map[string]any{"room_id": info.ID, "name": info.Name, "max_clients": info.MaxClients})
}

func (h *Hub) handleDelete(m *message) error {
	a, err := m.roomArgs(auth.PermDeleteRoom)
	if err != nil {
		return err
	}
	if err := h.deleteRoom(a.roomID, m.s); err != nil {
		return m.asked(err)
	}
	return m.answer("room_deleted", map[string]any{"room_id": a.roomID})
}

func (h *Hub) handleRoomMessage(m *message) error {
	a, err := m.roomArgs(auth.PermSendMessage)
	switch {
	case err != nil:
		return err
	case !a.haveContent:
		return hub.NewError(hub.CodeFormat, "content is missing")
	case len(a.idempotencyKey) > maxName:
		return hub.NewError(hub.CodeFormat, "idempotency_key is longer than %d bytes", maxName)
	}
	m.s.Lock()
	member := m.s.member(a.roomID)
	m.s.Unlock()
	if member == nil {
		return h.notIn(a.roomID)
	}
	key := room.Key{Client: m.s.id, Text: a.idempotencyKey}
	receipt, err := h.publish(m, a.roomID, member.Room, publication{content: a.content, senderID: m.s.id, sender: m.s, key: key})
	if err != nil || m.MessageID == 0 {
		return err
	}
	data := append(make([]byte, 0, 128), `{"room_id":`...)
	data = dispatch.AppendString(data, a.roomID)
	if receipt.Position != "" {
		data = append(data, `,"position":`...)
		data = dispatch.AppendString(data, receipt.Position)
	}
	data = append(data, `,"scope":`...)
	data = dispatch.AppendString(data, receipt.Scope)
	return m.s.reply("room_message_sent", m.MessageID, append(data, '}'))
}

func (h *Hub) handleDirect(m *message) error {
	a, bad := parseArgs(m.Data)
	if bad == nil {
		bad = checkName("target_id", a.targetID)
	}
	switch {
	case bad != nil:
		return bad
	case !a.haveContent:
		return hub.NewError(hub.CodeFormat, "content is missing")
	case !m.s.HasPermission(auth.PermSendMessage):
		return forbidden(auth.PermSendMessage)
	}
	now := h.millis()
	frame := dispatch.FrameFunc("direct_message", len(a.content)+len(m.s.id)+64, func(b []byte) []byte {
		b = append(b, `{"content":`...)
		b = append(b, a.content...)
		b = append(b, `,"sender_id":`...)
		b = dispatch.AppendString(b, m.s.id)
		b = append(b, `,"timestamp":`...)
		b = strconv.AppendInt(b, now, 10)
		return append(b, '}')
	}, now, 0, 0)
	if err := h.sendFrame(m, a.targetID, frame); err != nil {
		return m.asked(err)
	}
	return m.answer("direct_message_sent", map[string]any{"target_id": a.targetID})
}

func (h *Hub) handleMembers(m *message) error {
	a, limit, err := m.readable()
	if err != nil {
		return err
	}
	r, err := h.target(m, a.roomID)
	if err != nil {
		return m.asked(err)
	}
	p, err := h.members(m, a.roomID, r, limit, a.cursor)
	if err != nil {
		return err
	}
	if p.ids == nil {
		p.ids = []string{}
	}
	data := map[string]any{"room_id": a.roomID, "members": p.ids, "count": p.count}
	if len(p.missing) > 0 {
		data["missing_nodes"] = p.missing
	}
	return m.answerPage("room_members", p.next, data)
}

func (h *Hub) handleHistory(m *message) error {
	a, limit, err := m.readable()
	if err != nil {
		return err
	}
	messages, next, count, err := h.HistoryPage(m, a.roomID, limit, a.cursor)
	if err != nil {
		return m.asked(err)
	}
	return m.answerPage("room_history", next, map[string]any{"room_id": a.roomID, "messages": messages, "count": count})
}

// readable reads a request for a page of a room that the client may read.
func (m *message) readable() (a args, limit int, err error) {
	if a, err = m.roomArgs(auth.PermReadMessage); err != nil {
		return a, 0, err
	}
	limit, err = a.page()
	return a, limit, err
}

func (h *Hub) handleAuthenticate(m *message) error {
	a, bad := parseArgs(m.Data)
	if bad != nil {
		return bad
	}
	if a.token == "" {
		return hub.NewError(hub.CodeFormat, "token is missing or empty")
	}
	data := map[string]any{"client_id": m.s.id}
	if h.cfg.Verifier != nil {
		claims, err := h.cfg.Verifier.Verify(m, a.token)
		if err != nil {
			return h.tokenError(err)
		}
		if m.s.anonymous || claims.Subject != m.s.id {
			return hub.NewError(hub.CodeTokenInvalid, "the token is for another client id: connect with it instead")
		}
		h.metrics.auth.WithLabelValues("renewed").Inc()
		m.s.renew(claims)
		if !claims.ExpiresAt.IsZero() {
			data["expires_at"] = claims.ExpiresAt.UnixMilli()
		}
	}
	return m.answer("authenticated", data)
}

// renew replaces the client's claims; rooms it may not read any more fall
// silent.
func (s *Session) renew(claims *auth.TokenClaims) {
	s.Lock()
	s.claims.Store(claims)
	for _, m := range s.rooms {
		m.Muted = !s.HasRoomPermission(auth.PermReadMessage, m.Room.ID())
	}
	s.Unlock()
	s.expire()
}

// listRoom is what the SDK tells of a room.
func listRoom(r *room.Room) sdk.Room {
	i := r.Info()
	return sdk.Room{ID: i.ID, Name: i.Name, MaxClients: i.MaxClients, Members: i.Members, Explicit: i.Explicit, CreatedAt: i.CreatedAt}
}
