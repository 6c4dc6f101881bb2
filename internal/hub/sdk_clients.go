package hub

import (
	"context"
	"errors"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/hub"
)

// BroadcastAll sends a frame to every client.
func (h *Hub) BroadcastAll(f hub.Frame) error {
	frame, _, err := encode(f)
	if err == nil {
		err = h.carried(len(frame), nil)
	}
	if err != nil {
		return err
	}
	h.broadcastHere(frame)
	if h.cluster == nil {
		return nil
	}
	return h.cluster.Tell("broadcast", frame)
}

// broadcastHere sends a finished frame to every client of this node.
func (h *Hub) broadcastHere(frame []byte) {
	m := &room.Message{Frame: frame, Op: wire.Opcode(frame[0] & 0x0f)}
	for _, s := range h.clients.all() {
		_ = s.write(m.For(&s.Conn, &h.fan.Deflater)) // counted where it fails
	}
}

// SendToClient sends a frame to a client.
func (h *Hub) SendToClient(id string, f hub.Frame) error {
	frame, _, err := encode(f)
	if err != nil {
		return err
	}
	ctx, cancel := h.within()
	defer cancel()
	return h.sendFrame(ctx, id, frame)
}

// SendMessage sends an envelope to a client.
func (h *Hub) SendMessage(id, messageType string, data any) error {
	raw, err := encodeData(messageType, data)
	if err != nil {
		return err
	}
	ctx, cancel := h.within()
	defer cancel()
	return h.sendFrame(ctx, id, dispatch.Frame(messageType, raw, h.millis(), 0, 0))
}

// sendFrame sends a finished frame to every connection of a client, on whichever
// node it is. It fails only where none took it.
func (h *Hub) sendFrame(ctx context.Context, id string, frame []byte) error {
	if h.cluster == nil {
		return h.sendHere(id, frame)
	}
	return h.everywhere(ctx, id, func() error { return h.sendHere(id, frame) }, "send", func() []byte { return packet{ID: id}.encode(frame) })
}

// sendHere sends a finished frame to every connection of a client on this node.
func (h *Hub) sendHere(id string, frame []byte) error {
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
	ctx, cancel := h.within()
	defer cancel()
	return h.withClient(ctx, id, func(s *Session) error {
		s.Close(code, reason)
		return nil
	}, packet{ID: id, Do: "close", Code: code, Text: reason})
}

// withClient does something with every connection of a client, here or by q on
// another node.
func (h *Hub) withClient(ctx context.Context, client string, f func(*Session) error, q packet) error {
	here := func() error { return h.eachSession(client, f) }
	if h.cluster == nil {
		return here()
	}
	return h.everywhere(ctx, client, here, "client", func() []byte { return q.encode(nil) })
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
