package cluster

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// NodeInfo describes one node.
type NodeInfo struct {
	ID       string // the node's name
	Boot     uint64 // the run of the hub: a restarted node has another
	Address  string
	Version  string
	Started  time.Time
	Ready    bool // takes part in owning
	Draining bool
	Silent   bool // no heartbeat for more than one
	Load     Load
	Rate     float64 // messages a second from clients
}

// node is what is known of another node.
type node struct {
	info  NodeInfo
	heard time.Time
	apart time.Time // since when it and this node went on without each other; zero: they did not
	back  time.Time // when that was over
	rate  rate
}

// nodes are the other nodes.
type nodes struct {
	leaving atomic.Bool // this node takes no part in owning any more
	entered atomic.Bool // this node knows the others

	mu      sync.RWMutex // guards all below
	known   map[uint64]*node
	buried  map[uint64]time.Time // nodes that died: when they were heard last
	owners  []uint64             // who can own something, this node included, in order
	changed time.Time            // when owners did
	lease   time.Time            // until when this node may decide; see health.go
}

func (n *nodes) init(now time.Time) {
	n.known = make(map[uint64]*node)
	n.buried = make(map[uint64]time.Time)
	n.changed = now
}

const (
	// buriedFor is how long a dead node may come back, and be known again.
	buriedFor = time.Hour
	// reunitedFor is how long two nodes are together before what they did while
	// they were apart is settled.
	reunitedFor = 2 * tailsEvery
	// apartMargin is how far clocks may differ, and how long before it was cut
	// off a node may have been heard last.
	apartMargin = 2 * heartbeatEvery
)

// bury notes that a node is thought dead, which may only be cut off. The caller
// holds the lock.
func (n *nodes) bury(boot uint64, x *node, now time.Time) {
	for old, at := range n.buried {
		if now.Sub(at) > buriedFor {
			delete(n.buried, old)
		}
	}
	n.buried[boot] = x.heard
	if !x.apart.IsZero() && now.Sub(x.back) < reunitedFor {
		n.buried[boot] = x.apart
	}
}

// apart returns since when a node that is there again went on without this one;
// zero where it did not.
func (n *nodes) apart(boot uint64) time.Time {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if x := n.known[boot]; x != nil {
		return x.apart
	}
	return n.buried[boot]
}

// others returns the other nodes: those that are heard, and those that are not.
func (n *nodes) others() (live, silent []NodeInfo) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for _, x := range n.known {
		if x.info.Silent {
			silent = append(silent, x.info)
		} else {
			live = append(live, x.info)
		}
	}
	return live, silent
}

// find returns a node that is known.
func (n *nodes) find(boot uint64) (NodeInfo, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	x := n.known[boot]
	if x == nil {
		return NodeInfo{}, false
	}
	return x.info, true
}

// NodeID returns the id of a node by its run.
func (c *Cluster) NodeID(boot uint64) string {
	if n, ok := c.nodes.find(boot); ok {
		return n.ID
	}
	return strconv.FormatUint(boot, 36)
}

// Nodes returns all nodes, this one included, ordered by id.
func (c *Cluster) Nodes() []NodeInfo {
	live, silent := c.nodes.others()
	all := append(append(live, silent...), c.Self())
	slices.SortFunc(all, func(a, b NodeInfo) int {
		if d := strings.Compare(a.ID, b.ID); d != 0 {
			return d
		}
		return a.Started.Compare(b.Started)
	})
	return all
}

// Self describes this node.
func (c *Cluster) Self() NodeInfo {
	load := c.cfg.Host.Load()
	return NodeInfo{
		ID: c.cfg.Node, Boot: c.boot, Address: c.cfg.Address(), Version: c.cfg.Version, Started: c.started,
		Ready: c.nodes.entered.Load() && !c.nodes.leaving.Load(), Draining: load.Draining, Load: load, Rate: c.rate.of(load.Messages, c.cfg.Now()),
	}
}

// Live tells whether a node is known.
func (c *Cluster) Live(boot uint64) bool {
	_, ok := c.nodes.find(boot)
	return ok
}

// viewChanged works out anew who can own something.
func (c *Cluster) viewChanged() {
	n := &c.nodes
	n.mu.Lock()
	owners := make([]uint64, 0, len(n.known)+1)
	if n.entered.Load() && !n.leaving.Load() {
		owners = append(owners, c.boot)
	}
	for boot, x := range n.known {
		if x.info.Ready {
			owners = append(owners, boot)
		}
	}
	slices.Sort(owners)
	changed := !slices.Equal(owners, n.owners)
	if changed {
		n.owners, n.changed = owners, c.cfg.Now()
	}
	n.mu.Unlock()
	if changed {
		c.slots.reassign(c)
		if c.ownLog != nil {
			c.spawn(func() { c.ownLog.handOver(c.ctx) })
		}
	}
}

// ownerOf returns the node that decides about a key: 0 while there is none.
func (c *Cluster) ownerOf(k Key) uint64 {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	return owner(k, c.nodes.owners)
}

// enter waits until this node knows the others, and has what they have defined.
func (c *Cluster) enter(ctx context.Context) {
	for {
		probe, cancel := context.WithTimeout(ctx, probeWithin)
		err := c.bus.Probe(probe)
		cancel()
		if err == nil {
			break
		}
		if pause(ctx, probeWithin) != nil || c.ctx.Err() != nil {
			return
		}
	}
	c.sendBeat()
	// Nodes that are there answer a heartbeat of a new one at once.
	if pause(ctx, discoverWithin) != nil {
		return
	}
	for !c.catchUp(ctx) {
		if pause(ctx, discoverWithin) != nil {
			return
		}
	}
	c.nodes.entered.Store(true)
	c.sendBeat()
	c.viewChanged()
	c.resync()
}

// awaitEntry waits a moment for this node to know the others: before, nobody
// could be asked.
func (c *Cluster) awaitEntry() {
	for range int(2 * time.Second / discoverWithin) {
		if _, degraded := c.Degraded(); degraded || c.nodes.entered.Load() || pause(c.ctx, discoverWithin/4) != nil {
			return
		}
	}
}

// discoverWithin is how long a new node listens before it decides who is there.
const discoverWithin = 250 * time.Millisecond
