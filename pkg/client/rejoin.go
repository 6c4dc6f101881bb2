package client

import (
	"math/rand/v2"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// movedBy takes a room_joined or room_left that the server had its own reasons
// for.
func (c *Client) movedBy(m Message) {
	var got joinData
	if !c.read(m, &got) {
		return
	}
	if m.Type == typeLeft {
		if c.forget(got.Room) {
			c.tell(Left{Room: got.Room})
		}
		return
	}
	c.mu.Lock()
	r := c.rooms[got.Room]
	if r == nil {
		r = &room{name: got.Room}
		c.rooms[got.Room] = r
	}
	again := r.joined // before the client's own join after a reconnect
	r.joined, r.leaving = true, false
	r.chain.start(got.Position)
	c.mu.Unlock()
	if again {
		c.tell(Rejoined{Room: got.Room, Position: got.Position})
	} else {
		c.tell(Joined{Room: got.Room, Position: got.Position})
	}
}

// rejoinAll asks for all rooms again in a new connection.
func (c *Client) rejoinAll(w *wire) {
	c.mu.Lock()
	var rooms []*room
	for _, r := range c.rooms {
		if r.joined && !r.leaving {
			r.retries = 0
			rooms = append(rooms, r)
		}
	}
	c.mu.Unlock()
	for _, r := range rooms {
		c.rejoin(w, r)
	}
}

// rejoin asks for a room again. It does not wait for the answer.
func (c *Client) rejoin(w *wire, r *room) {
	id := c.nextID()
	c.mu.Lock()
	current, since := c.rooms[r.name] == r && !r.leaving, r.chain.last
	c.mu.Unlock()
	if !current {
		return
	}
	frame, err := newFrame(typeJoin, joinData{Room: r.name, Since: since}, id)
	if err != nil {
		c.tellNow(Fault{Err: err})
		return
	}
	a := &answer{came: make(chan Message, 1), answered: func(m Message) { c.rejoined(w, r, m) }}
	if w.expect(id, a) {
		_, _ = w.write(c.ctx, frame) // a failure ends the connection
	}
}

// rejoined takes the answer to a rejoin.
func (c *Client) rejoined(w *wire, r *room, m Message) {
	if err := m.err(); err != nil {
		c.notRejoined(w, r, err)
		return
	}
	var got joinData
	if !c.read(m, &got) {
		return
	}
	c.mu.Lock()
	if !got.Recovered {
		r.chain.start(got.Position)
	}
	c.mu.Unlock()
	c.tell(Rejoined{Room: r.name, Position: got.Position, Recovered: got.Recovered})
}

// rejoinWait is the longest time before the first repetition of a join that the
// hub could not grant for now; it doubles up to rejoinMaxWait.
const (
	rejoinWait    = 500 * time.Millisecond
	rejoinMaxWait = 8 * time.Second
)

// notRejoined takes a refusal to let the client in again.
func (c *Client) notRejoined(w *wire, r *room, err *hub.Error) {
	switch err.Code {
	case hub.CodeAlreadyInRoom: // the server was quicker, and said so
		return
	case hub.CodeTimeout, hub.CodeServer, hub.CodeRateLimited:
		c.mu.Lock()
		limit := min(rejoinWait<<min(r.retries, 10), rejoinMaxWait)
		r.retries++
		c.mu.Unlock()
		wait := limit/2 + rand.N(limit/2)
		w.after("join "+r.name, wait, func() { c.rejoin(w, r) })
		return
	}
	c.mu.Lock()
	current := c.rooms[r.name] == r
	if current {
		delete(c.rooms, r.name)
	}
	c.mu.Unlock()
	if current {
		c.tell(Left{Room: r.name, Err: err})
	}
}
