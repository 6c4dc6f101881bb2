package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// echo measures replies to the sender. Open loop: requests leave at a fixed
// rate whether or not replies come. Closed loop: each client sends the next
// request when it has the reply. Latency is taken from the moment of sending.
type echo struct {
	*bench
	measured
}

func prepareEcho(b *bench) (contender, error) {
	if err := b.warmUp(); err != nil {
		return nil, err
	}
	if err := b.ramp(b.cfg.conns, ""); err != nil {
		return nil, err
	}
	e := &echo{bench: b}
	if err := e.turn(time.Now().Add(b.cfg.warm)); err != nil {
		return nil, err
	}
	e.measured = measured{}
	return e, nil
}

// echoStart is the part of a turn in which the loop gets going.
const echoStart = 100 * time.Millisecond

func (e *echo) turn(until time.Time) error {
	if err := e.fleet.tellAll(command{Op: "echo", N: 1, Rate: e.cfg.rate}); err != nil {
		return err
	}
	time.Sleep(echoStart)
	from, err := e.moment()
	if err != nil {
		return err
	}
	time.Sleep(time.Until(until))
	to, err := e.moment()
	if err != nil {
		return err
	}
	e.add(from, to)
	if err := e.fleet.tellAll(command{Op: "echo"}); err != nil {
		return err
	}
	e.fleet.await(e.fleet.sum().ops, 5*time.Millisecond, func() int64 { return e.fleet.sum().delivered })
	return nil
}

// finish takes as lost what has not come back by the end of the last turn.
func (e *echo) finish() error {
	e.fill(e.result)
	time.Sleep(300 * time.Millisecond)
	now, err := e.target.read()
	if err != nil {
		return err
	}
	e.result.Goroutines = now.Goroutines
	t := e.fleet.sum()
	e.result.Sent, e.result.Expected, e.result.Delivered = t.ops, t.ops, t.delivered
	if missing := t.ops - t.delivered; missing > t.lost {
		e.result.Lost = missing - t.lost
	}
	return nil
}

// echoLoop is a worker's part.
type echoLoop struct {
	running bool
	timer   int     // timerfd of the open loop
	perTick float64 // requests
	due     float64
	next    int // client whose turn it is
}

const echoTicks = 1000 // per second

func (w *worker) runEcho(c command) error {
	w.echo.running = c.N > 0
	if c.N == 0 {
		if w.echo.timer != 0 {
			_ = unix.Close(w.echo.timer)
			w.echo.timer = 0
		}
		return nil
	}
	if c.Rate == 0 {
		if w.cfg.rate == 0 {
			for i := range w.clients {
				w.requestEcho(&w.clients[i])
			}
		}
		return nil
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create timer: %w", err)
	}
	tick := unix.NsecToTimespec(int64(time.Second) / echoTicks)
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: tick, Value: tick}, nil); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	w.echo.timer, w.echo.perTick = fd, float64(c.Rate)/echoTicks
	return w.watch(fd, unix.EPOLLIN)
}

func (w *worker) echoTick() {
	var b [8]byte
	if n, err := unix.Read(w.echo.timer, b[:]); err != nil || n != len(b) {
		return
	}
	w.echo.due += float64(binary.NativeEndian.Uint64(b[:])) * w.echo.perTick
	for ; w.echo.due >= 1; w.echo.due-- {
		w.echo.next = (w.echo.next + 1) % len(w.clients)
		w.requestEcho(&w.clients[w.echo.next])
	}
}

func (w *worker) requestEcho(c *client) {
	if c.state != ready {
		return
	}
	c.sent++
	w.text = w.proto.echo(w.text[:0], int(c.sent), w.marked(wire.Marker{Seq: c.sent}))
	w.writeText(c, w.text)
	w.count.Ops.Add(1)
}

func (w *worker) echoed(c *client) {
	if w.echo.running && w.cfg.rate == 0 {
		w.requestEcho(c)
	}
}
