package hub

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/chenxilol/gohub/pkg/hub"
)

// An id that connects on two nodes: each connection is told to all nodes, and
// every node compares it with its own. The one that began last wins, or first
// where duplicates are rejected; of two in the same instant that of the higher
// run. Ids that a hub has drawn are nobody else's.

// claim is a connection as other nodes hear of it.
type claim struct {
	ID    string `json:"id"`
	Stamp int64  `json:"stamp"`
}

// claim tells the other nodes that clients have connected.
func (h *Hub) claim(sessions ...*Session) {
	if h.cluster == nil || h.cfg.Duplicate == DuplicateAllow {
		return
	}
	var list []claim
	size := 0
	tell := func() {
		raw, _ := json.Marshal(list) // strings and numbers
		if err := h.cluster.Tell("claim", raw); err != nil {
			h.log.Debug("connections not told", "error", err) // told when the bus is back
		}
		list, size = nil, 0
	}
	for _, s := range sessions {
		if s.drawn {
			continue
		}
		list = append(list, claim{s.id, s.since})
		if size += len(s.id) + 64; size > claimBytes {
			tell()
		}
	}
	if len(list) > 0 {
		tell()
	}
}

// claimBytes bounds the claims in one message.
const claimBytes = 64 << 10

// answerClaim closes the connections here that another node's replaces, and
// tells of those that replace it.
func (h *Hub) answerClaim(_ context.Context, from uint64, text []byte) ([]byte, error) {
	var list []claim
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, hub.NewError(hub.CodeServer, "another hub's claims cannot be read")
	}
	var mine []*Session
	for _, c := range list {
		for _, s := range h.clients.every(c.ID) {
			later := c.Stamp > s.since || c.Stamp == s.since && from > h.cluster.Boot()
			switch {
			case later == (h.cfg.Duplicate == DuplicateReject):
				mine = append(mine, s)
			case later:
				s.Close(hub.CloseReplaced, "replaced by a newer connection with the same id")
			default:
				s.Close(hub.CloseReplaced, "this id is connected already")
			}
		}
	}
	h.claim(mine...)
	return nil, nil
}

// elsewhere refuses an id that is connected on another node, where duplicates
// are rejected.
func (h *Hub) elsewhere(ctx context.Context, who identity) *refusal {
	if h.cluster == nil || who.drawn || h.cfg.Duplicate != DuplicateReject {
		return nil
	}
	nodes, missing := h.locate(ctx, who.id)
	switch {
	case len(nodes) > 0:
		return refuse(http.StatusConflict, hub.CodeForbidden, "duplicate", "this id is connected already")
	case len(missing) > 0:
		return refuseForNow(http.StatusServiceUnavailable, hub.CodeTimeout, "duplicate", "not every hub says whether this id is connected already")
	}
	return nil
}
