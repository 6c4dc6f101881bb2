package cluster

import (
	"context"

	"github.com/chenxilol/gohub/internal/fault"
)

// ledger is what the owner of a limited room knows.
type ledger struct {
	opened bool               // all nodes have been asked
	nodes  map[uint64]account // by node
}

// account is what a node has said of its members last.
type account struct {
	count  int
	number uint64
}

func (l *ledger) total() int {
	n := 0
	for _, a := range l.nodes {
		n += a.count
	}
	return n
}

// note takes what a node says; false where it has said something since.
func (l *ledger) note(boot uint64, count int, number uint64) bool {
	if number <= l.nodes[boot].number {
		return false
	}
	l.nodes[boot] = account{count, number}
	return true
}

// add counts members of a node more.
func (l *ledger) add(boot uint64, n int) {
	a := l.nodes[boot]
	a.count += n
	l.nodes[boot] = a
}

// answerAdmit gives a member of another node a seat, as the owner.
func (c *Cluster) answerAdmit(ctx context.Context, from uint64, question []byte) ([]byte, error) {
	return nil, c.decide(ctx, from, question, func(l *ledger, limit, _ int) error {
		if fault.On("limit-off-by-one") {
			limit++
		}
		if l.total() >= limit {
			return errRoomFull
		}
		l.add(from, 1)
		return nil
	})
}

// answerConfirm tells a node that was cut off how many of its members have no
// seat any more, as the owner.
func (c *Cluster) answerConfirm(ctx context.Context, from uint64, question []byte) ([]byte, error) {
	var w writer
	err := c.decide(ctx, from, question, func(l *ledger, limit, count int) error {
		leave := min(max(l.total()-limit, 0), count)
		l.add(from, -leave)
		w.uint(uint64(leave))
		return nil
	})
	return w, err
}

// decide has f decide about a node's question, see seatsQuestion, with what the
// owner of the room knows. f is called under the lock of slots.
func (c *Cluster) decide(ctx context.Context, from uint64, question []byte, f func(l *ledger, limit, count int) error) error {
	r := reader{b: question}
	room, limit, count, number := r.string(), int(r.uint()), int(r.uint()), r.uint()
	if r.bad {
		return errMalformed
	}
	if err := c.openLedger(ctx, room); err != nil {
		return err
	}
	s := &c.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger[room]
	if l == nil || !l.opened || !c.mayDecide(c.cfg.Now()) {
		return errNotYet
	}
	if !l.note(from, count, number) {
		return errNotYet // it waits for this answer no more
	}
	return f(l, limit, count)
}

// openLedger makes this node able to decide about a room, if it owns it.
func (c *Cluster) openLedger(ctx context.Context, room string) error {
	s := &c.slots
	s.mu.Lock()
	l := s.ledger[room]
	opened := l != nil && l.opened
	s.mu.Unlock()
	if opened && c.ownerOf(KeyOf(room)) == c.boot {
		return nil
	}
	if !c.mayOpen(KeyOf(room)) {
		return errNotYet
	}
	s.mu.Lock()
	if l = s.ledger[room]; l == nil {
		l = &ledger{nodes: make(map[uint64]account)}
		s.ledger[room] = l
	}
	if x := s.held[room]; !l.opened && x != nil {
		s.number++
		l.note(c.boot, x.count, s.number)
	}
	s.mu.Unlock()
	missing := c.AskAll(ctx, "held", text(room), func(n NodeInfo, answer []byte) {
		// At once: a report that comes behind the answer is newer.
		r := reader{b: answer}
		s.mu.Lock()
		if !l.opened { // by another question, whose answers count
			l.note(n.Boot, int(r.uint()), r.uint())
		}
		s.mu.Unlock()
	})
	if len(missing) > 0 {
		return errNotYet
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ownerOf(KeyOf(room)) != c.boot {
		return errNotYet // not any more
	}
	l.opened = true
	return nil
}

// mayOpen tells whether this node owns a key, and whether whoever owned it
// before has stopped deciding.
func (c *Cluster) mayOpen(k Key) bool {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	now := c.cfg.Now()
	return owner(k, c.nodes.owners) == c.boot && now.Before(c.nodes.lease) && now.Sub(c.nodes.changed) >= leaseFor
}

// answerHeld tells how many members are here.
func (c *Cluster) answerHeld(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room := r.string()
	c.slots.mu.Lock()
	defer c.slots.mu.Unlock()
	count := 0
	if s := c.slots.held[room]; s != nil {
		count = s.count
	}
	c.slots.number++
	var w writer
	w.uint(uint64(count))
	w.uint(c.slots.number)
	return w, r.err()
}

// answerRelease takes a report.
func (c *Cluster) answerRelease(_ context.Context, from uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room, count, number := r.string(), int(r.uint()), r.uint()
	if !r.bad {
		c.slots.reported(from, room, count, number)
	}
	return nil, r.err()
}

func (s *slots) reported(boot uint64, room string, count int, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger[room]
	if l == nil {
		return
	}
	if l.note(boot, count, number) && l.opened && l.total() == 0 {
		delete(s.ledger, room) // who comes next asks all nodes again
	}
}

// drop forgets what this node knows as an owner.
func (s *slots) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.ledger)
}

// forget drops the members on a dead node.
func (s *slots) forget(boot uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.ledger {
		delete(l.nodes, boot)
	}
}

// reassign drops the ledgers of rooms that another node owns now.
func (s *slots) reassign(c *Cluster) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room := range s.ledger {
		if c.ownerOf(KeyOf(room)) != c.boot {
			delete(s.ledger, room)
		}
	}
}
