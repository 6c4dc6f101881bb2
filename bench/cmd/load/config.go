package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// perWorker keeps a worker below the usual descriptor limit of 20,000.
const perWorker = 19900

type config struct {
	args   []string // what it was made of
	beside []string

	mode, addr, side, proto string
	pid                     int
	set, server             string // labels of the result
	round                   int

	conns, workers, parallel, warmup int
	rooms                            int
	ids                              bool
	v1, deflate                      int // percent of the clients

	size, burst, senders, bursts int
	rate, cycles, small, probes  int
	hold, dur, turn, warm, nap   time.Duration
	patience                     time.Duration
}

func parseConfig(args []string) (*config, error) {
	c := &config{args: args}
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.StringVar(&c.mode, "mode", "idle", "idle, fanout, echo, join or churn")
	fs.StringVar(&c.addr, "addr", "127.0.0.1:9000", "server address, IPv4")
	fs.StringVar(&c.side, "probe", "127.0.0.1:9100", "address of the server's side door (see package probe)")
	fs.StringVar(&c.proto, "proto", "gohub", "gohub, raw or centrifuge")
	fs.IntVar(&c.pid, "pid", 0, "server process, for memory and CPU time")
	fs.StringVar(&c.set, "set", "", "label: name of the comparison")
	fs.StringVar(&c.server, "server", "", "label: name of the server")
	fs.IntVar(&c.round, "round", 0, "label: repetition")
	fs.IntVar(&c.conns, "conns", 1000, "connections; join: members of the large room")
	fs.IntVar(&c.workers, "workers", 0, "worker processes (0: one for each 19,900 connections)")
	fs.IntVar(&c.parallel, "parallel", 128, "handshakes under way in a worker; churn: clients at a time")
	fs.IntVar(&c.warmup, "warmup", 500, "connections opened and closed before anything is measured")
	fs.IntVar(&c.rooms, "rooms", 1, "rooms the connections are dealt out over (0: none)")
	fs.BoolVar(&c.ids, "ids", false, "clients name themselves (?client_id=)")
	fs.IntVar(&c.v1, "v1", 0, "percent of the clients that ask for the subprotocol gohub.v1")
	fs.IntVar(&c.deflate, "deflate", 0, "percent of the clients (others than those of -v1) that ask for permessage-deflate")
	fs.IntVar(&c.size, "size", 128, "payload bytes")
	fs.IntVar(&c.burst, "burst", 1, "fanout: messages queued at once")
	fs.IntVar(&c.senders, "senders", 0, "fanout: members that send, burst/senders each (0: publish through the side door)")
	fs.IntVar(&c.bursts, "bursts", 0, "fanout: stop after this many bursts, instead of after -dur")
	fs.IntVar(&c.rate, "rate", 0, "echo: requests per second in all (0: closed loop)")
	fs.IntVar(&c.cycles, "cycles", 10000, "churn: connections in all")
	fs.IntVar(&c.small, "small", 100, "join: members of the small room")
	fs.IntVar(&c.probes, "probes", 8, "join: clients that join and leave")
	fs.DurationVar(&c.hold, "hold", 2*time.Second, "idle: time between the last connection and the reading of memory")
	fs.DurationVar(&c.dur, "dur", 5*time.Second, "fanout, echo, join: measured time of each server")
	fs.DurationVar(&c.turn, "turn", time.Second, "fanout, echo: length of a turn (see -beside)")
	fs.DurationVar(&c.warm, "warm", time.Second, "fanout, echo: time before measuring")
	fs.DurationVar(&c.nap, "nap", time.Millisecond, "fanout: pause of the clients between two looks at their sockets; 0 has them woken for each message")
	fs.DurationVar(&c.patience, "patience", 15*time.Second, "give up when nothing has moved for this long")
	fs.Func("beside", "flags of one more server to measure in the same run, blank separated; repeatable", func(s string) error {
		c.beside = append(c.beside, s)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if c.workers == 0 {
		c.workers = 1 + (c.conns-1)/perWorker
	}
	return c, c.validate(fs.Args())
}

func (c *config) validate(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unknown argument %q", rest[0])
	}
	if _, ok := modes()[c.mode]; !ok {
		return fmt.Errorf("-mode %q: want one of %s", c.mode, names(modes()))
	}
	if _, ok := protocols()[c.proto]; !ok {
		return fmt.Errorf("-proto %q: want one of %s", c.proto, names(protocols()))
	}
	if c.turn <= 0 || c.hold < 0 {
		return fmt.Errorf("-turn %v, -hold %v: want more than 0, and at least 0", c.turn, c.hold)
	}
	for _, n := range []struct {
		name           string
		got, low, high int
	}{
		{"conns", c.conns, 1, 10_000_000},
		{"workers", c.workers, 1, maxWorkers},
		{"parallel", c.parallel, 1, 10_000},
		{"rooms", c.rooms, 0, c.conns},
		{"v1", c.v1, 0, 100},
		{"deflate", c.deflate, 0, 100 - c.v1},
		{"size", c.size, 30, 60_000},
		{"burst", c.burst, 1, 10_000},
		{"senders", c.senders, 0, min(c.burst, c.conns)},
		{"probes", c.probes, 1, 1000},
	} {
		if n.got < n.low || n.got > n.high {
			return fmt.Errorf("-%s %d: want %d to %d", n.name, n.got, n.low, n.high)
		}
	}
	if c.senders > 0 && (c.burst%c.senders != 0 || c.workers > 1) {
		return fmt.Errorf("-senders %d: want a divisor of -burst %d, and one worker", c.senders, c.burst)
	}
	return nil
}

func names[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// contenders are the server of the flags and those beside it.
func (c *config) contenders() ([]*config, error) {
	all := []*config{c}
	for _, flags := range c.beside {
		other, err := parseConfig(slices.Concat(c.args, strings.Fields(flags)))
		if err != nil {
			return nil, fmt.Errorf("-beside %q: %w", flags, err)
		}
		all = append(all, other)
	}
	return all, nil
}
