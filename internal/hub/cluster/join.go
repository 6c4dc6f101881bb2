package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/chenxilol/gohub/internal/fault"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Presence is what the other nodes say of a room when this one joins it.
type Presence struct {
	Exists bool // some node has it
	// Missing are the nodes that did not say.
	Missing []string
}

// joining is a join that waits for the other nodes.
type joining struct {
	done  chan struct{}
	found Presence // before done is closed
}

// barrier gathers the channels that wait to be in force: one round of questions
// serves all that are waiting.
type barrier struct {
	mu      sync.Mutex // guards waiting
	waiting []*channel
	wake    chan struct{} // holds a token while somebody waits
}

// joinBytes bounds the names in one question, far under what a bus carries.
const joinBytes = 128 << 10

func (b *barrier) init() { b.wake = make(chan struct{}, 1) }

func (b *barrier) add(list ...*channel) {
	if len(list) == 0 {
		return
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, list...)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns the channels of the next round.
func (b *barrier) take() []*channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.waiting) && size < joinBytes {
		size += len(b.waiting[n].room) + 2
		n++
	}
	round := b.waiting[:n:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting = nil
	}
	return round
}

// Hold has this node hear a room, for one member more: when it returns, no
// later message of the room is missed. It says whether other nodes have the
// room. Each Hold that does not fail needs a Release. While the bus is away it
// does not wait: what is missed is told when the bus is back.
func (c *Cluster) Hold(ctx context.Context, room string) (Presence, error) {
	here := c.cfg.Host.HasRoom(room)
	ch := c.rooms.locked(c, room)
	ch.refs++
	if ch.sub == nil {
		sub, err := c.bus.Subscribe(ch.key.subject(), c.receiveRoom)
		if err != nil {
			ch.refs--
			ch.mu.Unlock()
			return Presence{}, hub.NewError(hub.CodeServer, "subscribe to the room: %s", err)
		}
		ch.sub, ch.since = sub, c.cfg.Now()
	}
	if ch.joined && here {
		ch.mu.Unlock()
		return Presence{Exists: true}, nil
	}
	j := ch.joining
	if j == nil {
		j = &joining{done: make(chan struct{})}
		ch.joining = j
		c.barrier.add(ch)
	}
	ch.mu.Unlock()
	select {
	case <-j.done:
		return j.found, nil
	case <-ctx.Done():
		c.Release(room)
		return Presence{}, errNoAnswer
	}
}

// Release undoes one Hold.
func (c *Cluster) Release(room string) {
	ch := c.rooms.find(room)
	if ch == nil {
		return
	}
	if ch.refs--; ch.refs == 0 {
		ch.idleSince = c.cfg.Now()
	}
	ch.mu.Unlock()
}

// barriers asks the nodes for those that wait.
func (c *Cluster) barriers() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.barrier.wake:
		}
		for round := c.barrier.take(); len(round) > 0; round = c.barrier.take() {
			c.joinRound(round)
		}
	}
}

// joinRound makes sure that every node's messages reach this one: its broker
// knows the subscriptions, and each node answers a question that travelled
// behind them. In their answers the nodes say where their streams stand.
func (c *Cluster) joinRound(round []*channel) {
	w := writer{}
	w.uint(uint64(len(round)))
	for _, ch := range round {
		w.string(ch.room)
	}
	exists, used := make([]bool, len(round)), make([]bool, len(round))
	c.awaitEntry()
	ctx, cancel := context.WithTimeout(c.ctx, answerWithin)
	defer cancel()
	_, degraded := c.Degraded()
	reached := !degraded && c.nodes.entered.Load() && c.bus.Probe(ctx) == nil
	var missing []string
	if !reached {
		missing = c.unreached()
	} else {
		var answers []answered
		missing = c.AskAll(ctx, "join", w, func(n NodeInfo, data []byte) {
			answers = append(answers, answered{n.Boot, data})
		})
		for _, a := range answers {
			c.takeJoin(a.from, round, exists, used, a.data)
		}
	}
	for i, ch := range round {
		ch.mu.Lock()
		ch.joined = ch.joined || reached && ch.sub != nil
		// Whoever joined without the others' answers may have missed what they
		// have published since.
		missed := ch.unsure && ch.joined && (used[i] || len(missing) > 0) && ch.refs > 0
		since := ch.since
		ch.unsure = !ch.joined && ch.refs > 0 && !fault.On("lost-on-resubscribe")
		j := ch.joining
		ch.joining = nil
		ch.mu.Unlock()
		if missed {
			c.tellGap(ch.room, Gap{Reason: ReasonLost, Since: since})
		}
		if j != nil {
			j.found = Presence{Exists: exists[i], Missing: missing}
			close(j.done)
		}
	}
}

