package cluster

import (
	"context"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Defined returns the definition of a room, if it has one.
func (c *Cluster) Defined(room string) (Definition, bool) { return c.defined.get(room) }

var (
	errExists   = hub.NewError(hub.CodeRoomExists, "room exists already")
	errNotFound = hub.NewError(hub.CodeRoomNotFound, "room not found")
)

// Create creates a room on every node. Errors: hub.CodeRoomExists where some
// node has it; hub.CodeTimeout where its owner cannot be reached.
func (c *Cluster) Create(ctx context.Context, d Definition) error {
	var w writer
	w.definition(definition{Definition: d})
	answer, err := c.askOwner(ctx, KeyOf(d.Room), "create", w)
	if err != nil {
		return err
	}
	c.takeDefinitions(answer)
	return nil
}

// Delete deletes a room on every node, with its history. Errors:
// hub.CodeRoomNotFound where no node has it; hub.CodeTimeout where its owner, or
// the history, cannot be reached.
func (c *Cluster) Delete(ctx context.Context, room string) error {
	answer, err := c.askOwner(ctx, KeyOf(room), "delete", text(room))
	if err != nil {
		return err
	}
	c.takeDefinitions(answer)
	return nil
}

// askOwner asks the owner of a key until it decides, or ctx ends.
func (c *Cluster) askOwner(ctx context.Context, k Key, name string, question []byte) ([]byte, error) {
	for {
		err := errNotYet
		if at := c.ownerOf(k); at != 0 {
			var answer []byte
			if answer, err = c.Ask(ctx, at, name, question); err != errNotYet {
				return answer, err
			}
		}
		if pause(ctx, askAgainAfter) != nil {
			return nil, err
		}
	}
}

// answerCreate creates a room, as its owner.
func (c *Cluster) answerCreate(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	x := r.definition()
	if r.bad {
		return nil, errMalformed
	}
	if !c.mayDecideNow(x.Room) {
		return nil, errNotYet
	}
	if _, defined := c.defined.get(x.Room); defined {
		return nil, errExists
	}
	exists, missing := c.exists(ctx, x.Room)
	switch {
	case exists:
		return nil, errExists
	case missing:
		return nil, errNotYet
	}
	if x.version = c.defined.draw(c.cfg.Now()); !c.defined.create(x) {
		return nil, errExists // meanwhile
	}
	return c.announce(x), nil
}

// answerDelete deletes a room, as its owner.
func (c *Cluster) answerDelete(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room := r.string()
	if r.bad {
		return nil, errMalformed
	}
	if !c.mayDecideNow(room) {
		return nil, errNotYet
	}
	if _, defined := c.defined.get(room); !defined {
		exists, missing := c.exists(ctx, room)
		switch {
		case exists:
		case missing:
			return nil, errNotYet
		default:
			return nil, errNotFound
		}
	}
	// While the history cannot be reached the room stays.
	if err := c.deleteHistory(ctx, room); err != nil {
		return nil, err
	}
	x := definition{Definition: Definition{Room: room}, version: c.defined.draw(c.cfg.Now()), deleted: true}
	c.defined.merge(x, c.cfg.Now())
	told := c.announce(x)
	// What its last members have said meanwhile is no part of a new room either.
	if err := c.deleteHistory(ctx, room); err != nil {
		c.cfg.Logger.Warn("the end of a deleted room's history may be left over", "error", err)
	}
	return told, nil
}

// deleteHistory has the next room of a name begin without a history.
func (c *Cluster) deleteHistory(ctx context.Context, room string) error {
	if c.log == nil {
		return nil
	}
	if err := c.log.Delete(ctx, KeyOf(room).subject()); err != nil {
		c.cfg.Logger.Warn("history not deleted", "error", err)
		return errNotYet
	}
	return nil
}

// mayDecideNow tells whether this node owns the room and has its lease. Two
// owners at once, for as long as their views differ, end in one definition all
// the same: the later.
func (c *Cluster) mayDecideNow(room string) bool {
	return c.ownerOf(KeyOf(room)) == c.boot && c.mayDecide(c.cfg.Now())
}

// announce tells all nodes of a definition that this one has taken in.
func (c *Cluster) announce(x definition) []byte {
	var w writer
	w.definition(x)
	c.apply(x)
	if err := c.Tell("define", w); err != nil {
		c.cfg.Logger.Debug("definition not told", "error", err) // heartbeats show it
	}
	return w
}

// exists asks every node whether it has a room. missing tells that some did not
// say.
func (c *Cluster) exists(ctx context.Context, room string) (exists, missing bool) {
	if c.cfg.Host.HasRoom(room) {
		return true, false
	}
	var w writer
	w.uint(1)
	w.string(room)
	silent := c.AskAll(ctx, "join", w, func(_ NodeInfo, answer []byte) {
		if r := (reader{b: answer}); len(answer) > 0 {
			r.uint()
			exists = r.bool() || exists
		}
	})
	return exists, len(silent) > 0
}

// Exists tells whether any node has a room. An error means that it is not known.
func (c *Cluster) Exists(ctx context.Context, room string) (bool, error) {
	if _, ok := c.defined.get(room); ok {
		return true, nil
	}
	now := c.cfg.Now()
	if ch := c.rooms.find(room); ch != nil {
		known := now.Before(ch.existsUntil)
		ch.mu.Unlock()
		if known {
			return true, nil
		}
	}
	exists, missing := c.exists(ctx, room)
	if !exists && missing {
		return false, errNoAnswer
	}
	if exists {
		ch := c.rooms.locked(c, room)
		ch.existsUntil = now.Add(existsFor)
		ch.mu.Unlock()
	}
	return exists, nil
}

// existsFor is how long an answer that a room exists is good: publishing to a
// room of other nodes then costs one message, not a question each time.
const existsFor = 2 * heartbeatEvery
