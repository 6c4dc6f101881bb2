package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// runChurn lets clients connect, join, send one message and leave without a
// word, -parallel at a time, and sees whether the server is back at its base.
func runChurn(b *bench) error {
	if err := b.warmUp(); err != nil {
		return err
	}
	start := time.Now()
	if err := b.fleet.tellAll(command{Op: "churn", N: b.cfg.cycles}); err != nil {
		return err
	}
	done := func() int64 {
		t := b.fleet.sum()
		return t.ops + t.failed
	}
	if got, ok := b.fleet.await(int64(b.cfg.cycles), 5*time.Millisecond, done); !ok {
		return fmt.Errorf("%d of %d cycles done; %s", got, b.cfg.cycles, b.fleet.sum().note)
	}
	b.result.ConnectSeconds = time.Since(start).Seconds()
	cpu, err := b.target.cpu()
	if err != nil {
		return err
	}
	b.result.Cycles = b.fleet.sum().ops
	b.result.ConnectCPU = micros(cpu-b.base.CPU) / float64(max(b.result.Cycles, 1))
	b.result.PerSecond = float64(b.result.Cycles) / b.result.ConnectSeconds
	return b.compare()
}

// finishCycle sends the message and is off: every other time with a reset, as
// when a machine is switched off, otherwise with a bare end of stream.
func (w *worker) finishCycle(c *client) {
	w.text = w.proto.publish(w.text[:0], c.room, w.marked(wire.Marker{Seq: 1}))
	w.writeText(c, w.text)
	if c.state != gone { // else the server was first, which drop has counted
		if c.index%2 == 0 {
			_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
		w.release(c)
	}
	w.free = append(w.free, w.byFD[c.fd])
	w.count.Ops.Add(1)
}
