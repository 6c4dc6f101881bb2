package hub

import (
	"encoding/json"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// host is the hub as the cluster sees it.
type host struct{ h *Hub }

var _ cluster.Host = host{}

// Message delivers another node's message to the members here.
func (x host) Message(m cluster.Message) {
	if len(m.Frame) < 2 {
		return
	}
	r, err := x.h.rooms.Get(m.Room)
	if err != nil {
		return // the last member has left
	}
	if m.Kind == cluster.KindPresence {
		var c room.Change
		if json.Unmarshal(m.Frame, &c) == nil {
			r.Changed(m.From, c)
		}
		return
	}
	// The bus must not wait for a room: others' messages come behind.
	full := r.Offer(&room.Message{Frame: m.Frame, Op: wire.Opcode(m.Frame[0] & 0x0f), Exclude: x.h.connections(m.Exclude)})
	if full {
		x.h.metrics.dropped.WithLabelValues("room").Inc()
		x.Gap(m.Room, cluster.Gap{Reason: cluster.ReasonLost, Since: x.h.now().Add(-time.Second)})
	}
}

// Entry delivers the next entry of a room's history.
func (x host) Entry(id string, e bus.Entry, wait bool) (taken bool) {
	r, err := x.h.rooms.Get(id)
	if err != nil {
		return true
	}
	en, ok := parseEntry(e.Payload)
	if !ok {
		return true
	}
	place := room.Place{Epoch: e.Epoch, Offset: e.Offset, Prev: e.Prev}
	m := &room.Message{Op: wire.Text, Exclude: x.h.connections(en.exclude), Record: en.record(id, place)}
	m.Frame = m.Record.Frame
	if en.boot == x.h.cluster.Boot() {
		m.Sender = x.h.sender(en)
	}
	return r.Add(m, place, wait)
}

// sender returns the connection that an entry came from, nil where it is gone.
func (h *Hub) sender(en entry) *conn.Conn {
	if en.stamp == 0 {
		return nil
	}
	for _, s := range h.clients.every(en.senderID) {
		if s.since == en.stamp {
			return &s.Conn
		}
	}
	return nil
}

// History replaces what is held of a room's history.
func (x host) History(id string, entries []bus.Entry, tail bus.Tail) {
	r, err := x.h.rooms.Get(id)
	if err != nil {
		return
	}
	records := make([]*room.Record, 0, len(entries))
	places := make([]room.Place, 0, len(entries))
	for _, e := range entries {
		if en, ok := parseEntry(e.Payload); ok {
			place := room.Place{Epoch: e.Epoch, Offset: e.Offset, Prev: e.Prev}
			records, places = append(records, en.record(id, place)), append(places, place)
		}
	}
	r.Load(records, places, room.Place{Epoch: tail.Epoch, Offset: tail.Offset})
}

// Gap tells the members here that they missed something.
func (x host) Gap(id string, g cluster.Gap) {
	x.h.metrics.gaps.WithLabelValues(g.Reason).Inc()
	r, err := x.h.rooms.Get(id)
	if err != nil {
		return
	}
	data := map[string]any{"room": id, "since_ms": g.Since.UnixMilli(), "reason": g.Reason}
	if g.From.Epoch != "" {
		data["from"] = cluster.Position(bus.Tail{Epoch: g.From.Epoch, Offset: g.From.Offset})
	}
	if g.To.Epoch != "" {
		data["to"] = cluster.Position(bus.Tail{Epoch: g.To.Epoch, Offset: g.To.Offset})
	}
	r.Notify(x.h.notice("gap", data))
}

// notice builds the frame of a notice whose data can always be encoded.
func (h *Hub) notice(messageType string, data map[string]any) []byte {
	raw, _ := json.Marshal(data) // strings, numbers and their lists
	return dispatch.Frame(messageType, raw, h.millis(), 0, 0)
}

// Outage tells the clients that understand it that the bus is away, or back.
func (x host) Outage(o cluster.Outage) {
	messageType := "recovered"
	if o.Degraded {
		messageType = "degraded"
	}
	x.h.metrics.outages.WithLabelValues(messageType).Inc()
	frame := x.h.notice(messageType, outageData(o.Since))
	for _, s := range x.h.clients.all() {
		if s.v1 {
			_ = s.write(frame) // counted where it fails
		}
	}
}

// Lapsed tells the other nodes of all clients again: whoever has connected
// there meanwhile is the newer. The members of rooms with a limit may have lost
// their seats.
func (x host) Lapsed() {
	x.h.claim(x.h.clients.all()...)
	x.h.confirm()
}

func outageData(since time.Time) map[string]any {
	return map[string]any{"since_ms": since.UnixMilli(), "reason": "bus"}
}

// HasRoom tells whether the room exists here.
func (x host) HasRoom(id string) bool {
	_, err := x.h.rooms.Get(id)
	return err == nil
}

// Busy tells whether the room has members here.
func (x host) Busy(id string) bool {
	r, err := x.h.rooms.Get(id)
	return err == nil && r.Info().Members > 0
}

// Define makes a room that was created somewhere in the cluster.
func (x host) Define(d cluster.Definition) {
	_, err := x.h.rooms.Create(room.Spec{ID: d.Room, Name: d.Name, MaxClients: d.Max, Explicit: true, Decided: true, CreatedAt: d.CreatedAt})
	if err != nil {
		x.h.rooms.Keep(d.Room, d.Name, d.Max)
		return
	}
	x.h.cluster.Unfollow(d.Room)
}

// Undefine deletes a room.
func (x host) Undefine(id string) { x.h.dropRoom(id) }

// Overdue ends the connections whose tokens have expired while this node was
// asleep: their timers may come later than messages.
func (x host) Overdue() {
	now := x.h.now()
	for _, s := range x.h.clients.all() {
		if c := s.Claims(); c != nil && !c.ExpiresAt.IsZero() && now.After(c.ExpiresAt.Add(x.h.cfg.TokenLeeway)) {
			s.Close(hub.CloseTokenExpired, "token expired")
		}
	}
}

// NodeGone tells the members of rooms whose other members were on a node that is
// gone.
func (x host) NodeGone(boot uint64) {
	for _, r := range x.h.rooms.List() {
		r.NodeGone(boot)
	}
}

// share sends who came and went here to the other nodes.
func (h *Hub) share(id string, c room.Change) {
	raw, _ := json.Marshal(c) // strings and numbers
	h.cluster.Publish(cluster.Message{Room: id, Kind: cluster.KindPresence, Frame: raw})
}

// Load is what other nodes hear of this one.
func (x host) Load() cluster.Load {
	return cluster.Load{
		Clients: x.h.ClientCount(), Rooms: x.h.RoomCount(), Draining: x.h.Draining(), Messages: x.h.metrics.Received(),
	}
}
