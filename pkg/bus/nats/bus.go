package nats

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

// defaultMaxPayload is what servers allow unless told otherwise; it counts until
// the first server has said what it allows.
const defaultMaxPayload = 1 << 20

// Bus is a connection to NATS: see [Connect]. Beside the contract's goroutines
// it has a few of its own, whatever the number of subscriptions.
type Bus struct {
	cfg   Config
	o     bus.Options
	opts  nats.Options
	names names
	log   *slog.Logger

	life   context.Context // ends with the bus
	cancel context.CancelFunc
	tasks  tasks
	closed atomic.Bool

	notices notices
	drops   drops

	inbound chan *nats.Msg // everything subscribed to, of all sessions
	shards  []*shard
	queued  atomic.Int64 // bytes that wait in shards
	seed    maphash.Seed // of the hash that chooses a shard

	mu      sync.RWMutex             // guards subs and session
	subs    map[string]*subscription // by subject
	session *session                 // the newest, ready or not

	ready      atomic.Pointer[session] // the one in force, nil while away
	maxPayload atomic.Int64
	first      atomic.Int32 // see awaitFirst

	published, publishedBytes atomic.Uint64
	received, receivedBytes   atomic.Uint64
	reconnects                atomic.Uint64

	events *eventLog // nil without
	leases *leaser   // nil without
}

var _ bus.Bus = (*Bus)(nil)

func newBus(cfg Config, o bus.Options, opts nats.Options) *Bus {
	b := &Bus{
		cfg: cfg, o: o, opts: opts, log: o.Logger,
		names:   newNames(cfg.Prefix, cfg.JetStream.Enable),
		seed:    maphash.MakeSeed(),
		inbound: make(chan *nats.Msg, inboundMessages),
		subs:    make(map[string]*subscription),
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.opts.CustomDialer = dialer{b}
	b.life, b.cancel = context.WithCancel(context.Background())
	b.notices.notify = o.Notify
	b.drops.b = b
	b.maxPayload.Store(defaultMaxPayload)
	for range min(max(runtime.GOMAXPROCS(0), 2), maxShards) {
		b.shards = append(b.shards, newShard())
	}
	if cfg.JetStream.Enable {
		b.leases = &leaser{b: b}
		if o.History != (bus.Retention{}) {
			b.events = newEventLog(b)
		}
	}
	return b
}

// start starts the goroutines and waits for the first attempt to connect.
func (b *Bus) start() {
	b.tasks.run(b.receive)
	for _, s := range b.shards {
		b.tasks.run(func() { s.run(b) })
	}
	attempted := make(chan struct{})
	b.tasks.run(func() { b.keepConnected(attempted) })
	timer := time.NewTimer(dialTimeout)
	defer timer.Stop()
	select {
	case <-attempted:
	case <-timer.C:
	}
	b.first.CompareAndSwap(firstPending, firstMissed)
}

// Publish sends payload to the subscribers of subject at other nodes; this
// node's own do not hear it. See [bus.Bus].
func (b *Bus) Publish(subject string, payload []byte) error {
	if err := bus.CheckSubject(subject); err != nil {
		return err
	}
	if err := checkPayload(payload, b.MaxPayload()); err != nil {
		return err
	}
	s, err := b.connection()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := s.nc.Publish(b.names.publish+subject, payload); err != nil {
		return fmt.Errorf("publish: %w", outcome(err))
	}
	b.published.Add(1)
	b.publishedBytes.Add(uint64(len(payload)))
	return nil
}

// connection returns the session in force, or the reason why there is none.
func (b *Bus) connection() (*session, error) {
	if b.closed.Load() {
		return nil, bus.ErrClosed
	}
	if s := b.ready.Load(); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: not connected to NATS", bus.ErrRefused)
}

// outcome wraps what an error of the library means for a message.
func outcome(err error) error {
	switch {
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrConnectionDraining), errors.Is(err, nats.ErrInvalidConnection):
		return fmt.Errorf("%w: %w", bus.ErrRefused, err)
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return err
	}
	// The write failed that was to carry it, and perhaps others before it.
	return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
}

// MaxPayload is the server's limit, less what an entry of a log needs besides
// its payload where there is one.
func (b *Bus) MaxPayload() int {
	size := int(b.maxPayload.Load())
	if b.events != nil {
		size -= entryOverhead
	}
	return size
}

// Stats counts entries of logs among the messages, live copies as received.
func (b *Bus) Stats() bus.Stats {
	return bus.Stats{
		PublishedMessages: b.published.Load(),
		PublishedBytes:    b.publishedBytes.Load(),
		ReceivedMessages:  b.received.Load(),
		ReceivedBytes:     b.receivedBytes.Load(),
		Dropped:           b.drops.count.Load(),
		Reconnects:        b.reconnects.Load(),
	}
}

// Log returns the log in JetStream; nil unless it is enabled and
// Options.History wants one.
func (b *Bus) Log() bus.Log {
	if b.events == nil {
		return nil
	}
	return b.events
}

// Leaser returns the leases in JetStream; nil unless it is enabled.
func (b *Bus) Leaser() bus.Leaser {
	if b.leases == nil {
		return nil
	}
	return b.leases
}

// stuckTimeout is how long Close waits, beyond its context, for a deliver
// function or a notice that does not return.
const stuckTimeout = time.Second

// Close ends the bus: see [bus.Bus]. An error means that what was published last
// may not have left, or that a deliver function did not return in time.
func (b *Bus) Close(ctx context.Context) error {
	var flushed error
	if !b.closed.Swap(true) {
		if s := b.ready.Load(); s != nil {
			if err := s.flush(ctx); err != nil {
				flushed = fmt.Errorf("send what was published before Close: %w", err)
			}
		}
		b.notices.close()
		b.cancel()
		for _, s := range b.shards {
			s.stop()
		}
	} else { // the first Close is still sending, perhaps
		select {
		case <-b.life.Done():
		case <-ctx.Done():
		}
	}
	stopped := b.tasks.stop()
	select {
	case <-stopped:
		return flushed
	case <-ctx.Done():
	}
	timer := time.NewTimer(stuckTimeout)
	defer timer.Stop()
	select {
	case <-stopped:
		return flushed
	case <-timer.C:
		return errors.Join(flushed, errors.New("close the bus: a deliver function does not return"))
	}
}
