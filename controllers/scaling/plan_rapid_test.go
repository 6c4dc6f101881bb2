package scaling_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestScaleConverges lets operators plan, act and die at any point, from caches
// of any age, while pods come, go and fall silent. Whatever happened, the cluster
// gets what is wanted; the rules of every single step are checked by the world.
func TestScaleConverges(t *testing.T) {
	for range 10 { // the rare cases need some thousand runs
		rapid.Check(t, converges)
	}
}

func converges(t *rapid.T) {
	w := newWorld(t)
	some := func(t *rapid.T) *worldPod {
		if len(w.pods) == 0 {
			t.Skip("no pod")
		}
		return rapid.SampledFrom(w.pods).Draw(t, "pod")
	}
	operate := func(t *rapid.T) {
		w.operate(rapid.Bool().Draw(t, "from the cache"), rapid.IntRange(0, 9).Draw(t, "steps before a crash"))
	}
	t.Repeat(map[string]func(*rapid.T){
		"operate": operate, "operate again": operate, // more often than the rest
		"cache":     func(t *rapid.T) { w.cached = w.observe() },
		"goal":      func(t *rapid.T) { w.goal.Replicas = int32(rapid.IntRange(0, 6).Draw(t, "goal")) },
		"time":      func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 15).Draw(t, "seconds")) * time.Second) },
		"control":   func(t *rapid.T) { w.controlDeployment() },
		"run one":   func(t *rapid.T) { w.runPods([]*worldPod{some(t)}) },
		"run all":   func(t *rapid.T) { w.runPods(w.pods) },
		"restart":   func(t *rapid.T) { some(t).restart() },
		"not ready": func(t *rapid.T) { some(t).Ready = false },
		"reachable": func(t *rapid.T) { p := some(t); p.reachable = !p.reachable },
		"evict":     func(t *rapid.T) { some(t).Terminating = true },
		"gone":      func(t *rapid.T) { w.sweep() },
		"rollout":   func(t *rapid.T) { w.revision++ },
		"rollback":  func(t *rapid.T) { w.revision = max(w.revision-1, 0) },
	})
	settle(w) // with pods that stay silent
	// A rollout waits for a hub that drains and cannot be told to stop that.
	lost := w.count(func(p *worldPod) bool { return p.draining && !p.reachable })
	if n := len(w.active()); w.replicas != w.goal.Replicas || lost == 0 && n != int(w.goal.Replicas) {
		t.Fatalf("wanted %d; replicas %d, pods %d: %s", w.goal.Replicas, w.replicas, n, w)
	}
	for _, p := range w.pods {
		p.reachable = true
	}
	settle(w)
	if i := slices.IndexFunc(w.pods, func(p *worldPod) bool { return p.Marked || p.draining || !p.Ready }); i >= 0 || len(w.pods) != int(w.goal.Replicas) {
		t.Fatalf("wanted %d pods, ready and unmarked: %s", w.goal.Replicas, w)
	}
}

// settle lets everything run without disturbance for long enough.
func settle(w *world) {
	for range 120 {
		w.operate(false, 100)
		w.controlDeployment()
		w.runPods(w.pods)
		w.sweep()
		w.pass(5 * time.Second)
	}
}

func (w *world) String() string {
	s := w.now.Format(time.TimeOnly)
	for _, p := range w.pods {
		s += "\n" + p.String(w)
	}
	return s
}
