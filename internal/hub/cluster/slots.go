package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// slots decide who may enter a room with a limit. The room's owner counts the
// members on every node; a node asks it before each join, and tells it of each
// leave. An owner decides only while its lease is good. A new one waits until
// that of the old one is over, and asks all nodes for their members first.
type slots struct {
	mu     sync.Mutex         // guards all below
	number uint64             // of the last thing said about seats: a later one holds
	held   map[string]*seats  // of this node, by room
	ledger map[string]*ledger // of the rooms this node owns
}

// seats are the members of a limited room on this node.
type seats struct {
	count  int
	users  int           // joins under way
	asking chan struct{} // holds a token while the owner is being asked
	dirty  bool          // the owner has not been told of count
}

func (s *slots) init() {
	s.held = make(map[string]*seats)
	s.ledger = make(map[string]*ledger)
}

var (
	errRoomFull = hub.NewError(hub.CodeRoomFull, "room is full")
	// errNotYet says that an owner cannot decide yet, or does not own the room;
	// nothing was done. It is itself also when it comes from another node.
	errNotYet error = hub.NewError(hub.CodeTimeout, "the room's owner cannot be reached: nobody is admitted at the moment")
)

// askAgainAfter is the pause before an owner is asked again that could not say.
const askAgainAfter = 50 * time.Millisecond

// Admit takes a seat in a room with a limit. It waits for an owner until ctx
// ends. The seat is given back with Vacate. Errors: hub.CodeRoomFull,
// hub.CodeTimeout where no owner decides.
func (c *Cluster) Admit(ctx context.Context, room string, limit int) error {
	return c.withOwner(ctx, room, func(ctx context.Context, at uint64, count int, number uint64) error {
		if _, err := c.Ask(ctx, at, "admit", seatsQuestion(room, limit, count, number)); err != nil {
			return err
		}
		c.slots.mu.Lock()
		c.slots.seats(room).count++
		c.slots.mu.Unlock()
		return nil
	})
}

func seatsQuestion(room string, limit, count int, number uint64) []byte {
	var w writer
	w.string(room)
	w.uint(uint64(limit))
	w.uint(uint64(count))
	w.uint(number)
	return w
}

// withOwner asks the owner of a room about its seats, one question of this node
// at a time, until it decides or ctx ends.
func (c *Cluster) withOwner(ctx context.Context, room string, ask func(ctx context.Context, at uint64, count int, number uint64) error) error {
	s := c.slots.use(room)
	defer func() {
		c.slots.mu.Lock()
		s.users--
		c.slots.mu.Unlock()
		c.report(room)
	}()
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return errNotYet
	}
	defer func() { <-s.asking }()
	for {
		err := errNotYet
		if at := c.ownerOf(KeyOf(room)); at != 0 {
			c.slots.mu.Lock()
			c.slots.number++
			count, number := s.count, c.slots.number
			c.slots.mu.Unlock()
			bounded, cancel := context.WithTimeout(ctx, answerWithin)
			err = ask(bounded, at, count, number)
			cancel()
			if err != nil {
				c.slots.mu.Lock()
				s.dirty = true // the owner may have counted a seat that nobody has
				c.slots.mu.Unlock()
			}
		}
		if err == nil || errors.Is(err, errRoomFull) {
			return err
		}
		if pause(ctx, askAgainAfter) != nil {
			return errNotYet
		}
	}
}

// Vacate gives a seat back.
func (c *Cluster) Vacate(room string) {
	c.slots.mu.Lock()
	if s := c.slots.held[room]; s != nil && s.count > 0 {
		s.count--
		s.dirty = true
	}
	c.slots.mu.Unlock()
	c.report(room)
}

// Confirm asks the owner whether the members here still have their seats, which
// others may have taken while this node was cut off. It returns how many have to
// leave; it waits for an owner until ctx ends.
func (c *Cluster) Confirm(ctx context.Context, room string, limit int) (leave int, err error) {
	err = c.withOwner(ctx, room, func(ctx context.Context, at uint64, count int, number uint64) error {
		answer, err := c.Ask(ctx, at, "confirm", seatsQuestion(room, limit, count, number))
		if err != nil {
			return err
		}
		r := reader{b: answer}
		leave = int(r.uint())
		return r.err()
	})
	return leave, err
}

// use returns the seats of a room for a join, which has to count users down.
func (s *slots) use(room string) *seats {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.seats(room)
	x.users++
	return x
}

// seats returns the seats of a room; the caller holds the lock.
func (s *slots) seats(room string) *seats {
	x := s.held[room]
	if x == nil {
		x = &seats{asking: make(chan struct{}, 1)}
		s.held[room] = x
	}
	return x
}

// report tells the owner how many members are here, unless it is being asked:
// then the report follows the answer.
func (c *Cluster) report(room string) {
	c.slots.mu.Lock()
	s := c.slots.held[room]
	if s == nil || len(s.asking) > 0 {
		c.slots.mu.Unlock()
		return
	}
	c.slots.number++
	dirty, count, number := s.dirty, s.count, c.slots.number
	s.dirty = false
	if count == 0 && s.users == 0 {
		delete(c.slots.held, room)
	}
	c.slots.mu.Unlock()
	if !dirty {
		return
	}
	at := c.ownerOf(KeyOf(room))
	if at == c.boot {
		c.slots.reported(c.boot, room, count, number)
		return
	}
	var w writer
	w.string(room)
	w.uint(uint64(count))
	w.uint(number)
	if at == 0 || c.TellNode(at, "release", w) != nil {
		c.slots.mu.Lock()
		c.slots.seats(room).dirty = true // told with the next heartbeat
		c.slots.mu.Unlock()
	}
}

// reportSlots reports what could not be reported before.
func (c *Cluster) reportSlots() {
	c.slots.mu.Lock()
	var rooms []string
	for room, s := range c.slots.held {
		if s.dirty {
			rooms = append(rooms, room)
		}
	}
	c.slots.mu.Unlock()
	for _, room := range rooms {
		c.report(room)
	}
}

// reportAll reports every room: after an outage no owner can be sure.
func (c *Cluster) reportAll() {
	c.slots.mu.Lock()
	for _, s := range c.slots.held {
		s.dirty = true
	}
	c.slots.mu.Unlock()
	c.reportSlots()
}
