package cluster

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// health is the state of the bus as a round trip shows it: a client library
// that says it is connected proves nothing.
type health struct {
	mu       sync.Mutex // guards all below
	last     time.Time  // of the last round trip
	degraded bool
}

// probes makes round trips to the broker, and decides from them whether the bus
// is there, and whether this node may decide about what it owns.
func (c *Cluster) probes() {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		c.probe()
		c.checkLate()
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Cluster) probe() {
	begin := c.cfg.Now()
	ctx, cancel := context.WithTimeout(c.ctx, probeWithin)
	err := c.bus.Probe(ctx)
	vouched := err
	if err == nil && c.leaser != nil {
		vouched = c.leaser.Confirm(ctx, strconv.FormatUint(c.boot, 36), leaseFor)
	}
	cancel()
	if c.ctx.Err() != nil {
		return
	}
	now := c.cfg.Now()
	h := &c.health
	h.mu.Lock()
	if err == nil {
		h.last = begin // what came back was sent then
	}
	since := h.last
	was := h.degraded
	is := now.Sub(since) > degradedAfter
	if was && !is {
		c.nodes.waitAgain(now) // before anybody sees that the bus is back
	}
	h.degraded = is
	h.mu.Unlock()
	if vouched == nil {
		c.renewLease(begin)
	}
	switch {
	case is && !was:
		c.cfg.Logger.Warn("the bus is away", "since", since, "error", err)
		c.cfg.Host.Outage(Outage{Degraded: true, Since: since})
	case was && !is:
		c.cfg.Logger.Info("the bus is there again")
		c.sendBeat()
		c.resync()
		c.cfg.Host.Outage(Outage{Since: since})
	}
}

// renewLease makes the lease last from the beginning of a round trip. Where it
// had run out, others may have taken over what this node owns: it knows nothing
// of it any more, and waits as a new owner does.
func (c *Cluster) renewLease(begin time.Time) {
	n := &c.nodes
	n.mu.Lock()
	lapsed := !n.lease.IsZero() && begin.After(n.lease)
	n.lease = begin.Add(leaseFor)
	if lapsed {
		n.changed = c.cfg.Now()
	}
	n.mu.Unlock()
	if !lapsed {
		return
	}
	c.slots.drop()
	if c.ownLog != nil {
		c.ownLog.doubt()
	}
	c.spawn(func() {
		c.reportAll()
		c.cfg.Host.Lapsed()
	})
}

// Degraded tells whether the bus is away, and since when.
func (c *Cluster) Degraded() (since time.Time, degraded bool) {
	c.health.mu.Lock()
	defer c.health.mu.Unlock()
	return c.health.last, c.health.degraded
}

// Ready tells whether this node has found the others.
func (c *Cluster) Ready() bool { return c.nodes.entered.Load() }

// mayDecide tells whether this node's lease is good: the others take over what
// it owns only after that.
func (c *Cluster) mayDecide(now time.Time) bool {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	return now.Before(c.nodes.lease)
}
