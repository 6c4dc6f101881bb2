package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chenxilol/gohub/internal/fault"
	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/hub"
)

// What one node asks another about its clients and rooms. Questions and answers
// are JSON; frames travel as they are, behind a line of it.

// answerElsewhere registers what other nodes may ask of this hub.
func (h *Hub) answerElsewhere() {
	c := h.cluster
	c.HandleQuick("where", h.answerWhere)
	c.Handle("send", h.answerSend)
	c.Handle("broadcast", h.answerBroadcast)
	c.Handle("client", h.answerClient)
	c.Handle("request", h.answerRequest)
	c.Handle("members", h.answerMembers)
	c.Handle("rooms", h.answerRooms)
	c.HandleQuick("claim", h.answerClaim)
}

// packet is a question with bytes behind it.
type packet struct {
	ID       string          `json:"id,omitempty"`
	Room     string          `json:"room,omitempty"`
	Do       string          `json:"do,omitempty"`
	Code     int             `json:"code,omitempty"`
	Text     string          `json:"text,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Limit    int             `json:"limit,omitempty"`
	Node     uint64          `json:"node,omitempty"`
	From     int             `json:"from,omitempty"`
	Deadline int64           `json:"deadline,omitempty"`
}

func (p packet) encode(frame []byte) []byte {
	b, _ := json.Marshal(p) // strings and numbers
	return append(append(b, '\n'), frame...)
}

func readPacket(b []byte) (p packet, frame []byte, err error) {
	head, frame, _ := bytes.Cut(b, []byte("\n"))
	if err := json.Unmarshal(head, &p); err != nil {
		return p, nil, hub.NewError(hub.CodeServer, "another hub's question cannot be read")
	}
	return p, frame, nil
}

// everywhere does something with every connection of a client, on whichever
// node it is: here first, and elsewhere too where an id may connect twice. All
// nodes are asked only where the client is; what has an effect is asked of those
// that have it, once, so that it never happens twice. Errors are those of doing
// it, hub.CodeNoClient where nobody has the id, and hub.CodeTimeout where that,
// or what came of it, is not known.
func (h *Hub) everywhere(ctx context.Context, id string, here func() error, name string, ask func() []byte) error {
	ctx, cancel := context.WithTimeout(ctx, clusterWithin)
	defer cancel()
	err := here()
	several := h.cfg.Duplicate == DuplicateAllow
	if err != errNoClient && !several {
		return err
	}
	question := ask()
	if node, ok := h.where.get(id); ok && !several {
		_, err := h.cluster.Ask(ctx, node, name, question)
		if err == nil || fault.On("stale-route") {
			return err
		}
		h.where.forget(id)
		if !errors.Is(err, errNoClient) {
			return err // even unanswered: it may have been done there
		}
	}
	nodes, missing := h.locate(ctx, id)
	for _, node := range nodes {
		_, there := h.cluster.Ask(ctx, node, name, question)
		if there == nil {
			h.where.put(id, node)
		}
		err = better(err, there)
	}
	if errors.Is(err, errNoClient) && len(missing) > 0 {
		return errNotAll
	}
	return err
}

// better returns what of two attempts counts: one that worked, else one that
// found the client.
func better(a, b error) error {
	if a == nil || b == nil {
		return nil
	}
	if errors.Is(a, errNoClient) {
		return b
	}
	return a
}

var errNotAll = hub.NewError(hub.CodeTimeout, "nobody has the client, but not every hub has answered")

// locate returns the other nodes that have a client, and the ids of those that
// did not say.
func (h *Hub) locate(ctx context.Context, id string) (nodes []uint64, missing []string) {
	missing = h.cluster.AskEach(ctx, "where", []byte(id), func(n cluster.NodeInfo, _ []byte, err error) {
		if err == nil {
			nodes = append(nodes, n.Boot)
		}
	})
	return nodes, missing
}

func (h *Hub) answerWhere(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	if h.clients.get(string(question)) == nil {
		return nil, errNoClient
	}
	return nil, nil
}

func (h *Hub) answerSend(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	p, frame, err := readPacket(question)
	if err != nil {
		return nil, err
	}
	return nil, h.sendHere(p.ID, frame)
}

func (h *Hub) answerBroadcast(_ context.Context, _ uint64, frame []byte) ([]byte, error) {
	if len(frame) >= 2 {
		h.broadcastHere(frame)
	}
	return nil, nil
}

// answerClient does something with a client of this node.
func (h *Hub) answerClient(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	p, _, err := readPacket(question)
	if err != nil {
		return nil, err
	}
	return nil, h.eachSession(p.ID, func(s *Session) error {
		switch p.Do {
		case "join":
			return h.join(ctx, s, joinRequest{room: p.Room})
		case "leave":
			return h.leave(s, p.Room, 0)
		default:
			s.Close(p.Code, p.Text)
			return nil
		}
	})
}

func (h *Hub) answerRequest(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	p, _, err := readPacket(question)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadline(ctx, time.UnixMilli(p.Deadline))
	defer cancel()
	answer, err := h.requestHere(ctx, p.ID, p.Text, p.Data)
	if errors.Is(err, context.DeadlineExceeded) {
		err = hub.NewError(hub.CodeTimeout, "the client did not answer in time")
	}
	return answer, err
}

// requestElsewhere asks a client of another node.
func (h *Hub) requestElsewhere(ctx context.Context, id, messageType string, data json.RawMessage) (json.RawMessage, error) {
	nodes, missing := h.locate(ctx, id)
	switch {
	case len(nodes) == 0 && len(missing) > 0:
		return nil, errNotAll
	case len(nodes) == 0:
		return nil, errNoClient
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = h.now().Add(time.Minute)
	}
	q := packet{ID: id, Text: messageType, Data: data, Deadline: deadline.UnixMilli()}
	return h.cluster.Ask(ctx, nodes[0], "request", q.encode(nil))
}
