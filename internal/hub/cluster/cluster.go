// Package cluster makes hubs that share a bus one hub: it knows which of them
// live, routes the messages of rooms to those that have members, decides who
// may enter a room with a limit, and finds out what has been lost.
//
// What travels: each room has a subject of its own, which a node subscribes to
// while it has members; each run of a hub has one for questions and answers;
// one subject is heard by all, for heartbeats and questions to everybody.
//
// Locks: Cluster.mu comes before a channel's; neither is held while the host
// is called or while waiting for the bus.
package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// Host is the hub that a Cluster serves. Its methods are called without any
// lock of the cluster, and must not wait for the cluster. Message and Entry are
// called for one message of a room at a time, in order.
type Host interface {
	// Message delivers a message of another node to this node's members.
	Message(m Message)
	// Entry delivers the next entry of a room's history to this node's members.
	// Where the room has too much to deliver it waits, or else returns false and
	// has not taken it.
	Entry(room string, e bus.Entry, wait bool) (taken bool)
	// History replaces what this node holds of a room's history, which nobody
	// is told; tail is where the log ended.
	History(room string, entries []bus.Entry, tail bus.Tail)
	// Gap tells this node's members of a room that messages were lost.
	Gap(room string, g Gap)
	// Outage tells that the bus is away, or there again.
	Outage(o Outage)
	// HasRoom tells whether the room exists on this node, Busy whether it has
	// members here.
	HasRoom(room string) bool
	Busy(room string) bool
	// Define makes a room that some node has created, unless it is there, and
	// Undefine deletes one.
	Define(d Definition)
	Undefine(room string)
	// Lapsed tells that this node was away for longer than others wait: what its
	// clients hold here may have been taken elsewhere.
	Lapsed()
	// Overdue tells that messages come that were sent a while ago: this node, or
	// the bus, was asleep. What should have ended meanwhile has to, first.
	Overdue()
	// NodeGone tells that a node is dead, or has left.
	NodeGone(boot uint64)
	// Load is what the node tells others of itself.
	Load() Load
}

// Message is a room's message on its way to members on other nodes.
type Message struct {
	Room    string
	Kind    Kind
	Frame   []byte   // a finished websocket frame; of KindPresence, what the host wants
	Exclude []string // clients that do not get it
	From    uint64   // the run of the hub it comes from; set where it arrives
}

// Kind says what a Message is.
type Kind uint8

// Kinds of messages.
const (
	KindMessage  Kind = iota // for the members
	KindPresence             // for the hosts of the room: who came and went
)

// Gap is a hole in what a room's members on this node heard.
type Gap struct {
	From, To bus.Place // in a room with a history; zero where not known
	Since    time.Time // nothing before it is missing
	Reason   string    // "lost", "bus", "node", "history"
}

// Reasons of a Gap.
const (
	ReasonLost    = "lost"    // the bus dropped messages
	ReasonNode    = "node"    // a node died, or did not answer; its last messages may be lost
	ReasonHistory = "history" // the history does not reach back far enough, or began anew
)

// Outage is the state of the bus.
type Outage struct {
	Degraded bool
	Since    time.Time // of the last sign of life before the outage
}

// Load is what a node tells others of itself.
type Load struct {
	Clients, Rooms int
	Draining       bool
	Messages       uint64 // received from clients so far
}

// Config configures a Cluster.
type Config struct {
	Bus       bus.Bus
	Host      Host
	Node      string        // the node's id, for people
	Address   func() string // where its HTTP API is reached; "" for not known
	Version   string
	Retention bus.Retention    // the most that a room's rule keeps; zero: no history
	Now       func() time.Time // must not be nil
	Logger    *slog.Logger     // must not be nil
}

// The rhythm of a cluster. DESIGN: heartbeats of a second, a dead node's
// members gone within three, a lease good for two, an outage noticed within
// three seconds.
const (
	heartbeatEvery = time.Second
	suspectAfter   = 1500 * time.Millisecond // silent for a heartbeat
	deadAfter      = 3 * heartbeatEvery
	leaseFor       = 2 * heartbeatEvery
	probeEvery     = 500 * time.Millisecond
	probeWithin    = 700 * time.Millisecond
	degradedAfter  = 2500 * time.Millisecond
	answerWithin   = heartbeatEvery // a node that takes longer counts as silent
)

