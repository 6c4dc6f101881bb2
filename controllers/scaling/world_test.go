package scaling_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/chenxilol/gohub/controllers/scaling"
)

// world is a Kubernetes cluster with one Deployment of hubs, as far as scaling
// has to do with it. Its controllers are as late as a test wants.
type world struct {
	t        *rapid.T
	now      time.Time
	goal     scaling.Goal
	replicas int32 // of the Deployment
	revision int
	pods     []*worldPod
	cached   scaling.Observation // of some time ago
	made     int
}

type worldPod struct {
	scaling.Pod
	revision  int
	reachable bool // from the operator
	draining  bool
	since     time.Time // it drains
	conns     int
}

func newWorld(t *rapid.T) *world {
	n := int32(rapid.IntRange(0, 6).Draw(t, "replicas"))
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), replicas: n}
	w.goal = scaling.Goal{Replicas: n, MaxStep: int32(rapid.IntRange(0, 3).Draw(t, "step")), Timing: scaling.Timing{Delay: time.Second, Window: 4 * time.Second}}
	w.controlDeployment()
	for _, p := range w.pods {
		p.Running, p.Ready, p.conns = true, true, rapid.IntRange(0, 9).Draw(t, "connections")
	}
	w.cached = w.observe()
	return w
}

func (w *world) observe() scaling.Observation {
	o := scaling.Observation{Now: w.now, Replicas: w.replicas}
	for _, p := range w.pods {
		seen := p.Pod
		seen.Outdated = p.revision != w.revision
		if p.Running && p.reachable {
			seen.Reading = &scaling.Reading{Connections: p.conns, Draining: p.draining}
		}
		o.Pods = append(o.Pods, seen)
	}
	return o
}

func (w *world) active() []*worldPod {
	return slices.DeleteFunc(slices.Clone(w.pods), func(p *worldPod) bool { return p.Terminating })
}

func (w *world) find(name string) *worldPod {
	i := slices.IndexFunc(w.pods, func(p *worldPod) bool { return p.Name == name })
	if i < 0 || w.pods[i].Terminating {
		w.t.Fatalf("the plan names pod %s, which is not there", name)
	}
	return w.pods[i]
}

// operate is one round of the operator: it makes a plan, of the cache where that
// is enough, and does at most the first steps parts of it.
func (w *world) operate(fromCache bool, steps int) {
	o := w.observe()
	o.Fresh = true
	if fromCache {
		old := w.cached
		old.Now = w.now
		p := scaling.Scale(w.goal, old)
		if !p.Refresh {
			if !p.Empty(old.Replicas) {
				w.t.Fatalf("a plan of a cache does something: %+v", p)
			}
			return
		}
		if p.Replicas != old.Replicas || len(p.Mark)+len(p.Drain)+len(p.Undrain)+len(p.Unmark) > 0 {
			w.t.Fatalf("a plan that asks for a fresh one does something: %+v", p)
		}
	}
	w.execute(scaling.Scale(w.goal, o), steps)
}

// execute does at most the first steps parts of a plan.
func (w *world) execute(p scaling.Plan, steps int) {
	do := func(effect func()) {
		if steps > 0 {
			effect()
			steps--
		}
	}
	if p.Replicas > w.replicas {
		do(func() { w.replicas = p.Replicas })
	}
	for _, pod := range p.Undrain {
		x := w.find(pod.Name)
		do(func() {
			if x.Running && x.reachable {
				x.draining = false
				do(func() { x.Marked, x.Deadline = false, time.Time{} })
			}
		})
	}
	for _, pod := range p.Unmark {
		do(func() { w.unmark(w.find(pod.Name)) })
	}
	for _, pod := range p.Mark {
		do(func() { w.mark(w.find(pod.Name), pod.Deadline) })
	}
	for _, pod := range p.Drain {
		do(func() {
			if x := w.find(pod.Name); !x.Marked {
				w.t.Fatalf("%s is drained and not marked", x.Name)
			} else if x.Running && x.reachable {
				if !x.draining {
					x.draining, x.since = true, w.now
				}
			}
		})
	}
	if p.Replicas < w.replicas {
		do(func() { w.lower(p.Replicas) })
	}
}

func (w *world) unmark(p *worldPod) {
	if p.Running && p.draining {
		w.t.Fatalf("%s drains and is unmarked", p.Name)
	}
	p.Marked, p.Deadline = false, time.Time{}
}

