package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// maxPayload keeps a message well below what Redis allows by default: 512 MB
	// a value, 32 MB that wait for a subscriber.
	maxPayload = 8 << 20
	// How long Connect waits for Redis.
	connectWithin = 3 * time.Second
)

// Bus is a [bus.Bus] on Redis. It has a [bus.Leaser], and with
// [bus.Options.History] a [bus.Log]. It is safe for concurrent use.
//
// The messages of each subject arrive in the order of publishing; what different
// subjects carry has no order among each other, as they may be with different
// nodes of a Redis Cluster. A node does not hear what it publishes itself.
type Bus struct {
	names   *names
	dialer  *dialer
	state   *state
	notices *notifier
	tag     string // of what this Bus publishes
	shards  []*shard
	scripts *scripts // nil without a log
	log     *eventLog

	ctx     context.Context // of all connections and goroutines
	cancel  context.CancelFunc
	running sync.WaitGroup
	closed  atomic.Bool
	poked   chan struct{}
	stats   counters
	foreign sync.Once // for a line about messages that are no hub's

	owners atomic.Pointer[[partitions]*node] // of each partition; nil where there is none. Stored with mu held

	mu            sync.RWMutex
	subscriptions map[string]*subscription // guarded by mu
	nodes         map[string]*node         // guarded by mu, by address
	loose         map[int]int              // guarded by mu: partitions that have moved, and how often meanwhile
	generation    uint64                   // guarded by mu: of owners
}

type counters struct {
	publishedMessages, publishedBytes, receivedMessages, receivedBytes, dropped atomic.Uint64
}

// Connect makes a node's connection to Redis, which is found out to be a single
// server or a Redis Cluster. It fails for a bad configuration only: it waits a
// little for Redis, then it returns a bus that goes on trying, and tells
// [bus.Connected] when it is there.
func Connect(cfg Config, o bus.Options) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("connect to redis: %w", err)
	}
	cfg = cfg.WithDefaults()
	if _, err := tlsConfig(cfg.TLS); err != nil {
		return nil, fmt.Errorf("connect to redis: %w", err)
	}
	if o.History.Size < 0 || o.History.TTL < 0 {
		return nil, errors.New("connect to redis: the history's size and TTL must not be negative")
	}
	b := newBus(cfg, o)
	b.running.Go(func() { b.notices.run(b.ctx) })
	for _, s := range b.shards {
		b.running.Go(func() { s.run(b.ctx) })
	}
	b.running.Go(func() { b.keep(b.ctx) })

	ctx, cancel := context.WithTimeout(b.ctx, connectWithin)
	defer cancel()
	b.state.start(ctx)
	return b, nil
}

func newBus(cfg Config, o bus.Options) *Bus {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	b := &Bus{
		names:         newNames(cfg.Prefix, cfg.DB),
		dialer:        &dialer{config: cfg, name: clientName(o.Node)},
		notices:       newNotifier(o.Notify),
		tag:           rand.Text()[:tagSize],
		poked:         make(chan struct{}, 1),
		subscriptions: map[string]*subscription{},
		nodes:         map[string]*node{},
		loose:         map[int]int{},
	}
	b.state = newState(b.notices, logger)
	b.state.lost(partTopology, errConnecting)
	b.owners.Store(&[partitions]*node{})
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for range min(max(2, runtime.GOMAXPROCS(0)), 8) {
		b.shards = append(b.shards, newShard())
	}
	if o.History != (bus.Retention{}) {
		b.scripts = newScripts()
		b.log = &eventLog{bus: b, most: o.History}
	}
	return b
}

// Log returns the log, nil without [bus.Options.History].
func (b *Bus) Log() bus.Log {
	if b.log == nil {
		return nil // and no interface around a nil pointer
	}
	return b.log
}

// Leaser returns the leaser.
func (b *Bus) Leaser() bus.Leaser { return &leaser{bus: b} }

// MaxPayload implements [bus.Bus]: 8 MiB.
func (b *Bus) MaxPayload() int { return maxPayload }

// check returns an error for what cannot be sent.
func (b *Bus) check(subject string, payload []byte) error {
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	if len(payload) > maxPayload {
		return fmt.Errorf("payload of %d bytes: must have at most %d", len(payload), maxPayload)
	}
	return nil
}

// Publish implements [bus.Bus].
func (b *Bus) Publish(subject string, payload []byte) error {
	if b.closed.Load() {
		return fmt.Errorf("publish: %w", errClosed)
	}
	if err := b.check(subject, payload); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	n := b.owners.Load()[partitionOf(subject)]
	if n == nil {
		_, _, err := b.state.now()
		return fmt.Errorf("publish: %w: %w", bus.ErrRefused, err)
	}
	if err := n.publisher.push(outgoing{subject: subject, data: published(b.tag, payload)}); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	b.stats.publishedMessages.Add(1)
	b.stats.publishedBytes.Add(uint64(len(payload)))
	return nil
}

// Subscribe implements [bus.Bus].
func (b *Bus) Subscribe(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if deliver == nil {
		return nil, errors.New("subscribe: deliver is nil")
	}
	s := &subscription{bus: b, subject: subject, deliver: deliver}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return nil, fmt.Errorf("subscribe: %w", errClosed)
	}
	if b.subscriptions[subject] != nil {
		return nil, fmt.Errorf("subscribe: subject %q is subscribed to already", subject)
	}
	b.subscriptions[subject] = s
	b.want(subject, true)
	return s, nil
}

func (b *Bus) unsubscribe(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subscriptions[s.subject] == s {
		delete(b.subscriptions, s.subject)
		b.want(s.subject, false)
	}
}

// want is called with mu held.
func (b *Bus) want(subject string, wanted bool) {
	if n := b.owners.Load()[partitionOf(subject)]; n != nil {
		n.subscriber.want(subject, wanted)
	}
}

// receive hands over what came through a channel.
func (b *Bus) receive(channel, data string) {
	subject := b.names.subject(channel)
	b.mu.RLock()
	s := b.subscriptions[subject]
	b.mu.RUnlock()
	if s == nil {
		return // it was unsubscribed from a moment ago
	}
	m, from, err := unwrap(data)
	if err != nil {
		b.foreign.Do(func() { b.state.logger.Warn("redis: a foreign message on a channel of the hub", "error", err) })
		return
	}
	if from == b.tag {
		return
	}
	m.Subject = s.subject
	b.stats.receivedMessages.Add(1)
	b.stats.receivedBytes.Add(uint64(len(m.Payload)))
	// Other bits than those of the partition, which may all be another node's.
	if !b.shards[hashOf(subject)>>16%uint32(len(b.shards))].push(delivery{to: s, message: m}) {
		b.stats.dropped.Add(1)
		b.notices.dropped(errSlow, subject)
	}
}

// Stats implements [bus.Bus].
func (b *Bus) Stats() bus.Stats {
	return bus.Stats{
		PublishedMessages: b.stats.publishedMessages.Load(),
		PublishedBytes:    b.stats.publishedBytes.Load(),
		ReceivedMessages:  b.stats.receivedMessages.Load(),
		ReceivedBytes:     b.stats.receivedBytes.Load(),
		Dropped:           b.stats.dropped.Load(),
		Reconnects:        b.state.reconnected(),
	}
}
