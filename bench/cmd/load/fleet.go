package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/proc"
)

const workerEnv = "GOHUB_LOAD_WORKER"

// command goes from the parent to a worker, a JSON line each.
type command struct {
	Op     string `json:"op"`             // open, close, send, echo, join, churn
	N      int    `json:"n,omitempty"`    // open: connections; send: messages of each sender; echo: 1 starts, 0 stops; join, churn: operations
	Rate   int    `json:"rate,omitempty"` // echo: requests per second
	Room   string `json:"room,omitempty"` // open and join: the room, instead of the dealt one
	Series int    `json:"series,omitempty"`
}

// fleet is the parent's hold on its workers.
type fleet struct {
	cfg    *config
	shared *shared
	procs  []*exec.Cmd
	pipes  []*os.File
}

func startFleet(cfg *config) (*fleet, error) {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil { // workers inherit it; Go raises only its own
		lim.Cur = lim.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)
	}
	mem, sh, err := createShared()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	f := &fleet{cfg: cfg, shared: sh}
	for i := range cfg.workers {
		r, w, err := os.Pipe()
		if err != nil {
			f.stop()
			return nil, fmt.Errorf("open command pipe: %w", err)
		}
		c := exec.Command(self, cfg.args...)
		c.Env = append(os.Environ(), workerEnv+"="+strconv.Itoa(i), "GOMAXPROCS=1")
		c.ExtraFiles = []*os.File{mem, r}
		c.Stderr = os.Stderr
		err = c.Start()
		_ = r.Close()
		if err != nil {
			f.stop()
			return nil, fmt.Errorf("start worker: %w", err)
		}
		f.procs, f.pipes = append(f.procs, c), append(f.pipes, w)
	}
	return f, nil
}

// stop ends the workers: each leaves when its pipe closes.
func (f *fleet) stop() {
	for _, p := range f.pipes {
		_ = p.Close()
	}
	for _, c := range f.procs {
		_ = c.Wait()
	}
}

func (f *fleet) tell(worker int, c command) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	if _, err := f.pipes[worker].Write(append(line, '\n')); err != nil {
		return fmt.Errorf("command worker %d: %w", worker, err)
	}
	return nil
}

// tellAll deals c.N and c.Rate out over the workers.
func (f *fleet) tellAll(c command) error {
	for i := range f.procs {
		mine := c
		mine.N, mine.Rate = share(c.N, i, len(f.procs)), share(c.Rate, i, len(f.procs))
		if c.Op == "echo" {
			mine.N = c.N
		}
		if err := f.tell(i, mine); err != nil {
			return err
		}
	}
	return nil
}

// share is the i-th of n nearly equal parts of total.
func share(total, i, n int) int {
	part := total / n
	if i < total%n {
		part++
	}
	return part
}

func (f *fleet) sum() totals { return f.shared.sum(len(f.procs)) }

func (f *fleet) usage() (u proc.Usage) {
	for _, c := range f.procs {
		if p, err := proc.Read(c.Process.Pid); err == nil { // one that died shows in the counts
			u.RSS += p.RSS
			u.CPU += p.CPU
		}
	}
	return u
}

// await polls until progress reaches goal. It gives up, telling how far it came,
// when nothing has moved for the configured patience.
func (f *fleet) await(goal int64, every time.Duration, progress func() int64) (reached int64, ok bool) {
	last, since := int64(-1), time.Now()
	for {
		n := progress()
		if n >= goal {
			return n, true
		}
		if n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > f.cfg.patience {
			return n, false
		}
		time.Sleep(every)
	}
}

// open adds n connections and waits until each is ready or has failed.
func (f *fleet) open(n int, room string) error {
	before := f.sum()
	if err := f.tellAll(command{Op: "open", N: n, Room: room}); err != nil {
		return err
	}
	done := func() int64 {
		t := f.sum()
		return t.ready + t.failed
	}
	goal := before.ready + before.failed + int64(n)
	if got, ok := f.await(goal, 5*time.Millisecond, done); !ok {
		return fmt.Errorf("%d of %d connections are still not open; %s", goal-got, n, f.sum().note)
	}
	return nil
}
