package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/fault"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// Session is one connection and who is behind it: everything the hub keeps
// for an idle client is in this one allocation, its id and its memberships.
type Session struct {
	conn.Conn
	client hub.Client // what handlers get: it points back to the session
	hub    *Hub
	id     string
	claims atomic.Pointer[auth.TokenClaims] // nil: no token
	extra  atomic.Pointer[extra]            // nil: nothing unusual was asked of it
	over   atomic.Bool                      // Closed has begun
	addr   netip.AddrPort
	since  int64 // Unix nanoseconds

	sameID *Session // guarded by its clients shard

	// Guarded by the connection's lock.
	rooms      []*room.Member
	registered bool // is in clients

	rate limiter // the message goroutine's

	v1        bool
	anonymous bool
	drawn     bool // the hub has drawn the id
}

// ID returns the client's id.
func (s *Session) ID() string { return s.id }

// RemoteAddr returns where the client connected from.
func (s *Session) RemoteAddr() string {
	if s.addr.Port() == 0 {
		return s.addr.Addr().String()
	}
	return s.addr.String()
}

// Subprotocol returns the subprotocol selected, or "".
func (s *Session) Subprotocol() string {
	if s.v1 {
		return Subprotocol
	}
	return ""
}

// ConnectedAt returns when the client connected.
func (s *Session) ConnectedAt() time.Time { return time.Unix(0, s.since) }

// Claims returns the claims of the client's token.
func (s *Session) Claims() *auth.TokenClaims { return s.claims.Load() }

// HasPermission tells whether the client may do p everywhere.
func (s *Session) HasPermission(p auth.Permission) bool {
	switch {
	case s.hub.cfg.Verifier == nil:
		return true
	case s.anonymous:
		return auth.HasPermission(s.hub.cfg.Anonymous, p)
	default:
		return s.Claims().HasPermission(p)
	}
}

// HasRoomPermission tells whether the client may do p in a room.
func (s *Session) HasRoomPermission(p auth.Permission, room string) bool {
	switch {
	case s.hub.cfg.Verifier == nil:
		return true
	case s.anonymous:
		return auth.HasRoomPermission(s.hub.cfg.Anonymous, p, room)
	default:
		return s.Claims().HasRoomPermission(p, room)
	}
}

// Rooms returns the rooms the client is in.
func (s *Session) Rooms() []string {
	s.Lock()
	defer s.Unlock()
	return s.roomIDs()
}

func (s *Session) roomIDs() []string {
	ids := make([]string, len(s.rooms))
	for i, m := range s.rooms {
		ids[i] = m.Room.ID()
	}
	return ids
}

// member returns the client's membership of a room; the caller holds the lock.
func (s *Session) member(id string) *room.Member {
	for _, m := range s.rooms {
		if m.Room.ID() == id {
			return m
		}
	}
	return nil
}

// Send sends a frame as it is.
func (s *Session) Send(f hub.Frame) error {
	frame, _, err := encode(f)
	if err != nil {
		return err
	}
	return s.write(frame)
}

// encode turns a Frame into bytes for the wire.
func encode(f hub.Frame) ([]byte, wire.Opcode, error) {
	switch f.MsgType {
	case 0, hub.TextMessage:
		if !utf8.Valid(f.Data) {
			return nil, 0, hub.ErrNotUTF8
		}
		return wire.Frame(wire.Text, f.Data), wire.Text, nil
	case hub.BinaryMessage:
		return wire.Frame(wire.Binary, f.Data), wire.Binary, nil
	default:
		return nil, 0, fmt.Errorf("%w, not %d", hub.ErrMessageType, f.MsgType)
	}
}

// write sends a finished frame to this client only.
func (s *Session) write(frame []byte) error { return s.sent(s.Write(frame), len(frame)) }

// sent counts a frame and does what a failed write asks for.
func (s *Session) sent(err error, bytes int) error {
	switch err {
	case nil:
		s.hub.metrics.sent(1, bytes)
		return nil
	case conn.ErrSlow:
		s.hub.metrics.dropped.WithLabelValues("slow").Inc()
		if !s.dropsSlow() {
			s.Close(hub.CloseTooSlow, "too slow: the send queue is full")
		}
		return hub.ErrTooSlow
	default:
		return hub.ErrClosed
	}
}

// dropsSlow tells whether the client loses messages when it is too slow,
// instead of its connection.
func (s *Session) dropsSlow() bool { return s.v1 && s.hub.cfg.DropSlow }

// SendMessage sends an envelope with data as JSON.
func (s *Session) SendMessage(messageType string, data any, requestID int64) error {
	raw, err := encodeData(messageType, data)
	if err != nil {
		return err
	}
	return s.reply(messageType, requestID, raw)
}

// encodeData returns the data of an envelope as JSON.
func encodeData(messageType string, data any) (json.RawMessage, error) {
	raw, ok := data.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			return nil, fmt.Errorf("encode data of %q: %w", messageType, err)
		}
	} else if raw == nil {
		raw = json.RawMessage("null")
	} else if !dispatch.Valid(raw) {
		return nil, fmt.Errorf("encode data of %q: not valid JSON", messageType)
	}
	if !utf8.Valid(raw) { // a json.RawMessage, or in one
		return nil, fmt.Errorf("encode data of %q: %w", messageType, hub.ErrNotUTF8)
	}
	return raw, nil
}

