package hubstats_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/controllers/hubstats"
	"github.com/chenxilol/gohub/pkg/api"
)

// hubs answer by their URLs, each with its key.
type hubs struct {
	mu    sync.Mutex
	stats map[string]api.Stats
	keys  map[string]string
	asked int
}

func (h *hubs) Stats(ctx context.Context, hub hubclient.Hub) (api.Stats, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	s, ok := h.stats[hub.URL]
	switch {
	case !ok:
		return api.Stats{}, &hubclient.Error{Kind: hubclient.ErrUnreachable}
	case h.keys[hub.URL] != hub.Key:
		return api.Stats{}, &hubclient.Error{Kind: hubclient.ErrUnauthorized}
	}
	return s, ctx.Err()
}

func (h *hubs) set(url string, clients int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats[url] = api.Stats{Node: url, Clients: clients}
}

func (h *hubs) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.asked
	h.asked = 0
	return n
}

func TestPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := types.NamespacedName{Namespace: "n", Name: "x"}
		h := &hubs{stats: map[string]api.Stats{}, keys: map[string]string{"a": "new", "b": "old", "c": "old"}}
		h.set("a", 1)
		h.set("b", 2)
		var mu sync.Mutex
		changes := 0
		p := hubstats.New(h, func(c types.NamespacedName) {
			if c != cluster {
				t.Errorf("%v has changed", c)
			}
			mu.Lock()
			changes++
			mu.Unlock()
		})
		want := func(changed int, clients map[types.UID]int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := map[types.UID]int{}
			for pod, s := range p.Readings(cluster) {
				got[pod] = s.Clients
			}
			if !maps.Equal(got, clients) || changes != changed {
				t.Errorf("readings %v after %d changes, want %v after %d", got, changes, clients, changed)
			}
		}
		keys := []string{"new", "old"}
		targets := []hubstats.Target{{Pod: "1", URL: "a", Keys: keys}, {Pod: "2", URL: "b", Keys: keys}, {Pod: "3", URL: "c", Keys: keys}}
		p.Set(cluster, targets, time.Minute)
		want(1, map[types.UID]int{"1": 1, "2": 2}) // at once, with either key
		p.Set(cluster, targets, time.Minute)
		if h.count(); h.count() != 0 {
			t.Error("asked again for the same targets")
		}
		h.set("a", 9)
		time.Sleep(59 * time.Second)
		want(1, map[types.UID]int{"1": 1, "2": 2})
		time.Sleep(time.Second)
		want(2, map[types.UID]int{"1": 9, "2": 2})
		time.Sleep(time.Minute)
		want(2, map[types.UID]int{"1": 9, "2": 2}) // nothing new
		h.set("c", 3)
		if got := p.Ask(t.Context(), targets[2:]); len(got) != 1 || got["3"].Clients != 3 {
			t.Errorf("asked directly: %v", got)
		}
		p.Set(cluster, targets[1:], time.Second) // other targets: at once
		want(3, map[types.UID]int{"2": 2, "3": 3})
		p.Set(cluster, nil, 0)
		h.count()
		time.Sleep(time.Hour)
		want(3, map[types.UID]int{})
		if n := h.count(); n != 0 {
			t.Errorf("asked %d times for nobody", n)
		}
		p.Set(cluster, targets, time.Minute)
		p.Close()
		p.Set(cluster, targets, time.Minute)
		want(3, map[types.UID]int{})
	})
}
