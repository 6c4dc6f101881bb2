package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chenxilol/gohub/pkg/hub"
)

// room is a room the client is in, or about to be. Client.mu guards it.
type room struct {
	name    string
	handler Handler
	joined  bool // has been: it is joined again after a reconnect
	leaving bool // but not any more
	retries int  // of joining again
	chain   chain
}

// JoinOptions say how a room is joined.
type JoinOptions struct {
	// Since is the position of the last message seen, to get those that came
	// after it first; "" for new ones only. The client remembers it itself from
	// then on: it is for programs that were restarted.
	Since string
	// Handler gets the room's messages; nil means Options.OnRoomMessage.
	Handler Handler
}

// Membership is what the hub says about a room that was joined.
type Membership struct {
	Position  string // of the room's last message; "" in a room without a history
	Recovered bool   // all messages after JoinOptions.Since follow
}

// joinData is the data of join_room and of room_joined.
type joinData struct {
	Room      string `json:"room_id"`
	Since     string `json:"since,omitempty"`
	Position  string `json:"position,omitempty"`
	Recovered bool   `json:"recovered,omitempty"`
}

// Join makes the client a member of a room, until it calls Leave: after a
// reconnect it joins again, from the last position it saw (see Rejoined). When
// Join fails with ErrUnknown the client may have become a member nevertheless;
// Rooms says so, and Leave ends it.
func (c *Client) Join(ctx context.Context, name string, opts JoinOptions) (Membership, error) {
	r := &room{name: name, handler: opts.Handler}
	c.mu.Lock()
	if old := c.rooms[name]; old != nil {
		c.mu.Unlock()
		return Membership{}, fmt.Errorf("%s: %w", typeJoin, hub.NewError(hub.CodeAlreadyInRoom, "the client is in this room already"))
	}
	c.rooms[name] = r
	c.mu.Unlock()
	var got joinData
	_, err := c.call(ctx, typeJoin, joinData{Room: name, Since: opts.Since}, callOptions{
		answered: func(m Message) { got = c.firstJoined(r, opts.Since, m) },
		repeat:   always,
	})
	if err != nil {
		c.gaveUp(r)
		return Membership{}, err
	}
	return Membership{Position: got.Position, Recovered: got.Recovered}, nil
}

// firstJoined takes the answer to the first join of a room, even if Join waits
// for it no more.
func (c *Client) firstJoined(r *room, since string, m Message) (got joinData) {
	if m.err() != nil || !c.read(m, &got) {
		c.gaveUp(r)
		return got
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.joined = true
	c.rooms[r.name] = r
	if got.Recovered {
		r.chain.start(since)
	} else {
		r.chain.start(got.Position)
	}
	return got
}

// gaveUp ends a first join that failed.
func (c *Client) gaveUp(r *room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.joined && c.rooms[r.name] == r {
		delete(c.rooms, r.name)
	}
}

// Leave ends a membership. Messages of the room that came before may still wait
// for their handler. A client that is not connected has left already.
func (c *Client) Leave(ctx context.Context, name string) error {
	c.mu.Lock()
	r := c.rooms[name]
	if r != nil && !c.ready {
		delete(c.rooms, name)
		c.mu.Unlock()
		return nil
	}
	if r != nil {
		r.leaving = true
	}
	c.mu.Unlock()
	_, err := c.call(ctx, typeLeave, joinData{Room: name}, callOptions{answered: func(m Message) {
		if e := m.err(); e == nil || e.Code == hub.CodeNotInRoom || e.Code == hub.CodeRoomNotFound {
			c.forget(name)
		}
	}})
	if err == nil || errors.Is(err, errLost) { // whoever disconnects leaves every room
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r != nil && !errors.Is(err, ErrUnknown) {
		r.leaving = false
	}
	return err
}

// forget removes a room; it tells whether the client was in it.
func (c *Client) forget(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[name]
	delete(c.rooms, name)
	return r != nil
}

// Rooms returns the names of the rooms that the client is in, or will be in
// again when it is connected, sorted.
func (c *Client) Rooms() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, r := range c.rooms {
		if r.joined && !r.leaving {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// RoomOptions say what a created room is like.
type RoomOptions struct {
	Name       string // for people; "" means its id
	MaxClients int    // 0: no limit
}

// CreateRoom makes a room. It does not make the client a member.
func (c *Client) CreateRoom(ctx context.Context, name string, opts RoomOptions) error {
	_, err := c.call(ctx, "create_room", struct {
		Room       string `json:"room_id"`
		Name       string `json:"name,omitempty"`
		MaxClients int    `json:"max_clients,omitempty"`
	}{name, opts.Name, opts.MaxClients}, callOptions{})
	return err
}

// DeleteRoom removes a room; its members get Left.
func (c *Client) DeleteRoom(ctx context.Context, name string) error {
	_, err := c.call(ctx, "delete_room", joinData{Room: name}, callOptions{})
	return err
}
