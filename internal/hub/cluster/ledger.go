package cluster

import (
	"context"

	"github.com/chenxilol/gohub/internal/fault"
)

// ledger is what the owner of a limited room knows.
type ledger struct {
	opened bool           // all nodes have been asked
	nodes  map[uint64]int // members, by node
}

func (l *ledger) total() int {
	n := 0
	for _, count := range l.nodes {
		n += count
	}
	return n
}

// answerAdmit decides, as the owner.
func (c *Cluster) answerAdmit(ctx context.Context, from uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room, limit, count := r.string(), int(r.uint()), int(r.uint())
	if r.bad {
		return nil, errMalformed
	}
	if err := c.openLedger(ctx, room); err != nil {
		return nil, err
	}
	s := &c.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger[room]
	if l == nil || !l.opened || !c.mayDecide(c.cfg.Now()) {
		return nil, errNotYet
	}
	l.nodes[from] = count // it asks one question at a time
	if fault.On("limit-off-by-one") {
		limit++
	}
	if l.total() >= limit {
		return nil, errRoomFull
	}
	l.nodes[from]++
	return nil, nil
}

// answerConfirm tells a node that was cut off how many of its members have no
// seat any more, as the owner.
func (c *Cluster) answerConfirm(ctx context.Context, from uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room, limit, count := r.string(), int(r.uint()), int(r.uint())
	if r.bad {
		return nil, errMalformed
	}
	if err := c.openLedger(ctx, room); err != nil {
		return nil, err
	}
	s := &c.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger[room]
	if l == nil || !l.opened || !c.mayDecide(c.cfg.Now()) {
		return nil, errNotYet
	}
	l.nodes[from] = count
	leave := min(max(l.total()-limit, 0), count)
	l.nodes[from] -= leave
	var w writer
	w.uint(uint64(leave))
	return w, nil
}

// openLedger makes this node able to decide about a room, if it owns it.
func (c *Cluster) openLedger(ctx context.Context, room string) error {
	if !c.mayOpen(KeyOf(room)) {
		return errNotYet
	}
	s := &c.slots
	s.mu.Lock()
	l := s.ledger[room]
	if l == nil {
		l = &ledger{nodes: make(map[uint64]int)}
		s.ledger[room] = l
	}
	if x := s.held[room]; !l.opened && x != nil {
		l.nodes[c.boot] = x.count
	}
	opened := l.opened
	s.mu.Unlock()
	if opened {
		return nil
	}
	var w writer
	w.string(room)
	missing := c.AskAll(ctx, "held", w, func(n NodeInfo, answer []byte) {
		// At once: a report that comes behind the answer is newer.
		r := reader{b: answer}
		s.mu.Lock()
		if !l.opened { // by another question, whose answers count
			l.nodes[n.Boot] = int(r.uint())
		}
		s.mu.Unlock()
	})
	if len(missing) > 0 {
		return errNotYet
	}
	s.mu.Lock()
	l.opened = true
	s.mu.Unlock()
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
	var w writer
	if s := c.slots.held[room]; s != nil {
		w.uint(uint64(s.count))
	} else {
		w.uint(0)
	}
	return w, r.err()
}

// answerRelease takes a report.
func (c *Cluster) answerRelease(_ context.Context, from uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	room, count := r.string(), int(r.uint())
	if !r.bad {
		c.slots.reported(from, room, count)
	}
	return nil, r.err()
}

func (s *slots) reported(boot uint64, room string, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger[room]
	if l == nil {
		return
	}
	l.nodes[boot] = count
	if l.total() == 0 && l.opened {
		delete(s.ledger, room)
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