// unreached are the nodes that say nothing while the bus is away: all others.
func (c *Cluster) unreached() []string {
	live, silent := c.nodes.others()
	var ids []string
	for _, n := range append(live, silent...) {
		ids = append(ids, n.ID)
	}
	if len(ids) == 0 && !c.nodes.entered.Load() {
		ids = append(ids, "any other hub")
	}
	return ids
}

// answerJoin answers, for each room asked for that this node knows: its number
// in the question, whether the room exists here, and this node's stream.
func (c *Cluster) answerJoin(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	var w writer
	n := r.count(1)
	for i := range n {
		room := r.string()
		exists := c.cfg.Host.HasRoom(room)
		var stream, seq uint64
		if ch := c.rooms.find(room); ch != nil {
			stream, seq = ch.stream, ch.seq
			ch.mu.Unlock()
		}
		if exists || stream > 0 {
			w.uint(uint64(i))
			w.bool(exists)
			w.uint(stream)
			w.uint(seq)
		}
	}
	return w, r.err()
}

// answered is a node's answer.
type answered struct {
	from uint64
	data []byte
}

// takeJoin takes a node's answer: which rooms exist there, and which it has
// published to.
func (c *Cluster) takeJoin(boot uint64, round []*channel, exists, used []bool, answer []byte) {
	r := reader{b: answer}
	for len(r.b) > 0 {
		i, has, stream, seq := r.uint(), r.bool(), r.uint(), r.uint()
		if r.bad || i >= uint64(len(round)) {
			return
		}
		exists[i] = exists[i] || has
		if stream == 0 {
			continue
		}
		used[i] = true
		ch := round[i]
		ch.mu.Lock()
		h := ch.expect(boot, stream, seq)
		late := ch.refs > 0
		ch.mu.Unlock()
		if late {
			c.digest.suspect(ch)
		}
		if h.found && late {
			c.tellGap(ch.room, Gap{Reason: ReasonLost, Since: h.since})
		}
	}
}

// resync asks all nodes where their streams stand, for every room that has
// members here: after the bus or a node was away, what was missed is found out
// at once. Several reasons to do so within a moment are one.
func (c *Cluster) resync() {
	if c.resyncing.Swap(true) {
		return
	}
	c.spawn(func() {
		_ = pause(c.ctx, resyncAfter) // whether it ends early does not matter
		c.resyncing.Store(false)
		var held []*channel
		for _, ch := range c.rooms.all() {
			ch.mu.Lock()
			if fault.On("lost-on-resubscribe") {
				ch.joined, ch.heard = false, nil
			}
			if ch.refs > 0 {
				held = append(held, ch)
			}
			ch.mu.Unlock()
		}
		c.barrier.add(held...)
		c.checkFeeds(held)
	})
}

// resyncAfter gathers the reasons to ask all nodes.
const resyncAfter = 100 * time.Millisecond

// Notice takes what the bus tells. It does not wait.
func (c *Cluster) Notice(n bus.Notice) {
	switch n.Kind {
	case bus.Disconnected:
		c.cfg.Logger.Warn("bus disconnected", "error", n.Err)
	case bus.Connected:
		c.cfg.Logger.Info("bus connected")
		c.spawn(func() {
			c.sendBeat()
			c.reportAll()
		})
		c.resync()
	case bus.Dropped:
		c.Metrics.Dropped.Add(1)
		c.cfg.Logger.Warn("the bus dropped messages for this node", "error", n.Err)
		c.spawn(c.reportAll)
		c.resync()
	}
}
