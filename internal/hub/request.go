package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Request asks a client and waits for its answer.
func (h *Hub) Request(ctx context.Context, client, messageType string, data any) (json.RawMessage, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode request %q: %w", messageType, err)
	}
	if !utf8.Valid(raw) { // a json.RawMessage, or in one
		return nil, fmt.Errorf("encode request %q: %w", messageType, hub.ErrNotUTF8)
	}
	if h.cluster != nil && h.clients.get(client) == nil {
		return h.requestElsewhere(ctx, client, messageType, raw)
	}
	return h.requestHere(ctx, client, messageType, raw)
}

// requestHere asks a client of this node.
func (h *Hub) requestHere(ctx context.Context, client, messageType string, raw json.RawMessage) (json.RawMessage, error) {
	s := h.clients.get(client)
	if s == nil {
		return nil, errNoClient
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
