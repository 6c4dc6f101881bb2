package client

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/hub"
)

// serve reads until the connection ends, and returns why it did.
func (c *Client) serve(w *wire) error {
	for {
		op, frame, err := w.read()
		if err != nil {
			return err
		}
		if op == websocket.TextMessage {
			if m, ok := decodeMessage(frame); ok {
				c.receive(w, m, len(frame))
				continue
			}
		}
		if f := c.opts.OnFrame; f != nil {
			data := hub.Frame{MsgType: op, Data: bytes.Clone(frame)}
			c.deliver(len(frame), func(ctx context.Context) { f(ctx, data) })
		}
	}
}

// deliver has a handler called. It waits while handlers are behind.
func (c *Client) deliver(size int, call func(context.Context)) {
	c.inbox.put(delivery{call, size + eventSize}, c.callsWait)
}

// receive does what a message asks for.
func (c *Client) receive(w *wire, m Message, size int) {
	if m.RequestID != 0 {
		if a := w.expected(m.RequestID); a != nil {
			if a.answered != nil {
				a.answered(m)
			}
			a.came <- m
			return
		}
	}
	switch m.Type {
	case typeRoomMessage:
		c.receiveRoom(m, size)
	case typeDirect:
		c.receiveDirect(m, size)
	case typeJoined, typeLeft:
		c.movedBy(m)
	case typeReconnect:
		c.keepSlot(w, m)
	case typeGap, typeMemberJoined, typeMemberLeft, typeDegraded, typeRecovered:
		c.receiveNotice(m)
	case typeError:
		if m.RequestID == 0 { // else it is for a call that has given up
			c.tell(Fault{Err: m.err()})
		}
	case typePong:
	default:
		c.receiveOther(w, m, size)
	}
}

// receiveOther takes messages of the server's own types, and questions.
func (c *Client) receiveOther(w *wire, m Message, size int) {
	if m.MessageID != 0 {
		c.deliver(size, func(ctx context.Context) { c.answer(ctx, w, m) })
		return
	}
	if f := c.opts.OnMessage; f != nil {
		c.deliver(size, func(ctx context.Context) { f(ctx, m) })
	}
}

// receiveRoom takes a message of a room.
func (c *Client) receiveRoom(m Message, size int) {
	var wire roomMessage
	if !c.read(m, &wire) {
		return
	}
	msg := wire.message(wire.Room)
	handler := c.opts.OnRoomMessage
	kind, own, last := linkGood, false, ""
	c.mu.Lock()
	if r := c.rooms[msg.Room]; r != nil {
		if r.handler != nil {
			handler = r.handler
		}
		last = r.chain.last
		kind, own = r.chain.follow(c.seed, msg.Position, msg.Prev)
	}
	c.mu.Unlock()
	switch kind {
	case linkDuplicate:
		c.tell(Duplicate{Room: msg.Room, Position: msg.Position})
		return
	case linkBroken:
		c.tell(Gap{Room: msg.Room, From: last, To: msg.Prev, Reason: ReasonChain})
	}
	if handler != nil && !own {
		c.deliver(size, func(ctx context.Context) { handler(ctx, msg) })
	}
}

// toldOfGap notes that the next broken link of a room is explained.
func (c *Client) toldOfGap(n notice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rooms[n.Room]; r != nil {
		r.chain.told = true
		if n.To != "" {
			r.chain.last = n.To
		}
	}
}

func (c *Client) receiveDirect(m Message, size int) {
	f := c.opts.OnDirect
	if f == nil {
		return
	}
	var d directMessage
	if c.read(m, &d) {
		c.deliver(size, func(ctx context.Context) {
			f(ctx, DirectMessage{Content: d.Content, Sender: d.Sender, Time: fromMillis(d.Timestamp)})
		})
	}
}

// read decodes what the protocol defines; it tells of a Fault where it cannot.
func (c *Client) read(m Message, v any) bool {
	if err := m.Decode(v); err != nil {
		c.tell(Fault{Err: err})
		return false
	}
	return true
}

// notice is the data of all notices.
type notice struct {
	Room      string   `json:"room"`
	RoomID    string   `json:"room_id"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	SinceMS   int64    `json:"since_ms"`
	AfterMS   int64    `json:"after_ms"`
	Reason    string   `json:"reason"`
	ClientIDs []string `json:"client_ids"`
	Count     int      `json:"count"`
	Members   int      `json:"members"`
}

func (c *Client) receiveNotice(m Message) {
	var n notice
	if !c.read(m, &n) {
		return
	}
	switch m.Type {
	case typeGap:
		c.toldOfGap(n)
		c.tell(Gap{Room: n.Room, From: n.From, To: n.To, Since: fromMillis(n.SinceMS), Reason: n.Reason})
	case typeMemberJoined:
		c.tell(MemberJoined{Room: n.RoomID, IDs: n.ClientIDs, Count: n.Count, Members: n.Members})
	case typeMemberLeft:
		c.tell(MemberLeft{Room: n.RoomID, IDs: n.ClientIDs, Count: n.Count, Members: n.Members})
	case typeDegraded:
		c.tell(Degraded{Reason: n.Reason})
	case typeRecovered:
		c.tell(Recovered{})
	}
}

// slotGrace is how long after its slot a client waits for the hub's 1012
// before it goes by itself.
const slotGrace = time.Second

// maxSlot bounds what a hub may say, so that it fits a Duration.
const maxSlot = 24 * time.Hour

// keepSlot has the client go in the slot that the hub gave it, even if the hub
// is not there any more to say so.
func (c *Client) keepSlot(w *wire, m Message) {
	var n notice
	if !c.read(m, &n) {
		return
	}
	after := time.Duration(min(max(n.AfterMS, 0), maxSlot.Milliseconds())) * time.Millisecond
	w.after("slot", after+slotGrace, func() { w.goodbye(errSlot) })
	c.tell(Moving{At: time.Now().Add(after)})
}

// answer answers a question of the hub in the connection it came from: the next
// one's hub knows nothing of it.
func (c *Client) answer(ctx context.Context, w *wire, m Message) {
	var frame []byte
	data, err := c.ask(ctx, m)
	if err == nil {
		frame, err = encodeMessage(envelope{Type: m.Type, RequestID: m.MessageID}, data)
		if limit := w.welcome.MaxMessageSize; err == nil && limit > 0 && len(frame) > limit {
			err = hub.NewError(hub.CodeTooLarge, "the answer is larger than the hub takes")
		}
	}
	if err != nil {
		frame, err = encodeMessage(envelope{Type: typeError, RequestID: m.MessageID}, errorData(err))
	}
	if err == nil {
		_, err = w.write(ctx, frame)
	}
	if err != nil {
		c.tellNow(Fault{Err: fmt.Errorf("answer %q: %w", m.Type, err)})
	}
}

func (c *Client) ask(ctx context.Context, m Message) (any, error) {
	if c.opts.OnRequest == nil {
		return nil, hub.NewError(hub.CodeUnknown, "this client answers no requests")
	}
	return c.opts.OnRequest(ctx, m)
}