// reply sends an envelope whose data is known to be JSON.
func (s *Session) reply(messageType string, requestID int64, data []byte) error {
	b := s.hub.buffers.Get().(*dispatch.Buffer)
	frame := b.Frame(messageType, data, s.hub.millis(), 0, requestID)
	err := s.sent(s.WriteOnce(frame), len(frame))
	s.hub.buffers.Put(b)
	return err
}

// SendError sends an error message.
func (s *Session) SendError(err error, requestID int64) error {
	return s.write(dispatch.ErrorFrame(err, s.hub.millis(), requestID))
}

// notify sends a notice to a client that understands notices.
func (s *Session) notify(messageType string, data any) {
	if s.v1 {
		_ = s.SendMessage(messageType, data, 0) // a client that is gone needs no notice
	}
}

// opened makes the session known, before any of its input is read.
func (s *Session) opened() {
	only := s.hub.cfg.Duplicate == DuplicateReject
	s.Lock()
	if !s.OpenLocked() {
		s.Unlock()
		return
	}
	others, ok := s.hub.clients.add(s, only)
	if !ok {
		s.CloseLocked(hub.CloseReplaced, "this id is connected already")
		s.Unlock()
		return
	}
	s.registered = true
	s.hub.metrics.connected()
	// The event goes first into the client's queue, before anything that
	// others do with a client they can find now.
	s.hub.events.connected(s)
	if s.v1 {
		_ = s.WriteLocked(s.hub.connectedFrame(s))
		if s.hub.cluster != nil {
			if since, degraded := s.hub.cluster.Degraded(); degraded {
				_ = s.WriteLocked(s.hub.notice("degraded", outageData(since)))
			}
		}
	}
	s.Unlock()
	s.hub.claim(s)
	if s.hub.cfg.Duplicate == DuplicateReplace {
		for _, o := range others {
			o.Close(hub.CloseReplaced, "replaced by a newer connection with the same id")
		}
	}
	s.expire()
}

// expire has the connection end with its token. A token that has been accepted
// though its time is up, because clocks differ, lasts as long as that allows.
func (s *Session) expire() {
	c := s.Claims()
	if c == nil || fault.On("unexpired-token") {
		return
	}
	at := c.ExpiresAt
	if !at.IsZero() && !at.After(s.hub.now()) {
		at = at.Add(s.hub.cfg.TokenLeeway)
	}
	s.SetExpiry(at)
}

func (h *Hub) connectedFrame(s *Session) []byte {
	data, _ := json.Marshal(map[string]any{ // strings and numbers can always be encoded
		"client_id":        s.id,
		"node":             h.cfg.Node,
		"ping_interval_ms": h.cfg.Engine.PingInterval.Milliseconds(),
		"read_timeout_ms":  h.cfg.Engine.ReadTimeout.Milliseconds(),
		"max_message_size": h.cfg.Engine.MaxMessage,
	})
	return dispatch.Frame("connected", data, h.millis(), 0, 0)
}

// Closed takes the session out of everything it was in.
func (s *Session) Closed(code int, reason string) {
	h := s.hub
	s.over.Store(true)
	s.Lock()
	rooms := s.roomIDs()
	var deleted []string
	for _, m := range s.rooms {
		if fault.On("ghost-member") {
			continue
		}
		if r := h.rooms.Leave(m); r != nil {
			deleted = append(deleted, r.ID())
		}
		h.letGo(m.Room.ID(), m.Seat)
	}
	s.rooms = nil
	registered := s.registered
	s.registered = false
	s.Unlock()
	h.addresses.release(s.addr.Addr())
	h.slots.Add(-1)
	h.metrics.closed(code)
	if !registered {
		return
	}
	h.clients.remove(s)
	if x := s.extra.Load(); x != nil {
		x.close()
	}
	for _, id := range deleted {
		h.events.room(sdk.EventRoomDeleted, s, id)
	}
	h.events.disconnected(s, rooms, code, reason) // the client's last
}

// Drained tells a client that lost messages of its rooms which, now that it
// can be told.
func (s *Session) Drained() {
	s.Lock()
	defer s.Unlock()
	for _, m := range s.rooms {
		gap := m.TakeGap()
		if gap == nil {
			continue
		}
		data := map[string]any{"room": m.Room.ID(), "since_ms": gap.Since.UnixMilli(), "reason": "slow"}
		if gap.From != "" {
			data["from"] = gap.From
		}
		raw, _ := json.Marshal(data) // strings and numbers can always be encoded
		if errors.Is(s.WriteLocked(dispatch.Frame("gap", raw, s.hub.millis(), 0, 0)), conn.ErrSlow) {
			m.PutGap(gap) // told when the queue is empty again
			continue
		}
		s.hub.metrics.gaps.WithLabelValues("slow").Inc()
	}
}

// Close ends the connection with a close frame; a code that must not be sent
// becomes 1000.
func (s *Session) Close(code int, reason string) {
	if !wire.Sendable(code) {
		code = wire.CodeNormal
	}
	s.Conn.Close(code, reason)
}
