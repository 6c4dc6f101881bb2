// Package probe is the side door of a server under test: memory and goroutines
// to read, a collection to force, a profile to take, frames to publish. Every
// server of the comparison has the same one, so that all are driven alike.
package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"

	"github.com/chenxilol/gohub/bench/internal/wire"
)

// Publish sends the payloads to all members of a room, in order and without
// waiting in between. The payloads are the server's to keep.
type Publish func(room string, payloads [][]byte) error

// Stats is what /debug/stats tells. Clients and Rooms are -1 where a server does not count them.
type Stats struct {
	Goroutines int    `json:"goroutines"`
	HeapBytes  uint64 `json:"heap_bytes"` // live and not yet swept objects
	StackBytes uint64 `json:"stack_bytes"`
	Allocs     uint64 `json:"allocs"` // objects allocated since the start
	Clients    int    `json:"clients"`
	Rooms      int    `json:"rooms"`
}

// Gauges adds the server's own counts, clients and rooms.
type Gauges func() (clients, rooms int)

// Handler serves /debug/gc, /debug/stats, /debug/pprof/ and
// /publish?room=&n=&burst=&size=&from=, which publishes n payloads of size
// bytes, burst of them queued at once, with sequence numbers from `from`.
func Handler(publish Publish, gauges Gauges) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/gc", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC()
		debug.FreeOSMemory() // collects once more: the second cycle frees what pools still held
	})
	mux.HandleFunc("/debug/stats", func(w http.ResponseWriter, _ *http.Request) {
		s := readStats()
		s.Clients, s.Rooms = gauges()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		if err := servePublish(publish, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	return mux
}

func readStats() Stats {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/gc/heap/allocs:objects"},
	}
	metrics.Read(s)
	return Stats{
		Goroutines: runtime.NumGoroutine(),
		HeapBytes:  s[0].Value.Uint64(),
		StackBytes: s[1].Value.Uint64(),
		Allocs:     s[2].Value.Uint64(),
	}
}

func servePublish(publish Publish, r *http.Request) error {
	n, err := number(r, "n", 1, 1, 1<<20)
	if err != nil {
		return err
	}
	burst, err := number(r, "burst", 1, 1, 1<<16)
	if err != nil {
		return err
	}
	size, err := number(r, "size", 128, wire.MarkerSize, 1<<16)
	if err != nil {
		return err
	}
	from, err := number(r, "from", 1, 1, 1<<31)
	if err != nil {
		return err
	}
	for n > 0 {
		batch := make([][]byte, min(burst, n))
		for i := range batch {
			batch[i] = wire.Marker{Seq: uint32(from + i), Sent: wire.Now()}.Append(nil, size)
		}
		if err := publish(r.FormValue("room"), batch); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		n, from = n-len(batch), from+len(batch)
	}
	return nil
}

var errNumber = errors.New("not a number in range")

func number(r *http.Request, name string, missing, low, high int) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return missing, nil
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < low || v > high {
		return 0, fmt.Errorf("%s=%q: %w (%d to %d)", name, s, errNumber, low, high)
	}
	return v, nil
}