func (w *world) mark(p *worldPod, deadline time.Time) {
	if p.Marked {
		w.t.Fatalf("%s is marked again", p.Name)
	}
	p.Marked, p.Deadline = true, deadline
	var marked, drained int
	for _, x := range w.pods {
		if x.Marked && !x.Terminating {
			marked++
		}
		if x.Marked && x.Running && w.now.Before(x.Deadline) {
			drained++
		}
	}
	if need := len(w.active()) - int(w.goal.Replicas); marked > need {
		w.t.Fatalf("%d pods are marked, %d have to go", marked, need)
	}
	if p.Running && w.goal.Replicas > 0 && drained > int(max(w.goal.MaxStep, 1)) {
		w.t.Fatalf("%d are drained at once, want at most %d", drained, w.goal.MaxStep)
	}
}

func (w *world) lower(replicas int32) {
	gone := 0
	for _, p := range w.active() {
		switch {
		case !p.Marked:
		case p.Ready && w.now.Before(p.Deadline):
			w.t.Fatalf("lowered to %d while %s is ready before its deadline", replicas, p.Name)
		default:
			gone++
		}
	}
	if replicas < w.goal.Replicas || int(replicas) < len(w.active())-gone {
		w.t.Fatalf("lowered from %d to %d; wanted are %d, and of %d pods %d may go", w.replicas, replicas, w.goal.Replicas, len(w.active()), gone)
	}
	w.replicas = replicas
}

// controlDeployment is a pass of the controllers of Deployment and ReplicaSets,
// with maxSurge 1 and maxUnavailable 0.
func (w *world) controlDeployment() {
	isOld := func(p *worldPod) bool { return p.revision != w.revision }
	rollout := slices.ContainsFunc(w.active(), isOld)
	limit := int(w.replicas)
	if rollout && limit > 0 {
		limit++
	}
	for len(w.active()) > limit {
		victim := firstOf(w.active())
		if victim.Ready && !victim.Marked && !rollout {
			w.t.Fatalf("%s is removed, which is ready and was never drained", victim.Name)
		}
		victim.Terminating = true
	}
	for len(w.active()) < limit {
		w.create()
	}
	if !rollout {
		return
	}
	old := slices.DeleteFunc(w.active(), func(p *worldPod) bool { return !isOld(p) })
	spare := len(w.active()) - int(w.replicas)
	for _, p := range w.active() {
		if !isOld(p) && !p.Ready {
			spare--
		}
	}
	for ; spare > 0 && len(old) > 0; spare-- {
		victim := firstOf(old)
		if ready := w.count(func(p *worldPod) bool { return p.Ready }); victim.Ready && ready <= int(w.replicas) {
			return
		}
		victim.Terminating = true
		old = slices.DeleteFunc(old, func(p *worldPod) bool { return p == victim })
	}
}

func (w *world) count(f func(*worldPod) bool) (n int) {
	for _, p := range w.active() {
		if f(p) {
			n++
		}
	}
	return n
}

func (w *world) create() {
	w.made++
	w.pods = append(w.pods, &worldPod{
		Pod:       scaling.Pod{Name: fmt.Sprintf("hub-%d", w.made), Created: w.now, Zone: fmt.Sprint(w.made % 2)},
		revision:  w.revision,
		reachable: true,
	})
}

// firstOf returns the pod that a ReplicaSet removes first: not started, not
// ready, of the lowest deletion cost, the newest.
func firstOf(pods []*worldPod) *worldPod {
	rank := func(p *worldPod) int {
		switch {
		case !p.Running:
			return 0
		case !p.Ready && p.Marked:
			return 1
		case !p.Ready:
			return 2
		case p.Marked:
			return 3
		default:
			return 4
		}
	}
	return slices.MinFunc(pods, func(a, b *worldPod) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
}

// runPods lets the pods do what they do: start, get ready or not, lose clients.
func (w *world) runPods(pods []*worldPod) {
	for _, p := range pods {
		p.Running = true
		p.Ready = !p.draining
		if p.draining {
			p.conns /= 2
		}
	}
}

// pass lets time pass. A hub that drains is seen not to be ready, in the end.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, p := range w.pods {
		if p.draining && w.now.Sub(p.since) >= readyLag {
			p.Ready = false
		}
	}
}

// readyLag is the longest until a pod's readiness is known.
const readyLag = 15 * time.Second

// restart lets the hub of a pod begin anew.
func (p *worldPod) restart() { p.Running, p.Ready, p.draining, p.conns = false, false, false, 0 }

func (w *world) sweep() {
	w.pods = slices.DeleteFunc(w.pods, func(p *worldPod) bool { return p.Terminating })
}

// String describes p for a failed test.
func (p *worldPod) String(w *world) string {
	return fmt.Sprintf("%s running=%v ready=%v draining=%v reachable=%v terminating=%v outdated=%v marked=%v left=%v",
		p.Name, p.Running, p.Ready, p.draining, p.reachable, p.Terminating, p.revision != w.revision, p.Marked, p.Deadline.Sub(w.now))
}
