package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// mode is one kind of measurement. It has either run, for one server after the
// other, or prepare, for servers that take turns.
type mode struct {
	run     func(*bench) error
	prepare func(*bench) (contender, error)
}

// contender is a server whose clients are connected.
type contender interface {
	// turn loads the server until the time has come; what it sees counts.
	turn(until time.Time) error
	// finish completes the result.
	finish() error
}

func modes() map[string]mode {
	return map[string]mode{
		"idle":   {run: runIdle},
		"join":   {run: runJoin},
		"churn":  {run: runChurn},
		"fanout": {prepare: prepareFanout},
		"echo":   {prepare: prepareEcho},
	}
}

func measure(cfg *config) error {
	all, err := cfg.contenders()
	if err != nil {
		return err
	}
	if modes()[cfg.mode].prepare != nil {
		return measureInTurns(all)
	}
	for _, c := range all {
		if err := measureAlone(c); err != nil {
			return fmt.Errorf("%s of %q: %w", c.mode, c.server, err)
		}
	}
	return nil
}

func measureAlone(cfg *config) error {
	b, err := newBench(cfg)
	if err != nil {
		return err
	}
	defer b.fleet.stop()
	if err := modes()[cfg.mode].run(b); err != nil {
		return err
	}
	return b.print()
}

func measureInTurns(all []*config) error {
	var benches []*bench
	var contenders []contender
	for _, cfg := range all {
		b, err := newBench(cfg)
		if err != nil {
			return err
		}
		defer b.fleet.stop()
		c, err := modes()[cfg.mode].prepare(b)
		if err != nil {
			return fmt.Errorf("%s of %q: %w", cfg.mode, cfg.server, err)
		}
		benches, contenders = append(benches, b), append(contenders, c)
	}
	for spent := time.Duration(0); spent < all[0].dur; spent += all[0].turn {
		for i, c := range contenders {
			if err := c.turn(time.Now().Add(all[0].turn)); err != nil {
				return fmt.Errorf("%s of %q: %w", all[i].mode, all[i].server, err)
			}
		}
	}
	for i, c := range contenders {
		if err := c.finish(); err != nil {
			return err
		}
		if err := benches[i].print(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) print() error {
	if err := json.NewEncoder(os.Stdout).Encode(b.outcome()); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
