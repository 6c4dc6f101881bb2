package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/chenxilol/gohub/bench/internal/probe"
	"github.com/chenxilol/gohub/bench/internal/proc"
)

// target is the server under test as seen from /proc and through its side door.
type target struct {
	pid  int
	base string
	http http.Client
}

func newTarget(cfg *config) *target {
	return &target{pid: cfg.pid, base: "http://" + cfg.side, http: http.Client{Timeout: 10 * time.Minute}}
}

func (t *target) get(path string) ([]byte, error) {
	r, err := t.http.Get(t.base + path)
	if err != nil {
		return nil, fmt.Errorf("ask the side door: %w", err)
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the side door's answer: %w", err)
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the side door answered %s: %.200s", r.Status, b)
	}
	return b, nil
}

// state is one reading of the server.
type state struct {
	proc.Usage
	probe.Stats
}

func (t *target) read() (s state, err error) {
	b, err := t.get("/debug/stats")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s.Stats); err != nil {
		return s, fmt.Errorf("decode the side door's stats: %w", err)
	}
	s.Usage, err = proc.Read(t.pid)
	return s, err
}

// collect forces a garbage collection and then reads.
func (t *target) collect() (state, error) {
	if _, err := t.get("/debug/gc"); err != nil {
		return state{}, err
	}
	return t.read()
}

// cpu is the server's CPU time so far.
func (t *target) cpu() (time.Duration, error) {
	u, err := proc.Read(t.pid)
	return u.CPU, err
}

func (t *target) publish(room string, n, size int, from int64) error {
	q := url.Values{"room": {room}, "n": {strconv.Itoa(n)}, "burst": {strconv.Itoa(n)},
		"size": {strconv.Itoa(size)}, "from": {strconv.FormatInt(from, 10)}}
	_, err := t.get("/publish?" + q.Encode())
	return err
}
