package main

import (
	"time"

	"github.com/chenxilol/gohub/bench/internal/hist"
	"github.com/chenxilol/gohub/bench/internal/result"
)

// bench is one server under test: its clients, its side door, its result.
type bench struct {
	cfg     *config
	fleet   *fleet
	target  *target
	result  *result.Run
	base    state // before the connections
	started time.Time
}

func newBench(cfg *config) (*bench, error) {
	f, err := startFleet(cfg)
	if err != nil {
		return nil, err
	}
	return &bench{cfg: cfg, fleet: f, target: newTarget(cfg), started: time.Now(),
		result: &result.Run{Set: cfg.set, Server: cfg.server, Round: cfg.round, Mode: cfg.mode}}, nil
}

func (b *bench) outcome() *result.Run {
	t := b.fleet.sum()
	r := b.result
	r.Failed, r.Closed, r.Errors, r.Note = t.failed, t.closed, t.errors, t.note
	r.Lost, r.Reordered, r.SelfHeard = r.Lost+t.lost, t.reordered, t.selfHeard
	r.ClientRSS = b.fleet.usage().RSS
	r.SecondsInTotal = time.Since(b.started).Seconds()
	return r
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func quantileMicros(h *hist.Counts, q float64) float64 { return micros(time.Duration(h.Quantile(q))) }
