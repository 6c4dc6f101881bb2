package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	goredis "github.com/redis/go-redis/v9"
)

// Bounds of a publisher.
const (
	publishBytes  = 16 << 20 // that wait or are on their way
	batchMessages = 512
	batchBytes    = 1 << 20
)

// outgoing is a message to publish, or, with an answer, a question whether the
// node is there, behind the messages before it.
type outgoing struct {
	subject string
	data    []byte
	answer  chan<- error // of capacity for it; nil for messages
}

func (o outgoing) cost() int { return len(o.data) + len(o.subject) + messageCost }

// publisher is the connection on which messages go to one Redis node, in order.
// What waits while a batch is on its way is the next batch: one message alone
// takes one round trip, many share it.
type publisher struct {
	node *node
	wake chan struct{}

	// Of the connection before this one, to be sure that it is dead.
	lastID  int64
	lastRun string

	mu       sync.Mutex
	queue    []outgoing // guarded by mu
	bytes    int        // guarded by mu: of queue and the batch on its way
	messages int        // guarded by mu: in queue and the batch on its way
	away     error      // guarded by mu: why there is no connection; nil with one
	closing  bool       // guarded by mu
	suspect  bool       // guarded by mu: whether the connection is there is to be asked
}

func newPublisher(n *node) *publisher {
	return &publisher{node: n, wake: make(chan struct{}, 1), away: errConnecting}
}

// push takes a message, or refuses it.
func (p *publisher) push(o outgoing) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return errClosed
	case p.away != nil:
		return fmt.Errorf("%w: %w", bus.ErrRefused, p.away)
	case p.bytes > 0 && p.bytes+o.cost() > publishBytes && o.answer == nil:
		return fmt.Errorf("%w: %d bytes wait for redis %s already", bus.ErrRefused, p.bytes, p.node.addr)
	}
	p.add(o)
	return nil
}

// add is called with mu held.
func (p *publisher) add(o outgoing) {
	p.queue = append(p.queue, o)
	p.bytes += o.cost()
	if o.answer == nil {
		p.messages++
	}
	signal(p.wake)
}

// finish takes nothing more; what it returns receives nil when everything is
// with Redis.
func (p *publisher) finish() <-chan error {
	answer := make(chan error, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	if p.messages == 0 {
		answer <- nil
	} else {
		p.add(outgoing{answer: answer})
	}
	return answer
}

// take returns the next batch, and whether there is another.
func (p *publisher) take() (batch []outgoing, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, 0
	for n < len(p.queue) && n < batchMessages && bytes < batchBytes {
		bytes += p.queue[n].cost()
		n++
	}
	batch, p.queue = p.queue[:n:n], p.queue[n:]
	return batch, len(p.queue) > 0
}

// session is the life of one connection.
func (p *publisher) session(ctx context.Context, l *link) error {
	s, err := greet(ctx, l.conn)
	if err != nil {
		return err
	}
	// The old connection may hold messages that a server which hung has not
	// read yet: they must not come behind those of the new one.
	if p.lastID != 0 && p.lastRun == s.run {
		if err := l.conn.ClientKillByFilter(ctx, "ID", fmt.Sprint(p.lastID)).Err(); err != nil && !isReply(err) {
			return err
		}
	}
	p.lastID, p.lastRun = s.id, s.run
	p.setAway(nil)
	p.node.bus.state.found(p)
	return p.serve(ctx, l.conn)
}

func (p *publisher) serve(ctx context.Context, conn *goredis.Conn) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C: // whether it is still a master
			if _, err := greet(ctx, conn); err != nil {
				return err
			}
		case <-p.wake:
			if err := p.verify(ctx, conn); err != nil {
				return err
			}
			batch, more := p.take()
			if err := p.send(ctx, conn, batch); err != nil {
				return err
			}
			if more {
				signal(p.wake) // so that a flood does not keep off the tick
			}
		}
	}
}

// send makes the round trip of one batch.
func (p *publisher) send(ctx context.Context, conn *goredis.Conn, batch []outgoing) error {
	if len(batch) == 0 {
		return nil
	}
	b := p.node.bus
	pipe := conn.Pipeline()
	cmds := make([]goredis.Cmder, len(batch))
	for i, o := range batch {
		switch {
		case o.answer != nil:
			cmds[i] = pipe.Ping(ctx)
		case p.node.sharded:
			cmds[i] = pipe.SPublish(ctx, b.names.channel(o.subject), o.data)
		default:
			cmds[i] = pipe.Publish(ctx, b.names.channel(o.subject), o.data)
		}
	}
	_, err := pipe.Exec(ctx)
	if isReply(err) {
		err = nil // one of the commands has it, too
	}
	var lost []string
	bytes, messages := 0, 0
	for i, o := range batch {
		bytes += o.cost()
		reply := cmds[i].Err()
		if o.answer != nil {
			o.answer <- errors.Join(err, reply)
			continue
		}
		messages++
		if slot, ok := movedSlot(reply); ok {
			lost = append(lost, o.subject)
			b.moved(slot)
		} else if err == nil {
			err = reply
		}
	}
	b.notices.dropped(errMoved, lost...)
	b.stats.dropped.Add(uint64(len(lost)))
	p.mu.Lock()
	p.bytes -= bytes
	p.messages -= messages
	p.mu.Unlock()
	return err
}

// doubt takes no messages until the connection has answered: another one to the
// same node is gone. An idle connection whose server has died shows nothing.
func (p *publisher) doubt(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away == nil {
		p.away, p.suspect = err, true
		p.node.bus.state.lost(p, err)
		signal(p.wake)
	}
}

// verify ends a doubt.
func (p *publisher) verify(ctx context.Context, conn *goredis.Conn) error {
	p.mu.Lock()
	suspect := p.suspect
	p.suspect = false
	p.mu.Unlock()
	if !suspect {
		return nil
	}
	if _, err := greet(ctx, conn); err != nil {
		return err
	}
	p.setAway(nil)
	p.node.bus.state.found(p)
	return nil
}

// lost is called when the connection is gone. What waits was taken and never
// will be sent: what comes behind it cannot come before it then.
func (p *publisher) lost(err error) {
	p.setAway(err)
	if !errors.Is(err, errGone) {
		p.node.bus.state.lost(p, err)
		p.node.subscriber.doubt(err)
	}
}

func (p *publisher) setAway(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.suspect = err, false
	if err == nil {
		return
	}
	for _, o := range p.queue {
		if o.answer != nil {
			o.answer <- err
		} else {
			p.node.bus.stats.dropped.Add(1)
		}
	}
	p.queue, p.bytes, p.messages = nil, 0, 0
}
