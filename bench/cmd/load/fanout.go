package main

import (
	"fmt"
	"time"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// fanout queues a burst for one room, waits until every member has all of it,
// and queues the next. A turn begins and ends between bursts.
type fanout struct {
	*bench
	measured
	perBurst int64
	sent     int64
	expected int64
	broken   bool // messages are missing: waiting for more makes no sense
}

func prepareFanout(b *bench) (contender, error) {
	if err := b.warmUp(); err != nil {
		return nil, err
	}
	if err := b.ramp(b.cfg.conns, ""); err != nil {
		return nil, err
	}
	if err := b.memory(); err != nil {
		return nil, err
	}
	f := &fanout{bench: b, perBurst: int64(b.cfg.burst) * b.result.Conns}
	if b.cfg.senders > 0 {
		f.perBurst -= int64(b.cfg.burst) // nobody hears itself
	}
	if b.cfg.bursts > 0 {
		return f, nil
	}
	return f, f.bursts(time.Now().Add(b.cfg.warm))
}

func (f *fanout) turn(until time.Time) error {
	from, err := f.moment()
	if err != nil {
		return err
	}
	if err := f.bursts(until); err != nil {
		return err
	}
	to, err := f.moment()
	if err != nil {
		return err
	}
	f.add(from, to)
	return nil
}

// bursts runs whole bursts until the time has come or -bursts are done.
func (f *fanout) bursts(until time.Time) error {
	for time.Now().Before(until) && !f.broken {
		if f.cfg.bursts > 0 && f.sent >= int64(f.cfg.bursts*f.cfg.burst) {
			return nil
		}
		if err := f.burst(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fanout) burst() (err error) {
	if f.cfg.senders > 0 {
		err = f.fleet.tell(0, command{Op: "send", N: f.cfg.burst / f.cfg.senders})
	} else {
		err = f.target.publish(firstRoom, f.cfg.burst, f.cfg.size, f.sent+1)
	}
	if err != nil {
		return err
	}
	f.sent += int64(f.cfg.burst)
	f.expected += f.perBurst
	_, complete := f.fleet.await(f.expected, 200*time.Microsecond, func() int64 {
		return f.fleet.shared.delivered(f.cfg.workers)
	})
	f.broken = !complete
	return nil
}

// finish waits for stragglers: a message delivered twice comes after the count was full.
func (f *fanout) finish() error {
	time.Sleep(300 * time.Millisecond)
	t := f.fleet.sum()
	f.fill(f.result)
	f.result.Sent, f.result.Expected, f.result.Delivered = f.sent, f.expected, t.delivered
	if missing := f.expected - t.delivered; missing > t.lost { // a lost tail leaves no gap behind it
		f.result.Lost = missing - t.lost
	}
	if t.delivered > f.expected {
		c := &f.fleet.shared.worker[0]
		c.remember(fmt.Sprintf("%d deliveries more than were sent", t.delivered-f.expected))
		c.Errors.Add(t.delivered - f.expected)
	}
	return nil
}

// sendBurst lets each sending member send n messages in one write.
func (w *worker) sendBurst(n int) {
	for i := range w.cfg.senders {
		c := &w.clients[i]
		w.out = w.out[:0]
		for range n {
			w.sendSeq[i]++
			m := wire.Marker{Sender: uint16(i), Seq: w.sendSeq[i]}
			w.text = w.proto.publish(w.text[:0], c.room, w.marked(m))
			w.out = wire.AppendClient(w.out, wire.OpText, w.text)
		}
		w.write(c, w.out)
	}
}

// lastHeard is the place of the last sequence number a client heard of a sender.
func (w *worker) lastHeard(c *client, sender uint16) *uint32 {
	if w.cfg.senders <= 1 {
		return &c.last
	}
	if w.heard == nil {
		w.heard = make([]uint32, len(w.clients)*w.cfg.senders)
	}
	return &w.heard[int(c.index)*w.cfg.senders+int(sender)%w.cfg.senders]
}
