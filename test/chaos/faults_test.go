package chaos_test

import (
	"sync"
	"syscall"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/test/chaos/history"
)

// inject has all faults of a schedule happen, and returns when all are healed.
func (w *world) inject(faults []fault) {
	begin := w.now()
	var busy sync.WaitGroup
	hubs := make([]sync.Mutex, len(w.hubs))                       // one fault at a time
	brokers := make([]sync.Mutex, len(w.bus.brokers)+len(w.hubs)) // likewise
	for _, f := range faults {
		pause(w.alive, f.at-(w.now()-begin))
		if w.alive.Err() != nil {
			break
		}
		mutex := &hubs[f.target%len(hubs)]
		switch f.kind {
		case storm:
			mutex = new(sync.Mutex) // it touches no process
		case busKill, busPause, busEmpty, split:
			mutex = &brokers[f.target]
		case rolling:
			busy.Wait() // it touches every hub
			w.do(f)
			continue
		}
		busy.Go(func() {
			mutex.Lock()
			defer mutex.Unlock()
			w.do(f)
		})
	}
	busy.Wait()
}

// do has one fault happen, and heals it.
func (w *world) do(f fault) {
	r := history.Fault{Kind: string(f.kind), Begin: w.now()}
	switch f.kind {
	case hubKill, hubStop, hubDrain, hubEnd:
		h := w.hubs[f.target]
		r.Nodes = []string{h.name}
		w.doHub(f, h, &r)
	case rolling:
		r.Drain, r.Ended = true, true
		for _, h := range w.hubs {
			h.terminate(w.t)
			h.start(w.t)
			h.await(w.t)
		}
		r.End = w.now()
	case busKill, busPause, busEmpty:
		w.doBroker(f, &r)
	case partition:
		r.Nodes, r.Away = []string{w.hubs[f.target].name}, true
		r.End = w.block(w.bus.links[f.target], f)
	case split:
		r.Split = w.bus.kind != "jetstream" // there the store decides
		if w.bus.kind == "embedded" {
			r.Island = []string{w.hubs[f.target].name}
		}
		r.End = w.block(w.bus.between(f.target), f)
	case storm:
		w.storm.Store(true)
		pause(w.active, f.length)
		w.storm.Store(false)
		w.count("storm")
		return // nothing of it excuses anything
	}
	w.recordFault(r)
}

func (w *world) doHub(f fault, h *hubProcess, r *history.Fault) {
	switch f.kind {
	case hubKill:
		r.Killed, r.Ended = true, true
		h.kill()
		pause(w.alive, f.length/2)
		h.start(w.t)
		h.await(w.t)
		r.End = w.now()
	case hubStop:
		r.Stopped = true
		h.signal(w.t, syscall.SIGSTOP)
		pause(w.alive, f.length)
		r.End = w.now()
		h.signal(w.t, syscall.SIGCONT)
	case hubEnd:
		r.Drain, r.Ended = true, true
		h.terminate(w.t)
		h.start(w.t)
		h.await(w.t)
		r.End = w.now()
	case hubDrain:
		r.Drain = true
		h.up.Store(false)
		if _, err := h.call("POST", api.PathDrain, api.DrainRequest{Delay: "300ms", Window: "2s"}, nil); err != nil {
			w.t.Errorf("drain %s: %v", h.name, err)
		}
		pause(w.alive, 500*time.Millisecond+f.length)
		if _, err := h.call("POST", api.PathUndrain, nil, nil); err != nil {
			w.t.Errorf("undrain %s: %v", h.name, err)
		}
		h.await(w.t)
		r.End = w.now()
	}
}

func (w *world) doBroker(f fault, r *history.Fault) {
	b := w.bus.brokers[f.target]
	r.Away = len(w.bus.brokers) == 1
	// The hubs at one broker of several that hangs are cut off from the others.
	r.Split = f.kind == busPause && !r.Away && w.bus.kind == "nats"
	switch f.kind {
	case busPause:
		b.Pause(w.t)
		pause(w.alive, f.length)
		r.End = w.now()
		b.Resume(w.t)
	default:
		b.Kill(w.t)
		pause(w.alive, f.length/2)
		r.End = w.now()
		if f.kind == busEmpty {
			b.Wipe(w.t)
		}
		b.Start(w.t)
	}
}

// block lets nothing through some proxies for a while, and returns when that
// ended.
func (w *world) block(list []*proxy, f fault) time.Duration {
	for _, p := range list {
		if f.hold {
			p.hold()
		} else {
			p.refuse()
		}
	}
	pause(w.alive, f.length)
	end := w.now()
	for _, p := range list {
		if f.hold {
			p.release()
		} else {
			p.allow()
		}
	}
	return end
}
