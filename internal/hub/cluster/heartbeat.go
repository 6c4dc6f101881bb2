package cluster

import (
	"sync"
	"time"
)

// beats sends heartbeats and looks after those of others.
func (c *Cluster) beats() {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
			c.sendBeat()
			c.sendDigest()
			c.lookAround()
			c.rooms.sweep(c)
			c.reportSlots()
		}
	}
}

// sendBeat tells the others that this node lives. A heartbeat that the bus does
// not take is missed by nobody who could get it.
func (c *Cluster) sendBeat() {
	if c.gone.Load() {
		return
	}
	me := c.Self()
	w := c.message(kindBeat)
	w.uint(c.beat.Add(1))
	w.string(me.ID)
	w.string(me.Address)
	w.string(me.Version)
	w.fixed(uint64(me.Started.UnixMilli()))
	w.bool(me.Ready)
	w.bool(me.Draining)
	w.uint(uint64(me.Load.Clients))
	w.uint(uint64(me.Load.Rooms))
	w.uint(me.Load.Messages)
	d := c.defined.digest()
	w.uint(d.count)
	w.fixed(d.sum)
	if err := c.bus.Publish(everyone, w); err != nil {
		c.cfg.Logger.Debug("heartbeat not sent", "error", err)
	}
}

func (c *Cluster) sendGone() {
	c.gone.Store(true)
	if err := c.bus.Publish(everyone, c.message(kindGone)); err != nil {
		c.cfg.Logger.Debug("leave not sent", "error", err)
	}
}

// heard takes a heartbeat.
func (c *Cluster) heard(from uint64, r *reader) {
	r.uint() // the beat's number is for people who watch the bus
	info := NodeInfo{Boot: from, ID: r.string(), Address: r.string(), Version: r.string(), Started: time.UnixMilli(int64(r.fixed()))}
	info.Ready, info.Draining = r.bool(), r.bool()
	info.Load = Load{Clients: int(r.uint()), Rooms: int(r.uint()), Messages: r.uint(), Draining: info.Draining}
	defined := digestOfDefinitions{count: r.uint(), sum: r.fixed()}
	if r.bad {
		return
	}
	c.nodes.mu.Lock()
	x := c.nodes.known[from]
	fresh := x == nil
	if fresh {
		x = new(node)
		c.nodes.known[from] = x
	}
	now := c.cfg.Now()
	// A node that was thought dead has streams that this one has not heard.
	returned := !fresh && x.info.Silent || fresh && now.Sub(info.Started) > deadAfter
	if fresh && returned && c.nodes.entered.Load() {
		x.apart, x.back = c.started, now // it was not there when this node looked
		if at, ok := c.nodes.buried[from]; ok {
			x.apart = at
			delete(c.nodes.buried, from)
		}
	}
	info.Rate = x.rate.of(info.Load.Messages, c.cfg.Now())
	x.info, x.heard = info, c.cfg.Now()
	c.nodes.mu.Unlock()
	c.viewChanged()
	if fresh {
		c.cfg.Logger.Info("node heard", "node", info.ID, "address", info.Address, "version", info.Version)
		c.sendBeat() // so that it need not wait for the next
	}
	if returned && c.nodes.entered.Load() {
		c.resync()
	}
	c.learn(from, defined)
}

// lookAround finds nodes that have fallen silent, and buries the dead. While
// the bus is away it is not theirs that nothing is heard of them: nobody is
// buried, and their time begins anew when the bus is back.
func (c *Cluster) lookAround() {
	now := c.cfg.Now()
	_, degraded := c.Degraded()
	var dead []uint64
	c.nodes.mu.Lock()
	for boot, x := range c.nodes.known {
		switch quiet := now.Sub(x.heard); {
		case quiet > deadAfter && !degraded:
			dead = append(dead, boot)
		case quiet > suspectAfter:
			x.info.Silent = true
		}
	}
	c.nodes.mu.Unlock()
	for _, boot := range dead {
		c.nodeGone(boot, true)
	}
}

// waitAgain gives every node its time to be heard from now on.
func (n *nodes) waitAgain(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.known {
		x.heard = now
	}
}

// nodeGone forgets a node. One that died without a word may have taken its last
// messages with it.
func (c *Cluster) nodeGone(boot uint64, died bool) {
	c.nodes.mu.Lock()
	x := c.nodes.known[boot]
	delete(c.nodes.known, boot)
	if x != nil && died {
		c.nodes.bury(boot, x, c.cfg.Now())
	}
	c.nodes.mu.Unlock()
	if x == nil {
		return
	}
	c.cfg.Logger.Info("node gone", "node", x.info.ID, "died", died)
	c.calls.gone(boot)
	c.slots.forget(boot)
	c.viewChanged()
	c.cfg.Host.NodeGone(boot)
	if died {
		c.rooms.publisherGone(c, boot, true)
		return
	}
	c.spawn(func() { // its last messages may still be on their way to other goroutines
		if pause(c.ctx, leaseFor) == nil && !c.Live(boot) {
			c.rooms.publisherGone(c, boot, false)
		}
	})
}

// rate is how fast a counter grows.
type rate struct {
	mu     sync.Mutex // guards all below
	count  uint64
	at     time.Time
	second float64
}

// of returns how much of count has come in a second, over a heartbeat or more.
func (r *rate) of(count uint64, now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := now.Sub(r.at)
	switch {
	case r.at.IsZero() || count < r.count:
		r.count, r.at, r.second = count, now, 0
	case passed >= heartbeatEvery*9/10:
		r.second = float64(count-r.count) / passed.Seconds()
		r.count, r.at = count, now
	}
	return r.second
}
