package hub

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chenxilol/gohub/internal/fault"
)

// drain is the state of the hub's way out.
type drain struct {
	mu      sync.Mutex // guards all below
	phase   phase
	run     *drainRun     // in progress; nil: none
	final   bool          // the process ends behind it: no way back
	accepts int           // handshakes being answered
	settled chan struct{} // closed when there are none; nil: nobody waits for it
	stopped bool          // for good
}

// drainRun is one drain.
type drainRun struct {
	cancel context.CancelFunc
	done   chan struct{} // closed at its end
	err    error         // why it ended early; set before done is closed

	// Guarded by the lock of drain, until the delay is over.
	refuseAt time.Time     // the end of the delay
	window   time.Duration // over which the clients are spread
	hurried  chan struct{} // gets a value when refuseAt has changed; one slot
}

type phase uint8

const (
	phaseOpen     phase = iota
	phaseDelay          // not ready, still accepting
	phaseRefusing       // clients are sent away
)

// enter begins a handshake, unless the hub takes no more of them. leave ends
// it: whoever was let in is known by then.
func (d *drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase == phaseRefusing {
		return false
	}
	d.accepts++
	return true
}

func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accepts--; d.accepts == 0 && d.settled != nil {
		close(d.settled)
		d.settled = nil
	}
}

// settle waits until no handshake is being answered, so that nobody comes
// after the list of those who have to go is made.
func (d *drain) settle(ctx context.Context) error {
	d.mu.Lock()
	if d.accepts == 0 {
		d.mu.Unlock()
		return nil
	}
	if d.settled == nil {
		d.settled = make(chan struct{})
	}
	settled := d.settled
	d.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuse ends accepting for good.
func (d *drain) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase, d.stopped = phaseRefusing, true
	d.cancelLocked()
}

// cancelLocked ends the drain in progress; the next need not wait for it.
func (d *drain) cancelLocked() {
	if d.run != nil {
		d.run.cancel()
		d.run = nil
	}
}

// Draining tells whether the hub is on its way out.
func (h *Hub) Draining() bool {
	h.drain.mu.Lock()
	defer h.drain.mu.Unlock()
	return h.drain.phase != phaseOpen
}

// ErrStopping means that the hub drains because its process ends.
var ErrStopping = errors.New("the hub is stopping")

// Drain sends the clients away before the process ends: first the hub stops
// being ready and goes on for the delay; then it takes no more upgrades, and
// each client is closed with 1012 in its slot of the window, which gohub.v1
// clients are told before. It returns when all are gone, or when ctx or the
// timeout ends. A call during a drain waits for that: one still in its delay
// goes on with the window of the call, after the shorter delay of the two. One
// that comes when the first has ended sends away whoever is left, without a
// delay.
func (h *Hub) Drain(ctx context.Context, cfg DrainConfig) error {
	if cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.Timeout)
		defer cancel()
	}
	h.drain.mu.Lock()
	h.drain.final = true
	h.drain.mu.Unlock()
	run := h.startDrain(ctx, cfg, true)
	select {
	case <-run.done:
		return run.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StartDrain drains without waiting, and without an end: the hub stays up and
// can be undrained. When it returns the hub is not ready any more.
func (h *Hub) StartDrain(cfg DrainConfig) { h.startDrain(context.Background(), cfg, false) }

// startDrain begins a drain, or returns the one in progress, which hurry makes
// go by cfg as far as it still can.
func (h *Hub) startDrain(ctx context.Context, cfg DrainConfig, hurry bool) *drainRun {
	d := &h.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != nil {
		if hurry && d.phase == phaseDelay {
			d.run.hurry(h.now().Add(cfg.Delay), cfg.Window)
		}
		return d.run
	}
	run := &drainRun{done: make(chan struct{}), hurried: make(chan struct{}, 1), window: cfg.Window}
	if d.stopped {
		close(run.done)
		return run
	}
	if cfg.Timeout > 0 {
		ctx, run.cancel = context.WithTimeout(ctx, cfg.Timeout)
	} else {
		ctx, run.cancel = context.WithCancel(ctx)
	}
	d.run = run
	if d.phase == phaseOpen {
		d.phase = phaseDelay
	} else {
		cfg.Delay = 0 // it is for upgrades, and they are refused already
	}
	run.refuseAt = h.now().Add(cfg.Delay)
	h.log.Info("drain begins", "clients", h.ClientCount(), "delay", cfg.Delay, "window", cfg.Window)
	h.running.Go(func() {
		defer close(run.done)
		defer run.cancel()
		run.err = h.runDrain(ctx, run)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.run == run {
			d.run = nil
		}
	})
	return run
}

// Undrain ends a drain: the hub is ready again. Clients that were told to go
// still may. It fails with ErrStopping where the process is ending.
func (h *Hub) Undrain() error {
	if err := h.drain.reopen(); err != nil {
		return err
	}
	if h.cluster != nil {
		h.cluster.Return()
	}
	return nil
}

func (d *drain) reopen() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.final || d.stopped {
		return ErrStopping
	}
	d.phase = phaseOpen
	d.cancelLocked()
	return nil
}

// hurry ends the delay at refuseAt, if that is earlier; the caller holds the lock
// of drain.
func (run *drainRun) hurry(refuseAt time.Time, window time.Duration) {
	run.window = window
	if refuseAt.Before(run.refuseAt) {
		run.refuseAt = refuseAt
		select {
		case run.hurried <- struct{}{}:
		default:
		}
	}
}

func (h *Hub) runDrain(ctx context.Context, run *drainRun) error {
	if h.cluster != nil {
		h.cluster.Leave()
	}
	for {
		left, err := h.startRefusing(run)
		if err != nil {
			return err
		}
		if left <= 0 {
			break
		}
		if err := wait(ctx, left, run.hurried); err != nil {
			return err
		}
	}
	if err := h.drain.settle(ctx); err != nil {
		return err
	}
	leaving := h.clients.all()
	rand.Shuffle(len(leaving), func(i, j int) { leaving[i], leaving[j] = leaving[j], leaving[i] })
	plan := slots(len(leaving), run.window)
	for i, s := range leaving {
		if s.v1 {
			s.notify("reconnect", reconnectData{AfterMS: plan(i).Milliseconds()})
		}
	}
	begin := h.now()
	if fault.On("early-drain") {
		plan = slots(len(leaving), 0)
	}
	for i, s := range leaving {
		if err := wait(ctx, plan(i)-h.now().Sub(begin), nil); err != nil {
			return err
		}
		s.Close(closeRestart, "the hub restarts: reconnect")
	}
	h.log.Info("drain complete", "clients", len(leaving), "took", h.now().Sub(begin))
	return nil
}

type reconnectData struct {
	AfterMS int64 `json:"after_ms"`
}

// startRefusing ends accepting, or returns what is left of the delay. It fails
// where the drain has been ended meanwhile.
func (h *Hub) startRefusing(run *drainRun) (left time.Duration, err error) {
	d := &h.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != run {
		return 0, context.Canceled
	}
	if left = run.refuseAt.Sub(h.now()); left <= 0 {
		d.phase = phaseRefusing
	}
	return left, nil
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

// wait waits for d, or until early gets a value, unless ctx ends before.
func wait(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-early:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
