package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// drain is the state of the hub's way out.
type drain struct {
	mu      sync.Mutex // guards all below
	phase   phase
	cancel  context.CancelFunc // ends the drain in progress
	done    chan struct{}      // closed when it has ended
	stopped bool               // for good
}

type phase uint8

const (
	phaseOpen     phase = iota
	phaseDelay          // not ready, still accepting
	phaseRefusing       // clients are sent away
)

func (d *drain) refusing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.phase == phaseRefusing
}

// refuse ends accepting for good.
func (d *drain) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase, d.stopped = phaseRefusing, true
	if d.cancel != nil {
		d.cancel()
	}
}

// Draining tells whether the hub is on its way out.
func (h *Hub) Draining() bool {
	h.drain.mu.Lock()
	defer h.drain.mu.Unlock()
	return h.drain.phase != phaseOpen
}

// Drain sends the clients away: first the hub stops being ready and goes on
// for the delay; then it takes no more upgrades, and each client is closed
// with 1012 in its slot of the window, which gohub.v1 clients are told before.
// It returns when all are gone, when ctx or the timeout ends, or with Undrain.
// A second call waits for the first.
func (h *Hub) Drain(ctx context.Context, cfg DrainConfig) error {
	d := &h.drain
	d.mu.Lock()
	if d.cancel != nil {
		done := d.done
		d.mu.Unlock()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d.stopped {
		d.mu.Unlock()
		return nil
	}
	if cfg.Timeout > 0 {
		var cancelTimeout context.CancelFunc
		ctx, cancelTimeout = context.WithTimeout(ctx, cfg.Timeout)
		defer cancelTimeout()
	}
	ctx, d.cancel = context.WithCancel(ctx)
	d.done = make(chan struct{})
	d.phase = phaseDelay
	d.mu.Unlock()

	err := h.runDrain(ctx, cfg)

	d.mu.Lock()
	d.cancel()
	d.cancel = nil
	close(d.done)
	d.mu.Unlock()
	return err
}

// Undrain ends a drain: the hub is ready again. Clients that were told to go
// still may.
func (h *Hub) Undrain() {
	d := &h.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.phase = phaseOpen
	if d.cancel != nil {
		d.cancel()
	}
}

func (h *Hub) runDrain(ctx context.Context, cfg DrainConfig) error {
	h.log.Info("drain begins", "clients", h.ClientCount(), "delay", cfg.Delay, "window", cfg.Window)
	if err := wait(ctx, cfg.Delay); err != nil {
		return err
	}
	if !h.startRefusing() {
		return nil
	}
	leaving := h.clients.all()
	rand.Shuffle(len(leaving), func(i, j int) { leaving[i], leaving[j] = leaving[j], leaving[i] })
	plan := slots(len(leaving), cfg.Window)
	for i, s := range leaving {
		if s.v1 {
			s.notify("reconnect", reconnectData{AfterMS: plan(i).Milliseconds()})
		}
	}
	begin := h.now()
	for i, s := range leaving {
		if err := wait(ctx, plan(i)-h.now().Sub(begin)); err != nil {
			return err
		}
		s.Close(closeRestart, "the hub restarts: reconnect")
	}
	// Whoever was being accepted when the list was made.
	for _, s := range h.clients.all() {
		s.Close(closeRestart, "the hub restarts: reconnect")
	}
	h.log.Info("drain complete", "clients", len(leaving), "took", h.now().Sub(begin))
	return nil
}

type reconnectData struct {
	AfterMS int64 `json:"after_ms"`
}

func (h *Hub) startRefusing() bool {
	d := &h.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase != phaseDelay {
		return false
	}
	d.phase = phaseRefusing
	return true
}

// slotsPerSecond bounds how finely clients are spread: closing a few at a time
// costs fewer timers than one by one.
const slotsPerSecond = 100

// slots returns when each of n clients leaves: evenly over the window.
func slots(n int, window time.Duration) func(i int) time.Duration {
	const step = time.Second / slotsPerSecond
	return func(i int) time.Duration {
		at := time.Duration(float64(window) * float64(i) / float64(n))
		return at / step * step
	}
}

// wait waits for d, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
