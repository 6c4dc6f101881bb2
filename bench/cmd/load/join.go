package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/chenxilol/gohub/bench/internal/result"
	"github.com/chenxilol/gohub/bench/internal/wire"
)

const (
	smallRoom = "bench-small"
	largeRoom = "bench-large"

	// pairsPerTurn are done in one room before the other has its turn: short
	// enough that both see the same machine, long enough for 10 ms CPU ticks.
	pairsPerTurn = 4000
)

// runJoin compares joining and leaving in a small and in a large room of one
// server, in turn, through the wire.
func runJoin(b *bench) error {
	if b.fleet.cfg.workers > 1 {
		return errors.New("want one worker: the probes are its last clients")
	}
	if protocols()[b.cfg.proto].join == nil {
		return fmt.Errorf("-proto %s cannot join and leave at will", b.cfg.proto)
	}
	if err := b.warmUp(); err != nil {
		return err
	}
	for _, fill := range []struct {
		room string
		n    int
	}{{smallRoom, b.cfg.small}, {largeRoom, b.cfg.conns}, {"", b.cfg.probes}} {
		if err := b.ramp(fill.n, fill.room); err != nil {
			return err
		}
	}
	rooms := []struct {
		name string
		into *result.Pairs
	}{
		{smallRoom, &result.Pairs{Members: int64(b.cfg.small)}},
		{largeRoom, &result.Pairs{Members: int64(b.cfg.conns)}},
	}
	for end := time.Now().Add(b.cfg.dur); ; {
		for i, r := range rooms {
			if err := b.turn(r.name, i, r.into); err != nil {
				return err
			}
		}
		if time.Now().After(end) {
			break
		}
	}
	for i, r := range rooms {
		h := b.fleet.shared.latency(b.cfg.workers, i)
		r.into.P50, r.into.P99 = quantileMicros(h, .5), quantileMicros(h, .99)
		r.into.CPU /= float64(max(r.into.Pairs, 1))
	}
	b.result.Small, b.result.Large = rooms[0].into, rooms[1].into
	return nil
}

func (b *bench) turn(room string, series int, into *result.Pairs) error {
	before, err := b.target.cpu()
	if err != nil {
		return err
	}
	goal := b.fleet.sum().ops + pairsPerTurn
	if err := b.fleet.tell(0, command{Op: "join", N: pairsPerTurn, Room: room, Series: series}); err != nil {
		return err
	}
	if got, ok := b.fleet.await(goal, time.Millisecond, func() int64 { return b.fleet.sum().ops }); !ok {
		return fmt.Errorf("%d of %d joins in %s were not answered; %s", goal-got, pairsPerTurn, room, b.fleet.sum().note)
	}
	after, err := b.target.cpu()
	into.CPU += micros(after - before)
	into.Pairs += pairsPerTurn
	return err
}

// probing is a worker's part: its last clients join and leave one room.
type probing struct {
	room   string
	series int
	todo   int
}

func (w *worker) startProbes(c command) {
	w.probing = probing{room: c.Room, series: c.Series, todo: c.N}
	for i := range w.cfg.probes {
		w.probe(&w.clients[len(w.clients)-1-i])
	}
}

// probe sends the join and the leave together: the pair is one measured
// operation, and the leave waits for nothing but the join before it.
func (w *worker) probe(c *client) {
	if w.probing.todo == 0 || c.state != ready {
		return
	}
	w.probing.todo--
	c.busy, c.began = true, wire.Now()
	w.out = wire.AppendClient(w.out[:0], wire.OpText, w.proto.join(nil, w.probing.room))
	w.out = wire.AppendClient(w.out, wire.OpText, w.proto.leave(nil, w.probing.room))
	w.write(c, w.out)
}

func (w *worker) probeDone(c *client) {
	c.busy = false
	w.count.observe(w.probing.series, w.now-c.began)
	w.count.Ops.Add(1)
	w.probe(c)
}
