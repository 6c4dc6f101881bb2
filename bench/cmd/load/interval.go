package main

import (
	"time"

	"github.com/chenxilol/gohub/bench/internal/hist"
	"github.com/chenxilol/gohub/bench/internal/proc"
	"github.com/chenxilol/gohub/bench/internal/result"
)

// moment is a reading of both sides; two of them enclose a measured time.
type moment struct {
	at      time.Time
	server  state
	client  proc.Usage
	totals  totals
	latency *hist.Counts
}

func (b *bench) moment() (moment, error) {
	s, err := b.target.read()
	return moment{at: time.Now(), server: s, client: b.fleet.usage(), totals: b.fleet.sum(),
		latency: b.fleet.shared.latency(b.cfg.workers, 0)}, err
}

// measured adds up the turns of one server.
type measured struct {
	wall, cpu, user, client  time.Duration
	delivered, bytes, allocs int64
	latency                  hist.Counts
}

func (m *measured) add(from, to moment) {
	m.wall += to.at.Sub(from.at)
	m.cpu += to.server.CPU - from.server.CPU
	m.user += to.server.User - from.server.User
	m.client += to.client.CPU - from.client.CPU
	m.delivered += to.totals.delivered - from.totals.delivered
	m.bytes += to.totals.bytes - from.totals.bytes
	m.allocs += int64(to.server.Allocs - from.server.Allocs)
	for i := range m.latency {
		m.latency[i] += to.latency[i] - from.latency[i]
	}
}

// fill writes the figures per delivered message.
func (m *measured) fill(r *result.Run) {
	n := float64(max(m.delivered, 1))
	if m.wall > 0 {
		r.PerSecond = n / m.wall.Seconds()
	}
	if m.cpu > 0 {
		r.PerCPUSecond = n / m.cpu.Seconds()
	}
	r.CPUPerMsg, r.UserCPUPerMsg, r.ClientPerMsg = micros(m.cpu)/n, micros(m.user)/n, micros(m.client)/n
	r.AllocsPerMsg = float64(m.allocs) / n
	r.BytesPerMsg = float64(m.bytes) / n
	r.P50, r.P99 = quantileMicros(&m.latency, .5), quantileMicros(&m.latency, .99)
}
