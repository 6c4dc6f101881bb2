// Package hub is the core: it accepts connections, knows who they are, and
// brings together sockets (conn), rooms (room) and message handlers (dispatch).
package hub

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/dispatch"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// Subprotocol is the websocket subprotocol that adds notices to the protocol.
const Subprotocol = "gohub.v1"

// Handler handles a message of an application's own type.
type Handler func(ctx context.Context, client *hub.Client, data json.RawMessage) error

// RawHandler handles every data frame, undecoded.
type RawHandler func(ctx context.Context, client *hub.Client, frame hub.Frame) error

// Hub is one node. It is safe for concurrent use.
type Hub struct {
	cfg       Config
	log       *slog.Logger
	now       func() time.Time
	engine    *conn.Engine
	upgrader  *conn.Upgrader
	handlers  *dispatch.Registry[*registered]
	raw       *registered // nil: messages are dispatched; set before sealed is
	clients   clients
	rooms     *room.Registry
	cluster   *cluster.Cluster // nil: this node is all there is
	where     where
	entries   atomic.Uint64 // numbers of the entries this run adds to histories
	fan       *room.FanOut
	events    events
	metrics   *Metrics
	addresses addresses
	drain     drain
	logs      logLimit
	slots     atomic.Int64 // connections accepted and not yet closed
	requests  atomic.Int64 // numbers of the hub's requests to clients
	buffers   sync.Pool    // *dispatch.Buffer
	started   time.Time
	awake     awake
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	running   sync.WaitGroup
	closeOnce sync.Once

	setup   sync.Mutex // guards sealed and entered, and raw until it is set
	sealed  bool
	entered bool
}

// New starts a hub. Close must be called in the end.
func New(cfg Config) (*Hub, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Hub{cfg: cfg, log: cfg.Logger, now: cfg.Now, started: cfg.Now()}
	h.awake.at.Store(cfg.Now().UnixMilli())
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.metrics = newMetrics(h)
	h.buffers.New = func() any { return new(dispatch.Buffer) }
	h.events.init(h)
	h.clients.init()
	h.addresses.init(cfg.PerAddress, cfg.ConnectsPerSecond)
	h.handlers = dispatch.NewRegistry(h.builtins())
	h.fan = room.NewFanOut(cfg.Now, h.metrics.observeFanOut)
	h.fan.Notice = h.presenceFrame
	h.rooms = room.NewRegistry(h.fan, newEpoch(), cfg.Rule, cfg.Rooms)
	if cfg.Cluster != nil {
		h.rooms.Shared = true
		h.fan.Share = h.share
		h.cluster = cfg.Cluster(host{h})
		h.answerElsewhere()
	}
	cfg.Engine.Received = h.metrics.received
	cfg.Engine.Now = cfg.Now
	engine, err := conn.NewEngine(cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	h.engine = engine
	h.upgrader = engine.NewUpgrader([]string{Subprotocol}, cfg.Compression)
	h.running.Add(1)
	go h.sweep()
	return h, nil
}

// newEpoch returns a name that no run of a hub had before.
func newEpoch() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// RegisterHandler registers the handler of a message type. It fails for a
// built-in or registered type, and after Start.
func (h *Hub) RegisterHandler(messageType string, f Handler) error {
	return h.handlers.Add(messageType, h.measured(messageType, func(m *message) error {
		return f(m, &m.s.client, m.Data)
	}))
}

// HandleRaw makes f take every data frame instead of the dispatcher. It fails
// after Start.
func (h *Hub) HandleRaw(f RawHandler) error {
	h.setup.Lock()
	defer h.setup.Unlock()
	if h.sealed {
		return fmt.Errorf("handle raw frames: %w", dispatch.ErrSealed)
	}
	h.raw = h.measured("raw", func(m *message) error {
		return f(m, &m.s.client, hub.Frame{MsgType: int(m.op), Data: m.Data})
	})
	return nil
}

func (h *Hub) measured(name string, f handler) *registered {
	return &registered{handle: f, name: name, took: h.metrics.handlerSeconds.WithLabelValues(name)}
}

// Start ends registration: connections may come.
func (h *Hub) Start() {
	h.setup.Lock()
	defer h.setup.Unlock()
	h.handlers.Seal()
	h.sealed = true
}

// Enter brings the hub into its cluster, once, without waiting for it.
func (h *Hub) Enter() {
	h.setup.Lock()
	defer h.setup.Unlock()
	if h.cluster == nil || h.entered || h.ctx.Err() != nil {
		return
	}
	h.entered = true
	h.running.Go(func() {
		if err := h.cluster.Start(h.ctx); err != nil && h.ctx.Err() == nil {
			h.log.Error("not in the cluster", "error", err)
		}
	})
}

// Cluster returns the node's part of the cluster, nil where it is alone.
func (h *Hub) Cluster() *cluster.Cluster { return h.cluster }

// sweepInterval is how often empty rooms kept for a time, and counters of
// addresses, are looked through.
const sweepInterval = time.Second

func (h *Hub) sweep() {
	defer h.running.Done()
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
			h.wake()
			h.awake.at.Store(h.millis())
			for _, r := range h.rooms.Sweep() {
				h.events.room(sdk.EventRoomDeleted, nil, r.ID())
			}
			h.addresses.sweep(h.now())
		}
	}
}

// awake is when the hub was seen to run last.
type awake struct {
	at atomic.Int64 // Unix milliseconds
	mu sync.Mutex   // held while what is overdue is ended
}

// wake ends the connections that are overdue where the hub was asleep: their
// timers may come later than what is published now.
func (h *Hub) wake() {
	asleep := func() bool { return h.millis()-h.awake.at.Load() > 2*sweepInterval.Milliseconds() }
	if !asleep() {
		return
	}
	h.awake.mu.Lock()
	defer h.awake.mu.Unlock()
	if asleep() {
		host{h}.Overdue()
		h.awake.at.Store(h.millis())
	}
}

// Close ends what Drain has left over: it closes every connection with 1001
// and waits until they are gone or ctx ends. No connection is accepted from
// then on.
func (h *Hub) Close(ctx context.Context) error {
	var err error
	h.closeOnce.Do(func() {
		h.drain.refuse()
		_ = h.drain.settle(ctx) // whoever is still accepted then is closed without a word
		for _, s := range h.clients.all() {
			s.Close(closeGoingAway, "server is shutting down")
		}
		if closeErr := h.engine.Close(ctx); closeErr != nil {
			err = fmt.Errorf("close connections: %w", closeErr)
		}
		h.cancel()
		if h.cluster != nil {
			if leaveErr := h.cluster.Close(ctx); leaveErr != nil {
				err = errors.Join(err, fmt.Errorf("leave the cluster: %w", leaveErr))
			}
		}
		h.running.Wait()
		h.events.close(ctx)
	})
	return err
}

const closeGoingAway = 1001

// Metrics returns the hub's metrics.
func (h *Hub) Metrics() *Metrics { return h.metrics }

// Node returns the node's id.
func (h *Hub) Node() string { return h.cfg.Node }

// Uptime returns how long the hub has been running.
func (h *Hub) Uptime() time.Duration { return h.now().Sub(h.started) }

func (h *Hub) millis() int64 { return h.now().UnixMilli() }
