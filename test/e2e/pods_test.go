//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/scaling"
	"github.com/chenxilol/gohub/test/chaos/history"
	"github.com/chenxilol/gohub/test/e2e/load"
)

// podLife is what was seen of one hub's pod, in the time of a load's record.
type podLife struct {
	name, node string
	created    time.Time
	ready      time.Duration // first seen so; 0: not yet
	leaving    time.Duration // first seen drained or stopped; 0: not yet
	marked     bool          // drained by the operator before it was stopped
	gone       time.Duration // 0: not yet
}

// watcher looks at the pods of hubs all the time, so that what clients see can
// be held against it.
type watcher struct {
	hubs hubs
	load *load.Load
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex // guards all below
	pods  map[types.UID]*podLife
	least int // ready pods, since there were any
}

// watchEvery is how late what happens to a pod may be noticed.
const watchEvery = 250 * time.Millisecond

func (h hubs) watch(t *testing.T, l *load.Load) *watcher {
	t.Helper()
	w := &watcher{hubs: h, load: l, stop: make(chan struct{}), done: make(chan struct{}), pods: map[types.UID]*podLife{}, least: -1}
	go func() {
		defer close(w.done)
		ticks := time.NewTicker(watchEvery)
		defer ticks.Stop()
		for {
			if pods, err := h.hubPods(); err == nil {
				w.look(pods)
			}
			select {
			case <-w.stop:
				return
			case <-ticks.C:
			}
		}
	}()
	return w
}

// look notes what there is at a moment.
func (w *watcher) look(pods []corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.load.Now()
	there := map[types.UID]bool{}
	count := 0
	for _, p := range pods {
		there[p.UID] = true
		life := w.pods[p.UID]
		if life == nil {
			life = &podLife{name: p.Name, node: p.Spec.NodeName, created: p.CreationTimestamp.Time}
			w.pods[p.UID] = life
		}
		life.node = p.Spec.NodeName
		marked := p.Annotations[scaling.DrainDeadlineAnnotation] != ""
		if ready(p) {
			count++
			if life.ready == 0 {
				life.ready = now
			}
		}
		if since := leavingSince(p); life.leaving == 0 && !since.IsZero() {
			life.leaving, life.marked = min(now, w.load.At(since)), marked
		}
	}
	for uid, life := range w.pods {
		if !there[uid] && life.gone == 0 {
			life.gone = now
		}
	}
	if w.least < 0 || count < w.least {
		w.least = count
	}
}

// leavingSince is when a pod was marked by the operator or told to stop, by the
// deadline that it got; zero while it stays. This test may have looked later.
func leavingSince(p corev1.Pod) time.Time {
	grace := time.Duration(0)
	if p.Spec.TerminationGracePeriodSeconds != nil {
		grace = time.Duration(*p.Spec.TerminationGracePeriodSeconds) * time.Second
	}
	if deadline, err := time.Parse(time.RFC3339, p.Annotations[scaling.DrainDeadlineAnnotation]); err == nil {
		return deadline.Add(-grace)
	}
	if p.DeletionTimestamp == nil {
		return time.Time{}
	}
	if p.DeletionGracePeriodSeconds != nil {
		grace = time.Duration(*p.DeletionGracePeriodSeconds) * time.Second
	}
	return p.DeletionTimestamp.Add(-grace)
}

// end stops looking and records the drains that were seen as faults of the load.
func (w *watcher) end(t *testing.T) []podLife {
	t.Helper()
	close(w.stop)
	<-w.done
	var all []podLife
	for _, life := range w.pods {
		all = append(all, *life)
		if life.leaving == 0 {
			continue
		}
		end := life.gone
		if end == 0 {
			end = w.load.Now()
		}
		w.load.Fault(history.Fault{Kind: "drain", Nodes: []string{life.name}, Begin: life.leaving - time.Second, End: end, Drain: true})
	}
	slices.SortFunc(all, func(a, b podLife) int { return a.created.Compare(b.created) })
	var text strings.Builder
	for _, uid := range slices.SortedFunc(maps.Keys(w.pods), func(a, b types.UID) int { return w.pods[a].created.Compare(w.pods[b].created) }) {
		p := w.pods[uid]
		fmt.Fprintf(&text, "%s %s on %s: ready at %v, leaving at %v (marked: %v), gone at %v\n", p.name, uid, p.node, since(p.ready), since(p.leaving), p.marked, since(p.gone))
	}
	t.Logf("hubs, by the time of the load; at least %d were ready:\n%s", w.least, text.String())
	return all
}
