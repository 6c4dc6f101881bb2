package main

import (
	"fmt"
	"time"

	"github.com/chenxilol/gohub/bench/internal/result"
)

// warmUp opens and closes some connections, so that what a server sets up once is
// not counted as the cost of a connection, and reads the base.
func (b *bench) warmUp() error {
	before, err := b.target.read()
	if err != nil {
		return err
	}
	if n := min(b.cfg.warmup, b.cfg.conns); n > 0 {
		if err := b.fleet.open(n, ""); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		if t := b.fleet.sum(); t.failed > 0 {
			return fmt.Errorf("warm up: %d of %d connections failed; %s", t.failed, n, t.note)
		}
		if err := b.fleet.tellAll(command{Op: "close"}); err != nil {
			return err
		}
		if _, err := b.settle(before); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		b.fleet.shared.reset(b.cfg.workers)
	}
	if b.base, err = b.target.collect(); err != nil {
		return err
	}
	b.result.GoroutinesBase = b.base.Goroutines
	return nil
}

// settle waits until the server holds no more descriptors than at base, or gives up.
func (b *bench) settle(base state) (now state, err error) {
	b.fleet.await(-int64(base.FDs), 20*time.Millisecond, func() int64 {
		now, err = b.target.read()
		return -int64(now.FDs)
	})
	return now, err
}

// ramp opens the connections and notes what that cost.
func (b *bench) ramp(n int, room string) error {
	start := time.Now()
	if err := b.fleet.open(n, room); err != nil {
		return err
	}
	t := b.fleet.sum()
	b.result.Conns = t.ready
	b.result.ConnectSeconds += time.Since(start).Seconds()
	cpu, err := b.target.cpu()
	if err != nil {
		return err
	}
	b.result.ConnectCPU = micros(cpu-b.base.CPU) / float64(max(t.ready, 1))
	return nil
}

// memory reads what the open connections hold, before and after a collection.
func (b *bench) memory() error {
	base := b.base
	full, err := b.target.read()
	if err != nil {
		return err
	}
	lean, err := b.target.collect()
	if err != nil {
		return err
	}
	n := float64(max(b.result.Conns, 1))
	r := b.result
	r.RSSPerConn = float64(full.RSS-base.RSS) / n
	r.RSSPerConnGC = float64(lean.RSS-base.RSS) / n
	r.AnonPerConnGC = float64(lean.Anon-base.Anon) / n
	r.HeapPerConn = (float64(lean.HeapBytes) - float64(base.HeapBytes)) / n
	r.Goroutines = lean.Goroutines
	return nil
}

// leave closes all clients and compares the server with its base.
func (b *bench) leave() error {
	if err := b.fleet.tellAll(command{Op: "close"}); err != nil {
		return err
	}
	return b.compare()
}

func (b *bench) compare() error {
	base := b.base
	if _, err := b.settle(base); err != nil {
		return err
	}
	var now state
	var err error
	excess := func() int64 {
		if now, err = b.target.collect(); err != nil {
			return 0
		}
		return -int64(max(now.Goroutines-base.Goroutines, 0) + max(now.Clients-base.Clients, 0) + max(now.Rooms-base.Rooms, 0))
	}
	b.fleet.await(0, 100*time.Millisecond, excess)
	if err != nil {
		return err
	}
	b.result.Left = &result.Left{FDs: now.FDs - base.FDs, Goroutines: now.Goroutines - base.Goroutines,
		Clients: now.Clients - base.Clients, Rooms: now.Rooms - base.Rooms, RSS: now.RSS - base.RSS}
	return nil
}
