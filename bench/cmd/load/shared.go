package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/chenxilol/gohub/bench/internal/hist"
)

const maxWorkers = 128

// counters are one worker's. Only the worker adds to them, the parent reads; it
// sets them to zero while the worker has nothing to do.
type counters struct {
	Ready     atomic.Int64 // connections that have finished joining
	Failed    atomic.Int64 // connections that never got there
	Closed    atomic.Int64 // connections the server ended afterwards
	Delivered atomic.Int64 // markers seen
	Bytes     atomic.Int64 // read from sockets
	Frames    atomic.Int64
	Lost      atomic.Int64 // markers skipped, by sequence number
	Reordered atomic.Int64
	SelfHeard atomic.Int64 // a sender got its own message
	Errors    atomic.Int64 // error replies and frames that should not be
	Ops       atomic.Int64 // churn cycles; join and leave pairs
	noteSize  atomic.Int64
	note      [160]byte // the first failure or error
	Latency   [2]hist.Counts
}

// shared is a memory file that all processes of the tool map.
type shared struct {
	worker [maxWorkers]counters
}

func createShared() (*os.File, *shared, error) {
	fd, err := unix.MemfdCreate("load", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create shared memory: %w", err)
	}
	if err := unix.Ftruncate(fd, int64(unsafe.Sizeof(shared{}))); err != nil {
		return nil, nil, fmt.Errorf("size shared memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "shared")
	s, err := mapShared(fd)
	return f, s, err
}

func mapShared(fd int) (*shared, error) {
	b, err := unix.Mmap(fd, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	return (*shared)(unsafe.Pointer(unsafe.SliceData(b))), nil
}

// remember keeps the first note of a worker.
func (c *counters) remember(note string) {
	n := min(len(note), len(c.note))
	if c.noteSize.Load() == 0 {
		copy(c.note[:], note[:n])
		c.noteSize.Store(int64(n))
	}
}

func (c *counters) observe(series int, ns int64) {
	atomic.AddInt64(&c.Latency[series][hist.Bucket(ns)], 1)
}

// totals are the counters of all workers at one moment.
type totals struct {
	ready, failed, closed, delivered, bytes, frames int64
	lost, reordered, selfHeard, errors, ops         int64
	note                                            string
}

func (s *shared) sum(workers int) (t totals) {
	for i := range workers {
		c := &s.worker[i]
		t.ready += c.Ready.Load()
		t.failed += c.Failed.Load()
		t.closed += c.Closed.Load()
		t.delivered += c.Delivered.Load()
		t.bytes += c.Bytes.Load()
		t.frames += c.Frames.Load()
		t.lost += c.Lost.Load()
		t.reordered += c.Reordered.Load()
		t.selfHeard += c.SelfHeard.Load()
		t.errors += c.Errors.Load()
		t.ops += c.Ops.Load()
		if n := c.noteSize.Load(); n > 0 && t.note == "" {
			t.note = string(c.note[:n])
		}
	}
	return t
}

func (s *shared) delivered(workers int) (n int64) {
	for i := range workers {
		n += s.worker[i].Delivered.Load()
	}
	return n
}

// latency is the histogram of one series over all workers.
func (s *shared) latency(workers, series int) *hist.Counts {
	h := &hist.Counts{}
	for i := range workers {
		for j := range h {
			h[j] += atomic.LoadInt64(&s.worker[i].Latency[series][j])
		}
	}
	return h
}

func (s *shared) reset(workers int) {
	for i := range workers {
		s.worker[i] = counters{}
	}
}
