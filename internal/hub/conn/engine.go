package conn

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/hub/wire"
)

// Config configures an Engine. Zero values are literal here: defaults are
// the business of whoever reads the user's options.
type Config struct {
	// MaxMessage is the largest message in bytes after inflation; 0: no limit.
	MaxMessage int
	// SendQueueBytes bounds what waits for one slow peer; 0: no limit. It
	// bounds what waits for a slow handler, too.
	SendQueueBytes int
	// ReadBufferSize is the size of the buffers that streams read into;
	// event loops use one of 64 KiB each.
	ReadBufferSize int
	// ReadTimeout without any frame closes a connection; a ping goes out
	// after min(PingInterval, ReadTimeout/3) of silence. WriteTimeout is how
	// long a send queue may stand still. 0: off.
	ReadTimeout, WriteTimeout, PingInterval time.Duration
	// Goroutines serves every connection with a goroutine instead of the
	// event loop.
	Goroutines bool
	// Received is told the size of each message, on the hot path.
	Received func(bytes int)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// lingerTime is how long a closing connection may take to bring its last
// bytes to the peer and hear its goodbye.
const lingerTime = 2 * time.Second

// maxTick is the engine's usual clock tick; short timeouts make it shorter.
const maxTick = 100 * time.Millisecond

// Engine serves connections. It is safe for concurrent use.
type Engine struct {
	cfg        Config
	wire       wire.Config
	clock      clock
	timeouts   timeouts
	linger     uint32 // ticks
	inboxBytes int
	shards     []*shard
	streams    *shard // for connections with a goroutine
	turn       atomic.Uint32
	queued     atomic.Int64
	workers    workers
	readers    sync.Pool
	buffers    sync.Pool
	inboxes    sync.Pool
	stop       chan struct{}
	running    sync.WaitGroup

	mu     sync.RWMutex
	closed bool           // guarded by mu; no Start after it
	open   sync.WaitGroup // connections that are not closed, and calls of Closed
}

// shard is a part of the connections: those of one event loop, or all that
// have a goroutine.
type shard struct {
	e     *Engine
	wheel wheel
	loop  *loop // nil for streams
}

func (s *shard) now() uint32 { return s.e.clock.now() }

// NewEngine starts an engine. Close must be called in the end.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Received == nil {
		cfg.Received = func(int) {}
	}
	e := &Engine{
		cfg:  cfg,
		wire: wire.Config{MaxMessage: cfg.MaxMessage, Inflater: new(wire.Inflater)},
		stop: make(chan struct{}),
	}
	pingAfter := pingAfter(cfg.PingInterval, cfg.ReadTimeout)
	e.clock = newClock(tickFor(cfg.ReadTimeout, cfg.WriteTimeout, pingAfter), cfg.Now)
	e.timeouts = timeouts{
		read:  e.clock.ticks(cfg.ReadTimeout),
		ping:  e.clock.ticks(pingAfter),
		write: e.clock.ticks(cfg.WriteTimeout),
	}
	e.linger = e.clock.ticks(lingerTime)
	if e.inboxBytes = cfg.SendQueueBytes; e.inboxBytes <= 0 {
		e.inboxBytes = 1 << 20
	}
	e.workers.init(e.stop)
	e.readers.New = func() any { return newReader(e) }
	e.inboxes.New = func() any { return new(inbox) }
	e.buffers.New = func() any { b := make([]byte, cfg.ReadBufferSize); return &b }
	e.streams = e.newShard()
	if !cfg.Goroutines {
		if err := e.startLoops(runtime.GOMAXPROCS(0)); err != nil {
			return nil, err
		}
	}
	e.running.Add(1)
	go e.keepTime()
	return e, nil
}

// pingAfter is the silence after which the hub asks whether a peer is alive.
func pingAfter(interval, readTimeout time.Duration) time.Duration {
	switch {
	case interval <= 0 || readTimeout <= 0:
		return max(interval, 0)
	default:
		return min(interval, readTimeout/3)
	}
}

// tickFor returns a tick that leaves at least four to the shortest timeout.
func tickFor(timeouts ...time.Duration) time.Duration {
	tick := maxTick
	for _, t := range timeouts {
		if t > 0 {
			tick = min(tick, t/4)
		}
	}
	return max(tick, time.Millisecond)
}

func (e *Engine) newShard() *shard {
	s := &shard{e: e}
	s.wheel.last = e.clock.now()
	return s
}

func (e *Engine) allShards() []*shard {
	return append(e.shards[:len(e.shards):len(e.shards)], e.streams)
}

// keepTime serves the wheels.
func (e *Engine) keepTime() {
	defer e.running.Done()
	ticker := time.NewTicker(e.clock.tick)
	defer ticker.Stop()
	var due []*Conn
	var trim time.Duration
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
		}
		now := e.clock.now()
		for _, s := range e.allShards() {
			due = s.wheel.advance(now, due[:0])
			for i, c := range due {
				c.check(now)
				due[i] = nil
			}
		}
		if cap(due) > 1<<16 {
			due = nil
		}
		if trim += e.clock.tick; trim >= workerIdle {
			trim = 0
			e.workers.trim()
		}
	}
}

// ErrEngineClosed is returned by Start after Close began.
var ErrEngineClosed = errors.New("engine closed")

// Start serves s on c, whose calls go to h. opened runs before any input is
// read; what it writes comes first on the wire. On an error s is closed and
// h is not called.
func (e *Engine) Start(c *Conn, h Handler, s *Socket, opened func()) error {
	c.h = h
	c.deflate = s.Deflate
	c.reading = true // until the input behind the handshake is parsed
	if err := e.register(c, s); err != nil {
		s.discard()
		return err
	}
	opened()
	c.uncork()
	r := e.readers.Get().(*reader)
	r.feed(c, s.carry)
	e.readers.Put(r)
	if c.stream != nil {
		go c.stream.read(c)
	}
	return nil
}

// register makes c one of the connections that Close waits for and knows.
func (e *Engine) register(c *Conn, s *Socket) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return ErrEngineClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := e.clock.now()
	c.lastRead.Store(now)
	if s.nc != nil {
		c.shard = e.streams
		c.stream = newStream(s.nc)
	} else {
		c.shard = e.shards[e.turn.Add(1)%uint32(len(e.shards))]
		c.fd = int32(s.fd)
		if err := c.shard.loop.add(c); err != nil {
			return err
		}
	}
	e.open.Add(1)
	c.cork(s.answer)
	c.shard.wheel.schedule(c, c.nextCheck(now))
	return nil
}

// Queued returns how many bytes wait for slow peers.
func (e *Engine) Queued() int64 { return e.queued.Load() }

// Close waits until every connection is closed and its Handler was told; when
// ctx ends it closes the rest without a word. Then it stops the engine. The
// caller closes the connections in the order it likes before; Start fails from
// here on. A Message that is being handled is not waited for.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	done := make(chan struct{})
	go func() { e.open.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		e.abortAll(done)
	}
	close(e.stop)
	e.stopLoops()
	e.running.Wait()
	return err
}

// abortAll closes every connection until done is. It looks again after each
// tick, since those that are being checked are out of their wheel meanwhile.
func (e *Engine) abortAll(done <-chan struct{}) {
	ticker := time.NewTicker(e.clock.tick)
	defer ticker.Stop()
	for {
		for _, s := range e.allShards() {
			for _, c := range s.wheel.all() {
				c.mu.Lock()
				c.abort()
				c.Unlock()
			}
		}
		select {
		case <-done:
			return
		case <-ticker.C:
		}
	}
}
