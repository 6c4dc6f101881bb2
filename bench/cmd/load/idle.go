package main

import "time"

// runIdle ramps, holds the connections with nothing but pings going on, reads
// memory, lets all leave and sees whether anything stays behind.
func runIdle(b *bench) error {
	if err := b.warmUp(); err != nil {
		return err
	}
	if err := b.ramp(b.cfg.conns, ""); err != nil {
		return err
	}
	from, err := b.target.cpu()
	if err != nil {
		return err
	}
	time.Sleep(b.cfg.hold)
	to, err := b.target.cpu()
	if err != nil {
		return err
	}
	b.result.IdleCPU = 100 * (to - from).Seconds() / max(b.cfg.hold, time.Millisecond).Seconds()
	if err := b.memory(); err != nil {
		return err
	}
	return b.leave()
}