// Cluster is one node's part of a cluster. It is safe for concurrent use.
type Cluster struct {
	cfg     Config
	bus     bus.Bus
	log     bus.Log
	ownLog  *ownLog // log, where the bus keeps none; nil else
	leaser  bus.Leaser
	boot    uint64
	started time.Time
	calls   calls
	nodes   nodes
	health  health
	rooms   channels
	digest  digest
	barrier barrier
	slots   slots
	defined definitions
	Metrics Metrics

	beat      atomic.Uint64
	overdue   overdue
	gone      atomic.Bool     // the others have been told that this node leaves
	resyncing atomic.Bool     // resync is about to look around
	rate      rate            // of messages from this node's clients
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc

	mu      sync.Mutex // guards closed
	closed  bool       // nothing is spawned any more
	running sync.WaitGroup
}

// spawn runs f on a goroutine that Close waits for; it does nothing once Close
// has begun.
func (c *Cluster) spawn(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Go(f)
	}
}

// New returns the part of a cluster that Start begins. The host may already be
// asked by other nodes before Start returns, not before Start is called.
func New(cfg Config) *Cluster {
	c := &Cluster{cfg: cfg, bus: cfg.Bus, boot: newBoot(), started: cfg.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.log = bus.LogOf(cfg.Bus)
	c.leaser = bus.LeaserOf(cfg.Bus)
	c.calls.init()
	c.nodes.init(cfg.Now())
	c.rooms.init()
	c.barrier.init()
	c.slots.init()
	c.defined.init()
	c.health.last = cfg.Now()
	if c.log == nil && cfg.Retention.Size > 0 {
		c.ownLog = newOwnLog(c)
		c.log = c.ownLog
	}
	c.handleAll()
	return c
}

// handleAll registers what other nodes may ask of the cluster itself.
func (c *Cluster) handleAll() {
	c.HandleQuick("join", c.answerJoin)
	c.HandleQuick("held", c.answerHeld)
	c.Handle("admit", c.answerAdmit)
	c.Handle("confirm", c.answerConfirm)
	c.HandleQuick("define", c.answerDefine)
	c.HandleQuick("defined", c.answerDefined)
	c.Handle("create", c.answerCreate)
	c.Handle("delete", c.answerDelete)
	c.HandleQuick("release", c.answerRelease)
	c.HandleQuick("busy", c.answerBusy)
	if c.ownLog != nil {
		c.ownLog.handle()
	}
}

// Start brings the node into the cluster: it subscribes, tells others that it
// is there, and waits until it has heard them and knows what they have defined.
// Where the bus is away it returns in the end all the same: the node begins
// degraded, and is not Ready.
func (c *Cluster) Start(ctx context.Context) error {
	if _, err := c.bus.Subscribe(nodeSubject(c.boot), c.receive); err != nil {
		return fmt.Errorf("subscribe to the node's subject: %w", err)
	}
	if _, err := c.bus.Subscribe(everyone, c.receive); err != nil {
		return fmt.Errorf("subscribe to the nodes' subject: %w", err)
	}
	for _, run := range []func(){c.beats, c.probes, c.barriers, c.tails} {
		c.spawn(run)
	}
	c.enter(ctx)
	return nil
}

// Leave tells the others that this node takes no part any more: nothing is
// owned by it. It still delivers.
func (c *Cluster) Leave() {
	c.nodes.leaving.Store(true)
	c.sendBeat()
	c.viewChanged()
}

// Return undoes Leave.
func (c *Cluster) Return() {
	c.nodes.leaving.Store(false)
	c.sendBeat()
	c.viewChanged()
}

// Close tells the others that the node is gone, and leaves the bus.
func (c *Cluster) Close(ctx context.Context) error {
	if c.ownLog != nil && c.nodes.leaving.Load() {
		c.ownLog.handOver(ctx)
	}
	c.sendGone()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.calls.close()
	err := c.bus.Close(ctx)
	c.running.Wait()
	if err != nil {
		return fmt.Errorf("close the bus: %w", err)
	}
	return nil
}

// BusStats returns what went through the bus.
func (c *Cluster) BusStats() bus.Stats { return c.bus.Stats() }

// Boot is the number of this run of the hub, which no other has.
func (c *Cluster) Boot() uint64 { return c.boot }
