// Package hubstats knows what the hubs of all clusters have to do: it asks each
// of them now and then, apart from whoever wants to know.
package hubstats

import (
	"context"
	"maps"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/pkg/api"
)

// atOnce bounds how many hubs of one cluster are asked at the same time.
const atOnce = 32

// Target is a hub to ask.
type Target struct {
	Pod types.UID
	URL string
	// Keys are tried as hubclient.WithKeys does.
	Keys []string
}

// Source asks one hub; *hubclient.Client is one.
type Source interface {
	Stats(context.Context, hubclient.Hub) (api.Stats, error)
}

// Poller asks the hubs of clusters. All methods may be called at the same time.
type Poller struct {
	source  Source
	changed func(types.NamespacedName)

	mu     sync.Mutex // guards all below
	closed bool
	polls  map[types.NamespacedName]*poll
	wait   sync.WaitGroup
}

// New returns a Poller that calls changed, which must not wait, whenever hubs of a
// cluster said something new, or began or ceased to answer.
func New(source Source, changed func(cluster types.NamespacedName)) *Poller {
	return &Poller{source: source, changed: changed, polls: map[types.NamespacedName]*poll{}}
}

// poll is the asking of one cluster's hubs.
type poll struct {
	stop     context.CancelFunc
	wake     chan struct{} // of one: the targets or the interval are new
	targets  []Target
	interval time.Duration
	readings map[types.UID]api.Stats // replaced, never changed
}

// Set says which hubs of a cluster are asked, and how often: from now on, at once
// where the targets are not those of before. None ends it.
func (p *Poller) Set(cluster types.NamespacedName, targets []Target, interval time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.polls[cluster]
	switch {
	case len(targets) == 0:
		if x != nil {
			x.stop()
			delete(p.polls, cluster)
		}
		return
	case p.closed:
		return
	case x == nil:
		ctx, stop := context.WithCancel(context.Background())
		x = &poll{stop: stop, wake: make(chan struct{}, 1), targets: targets, interval: interval}
		p.polls[cluster] = x
		p.wait.Go(func() { p.run(ctx, cluster, x) })
		return
	case reflect.DeepEqual(x.targets, targets) && x.interval == interval:
		return
	}
	x.targets, x.interval = targets, interval
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Readings returns what the hubs of a cluster said last, by pod; a hub that gave
// no answer the last time has none. The map is not to be changed.
func (p *Poller) Readings(cluster types.NamespacedName) map[types.UID]api.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.polls[cluster]; x != nil {
		return x.readings
	}
	return nil
}

// Ask asks hubs now, and returns what they said.
func (p *Poller) Ask(ctx context.Context, targets []Target) map[types.UID]api.Stats {
	var mu sync.Mutex
	readings := map[types.UID]api.Stats{}
	free := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for _, t := range targets {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			if stats, ok := p.ask(ctx, t); ok {
				mu.Lock()
				readings[t.Pod] = stats
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return readings
}

func (p *Poller) ask(ctx context.Context, t Target) (api.Stats, bool) {
	var stats api.Stats
	err := hubclient.WithKeys(t.URL, t.Keys, func(h hubclient.Hub) (err error) {
		stats, err = p.source.Stats(ctx, h)
		return err
	})
	return stats, err == nil
}

// Close ends all asking, and waits for it.
func (p *Poller) Close() {
	p.mu.Lock()
	p.closed = true
	for cluster, x := range p.polls {
		x.stop()
		delete(p.polls, cluster)
	}
	p.mu.Unlock()
	p.wait.Wait()
}

func (p *Poller) run(ctx context.Context, cluster types.NamespacedName, x *poll) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-x.wake:
		}
		p.mu.Lock()
		targets, interval := x.targets, x.interval
		p.mu.Unlock()
		readings := p.Ask(ctx, targets)
		if ctx.Err() != nil {
			return
		}
		if p.keep(x, readings) {
			p.changed(cluster)
		}
		timer.Reset(interval)
	}
}

// keep stores what the hubs said, and tells whether it is new.
func (p *Poller) keep(x *poll, readings map[types.UID]api.Stats) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := x.readings
	x.readings = readings
	same := func(a, b api.Stats) bool {
		return a.Clients == b.Clients && a.Capacity == b.Capacity && a.Draining == b.Draining && a.Bus == b.Bus
	}
	return !maps.EqualFunc(before, readings, same)
}
