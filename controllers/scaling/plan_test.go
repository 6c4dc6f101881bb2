package scaling_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/chenxilol/gohub/controllers/scaling"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// timing has a grace period of 50 s.
func timing() scaling.Timing {
	return scaling.Timing{Delay: 5 * time.Second, Window: 30 * time.Second}
}

type podOption func(*scaling.Pod)

// pod returns a hub that is ready and has so many connections.
func pod(name string, connections int, options ...podOption) scaling.Pod {
	p := scaling.Pod{Name: name, Created: start.Add(-time.Hour), Running: true, Ready: true, Reading: &scaling.Reading{Connections: connections}}
	for _, o := range options {
		o(&p)
	}
	return p
}

func notReady(p *scaling.Pod)    { p.Ready = false }
func silent(p *scaling.Pod)      { p.Reading = nil }
func terminating(p *scaling.Pod) { p.Terminating = true }
func outdated(p *scaling.Pod)    { p.Outdated = true }
func young(p *scaling.Pod)       { p.Created = start }
func draining(p *scaling.Pod)    { p.Reading.Draining = true }
func pending(p *scaling.Pod)     { p.Running, p.Ready, p.Reading = false, false, nil }
func in(zone, node string) podOption {
	return func(p *scaling.Pod) { p.Zone, p.Node = zone, node }
}

// marked marks a pod whose deadline is left away.
func marked(left time.Duration) podOption {
	return func(p *scaling.Pod) { p.Marked, p.Deadline = true, start.Add(left) }
}

// step is a plan by the names of its pods.
type step struct {
	Replicas                              int32
	Undrain, Unmark, Mark, Drain, Overdue []string
}

func stepOf(p scaling.Plan) step {
	names := func(pods []scaling.Pod) (list []string) {
		for _, p := range pods {
			list = append(list, p.Name)
		}
		return list
	}
	return step{p.Replicas, names(p.Undrain), names(p.Unmark), names(p.Mark), names(p.Drain), names(p.Overdue)}
}

type names = []string

func TestScale(t *testing.T) {
	const left, passed = 20 * time.Second, -time.Second
	for _, c := range []struct {
		name        string
		have, goal  int32
		maxStep     int32
		pods        []scaling.Pod
		want        step
		wantAfter   time.Duration
		wantStalled bool // the plan is Empty
	}{
		{name: "as wanted", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 1), pod("b", 2)}, want: step{Replicas: 2}, wantStalled: true},
		{name: "none at all", want: step{}, wantStalled: true},
		{name: "more", have: 2, goal: 5, pods: []scaling.Pod{pod("a", 1), pod("b", 2)}, want: step{Replicas: 5}},
		{
			name: "the emptiest", have: 3, goal: 2, pods: []scaling.Pod{pod("a", 7), pod("b", 3), pod("c", 9)},
			want: step{Replicas: 3, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "step by step", have: 5, goal: 1, maxStep: 2, pods: []scaling.Pod{pod("a", 5), pod("b", 4), pod("c", 3), pod("d", 2), pod("e", 1)},
			want: step{Replicas: 5, Mark: names{"e", "d"}, Drain: names{"e", "d"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "all at once to nothing", have: 3, goal: 0, maxStep: 1, pods: []scaling.Pod{pod("a", 3), pod("b", 2), pod("c", 1)},
			want: step{Replicas: 3, Mark: names{"c", "b", "a"}, Drain: names{"c", "b", "a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "of equals who is not ready", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4, young), pod("b", 4, notReady)},
			want: step{Replicas: 2, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "of equals who is in the fullest zone", have: 3, goal: 2,
			pods: []scaling.Pod{pod("a", 4, young, in("z1", "n1")), pod("b", 4, in("z2", "n2")), pod("c", 4, in("z2", "n3"))},
			want: step{Replicas: 3, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "spread over zones", have: 4, goal: 2, maxStep: 2,
			pods: []scaling.Pod{pod("a", 0, in("z1", "n1")), pod("b", 0, in("z1", "n2")), pod("c", 0, in("z2", "n3")), pod("d", 0, in("z2", "n4"))},
			want: step{Replicas: 4, Mark: names{"a", "c"}, Drain: names{"a", "c"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "of equals who is on the fullest node", have: 3, goal: 2,
			pods: []scaling.Pod{pod("a", 4, in("", "n1")), pod("b", 4, in("", "n2")), pod("c", 4, in("", "n2"))},
			want: step{Replicas: 3, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "of equals the newest", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 4, young)},
			want: step{Replicas: 2, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "who is ready and silent last", have: 3, goal: 2, pods: []scaling.Pod{pod("a", 0, silent), pod("b", 900), pod("c", 901)},
			want: step{Replicas: 3, Mark: names{"b"}, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "who has not started before all", have: 3, goal: 2, pods: []scaling.Pod{pod("a", 0), pod("b", 0, pending), pod("c", 5)},
			want: step{Replicas: 3, Mark: names{"b"}}, wantAfter: 50 * time.Second,
		},
		{
			name: "who has not started even when another drains", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 0, marked(left), notReady, draining), pod("b", 0, pending)},
			want: step{Replicas: 2, Undrain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "told again after a crash", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 9, marked(left))},
			want: step{Replicas: 2, Drain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "wait for not ready", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 9, marked(left), draining)},
			want: step{Replicas: 2}, wantAfter: left, wantStalled: true,
		},
		{
			name: "lower when not ready", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 9, marked(left), draining, notReady)},
			want: step{Replicas: 1}, wantAfter: left,
		},
		{
			name: "lower when overdue", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 9, marked(passed), silent)},
			want: step{Replicas: 1, Overdue: names{"b"}},
		},
		{
			name: "the same number again", have: 1, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 9, marked(left), draining, notReady)},
			want: step{Replicas: 1}, wantAfter: left, wantStalled: true,
		},
		{
			name: "not lower before the removed are gone", have: 3, goal: 1,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6), pod("d", 0, marked(left), draining, notReady)},
			want: step{Replicas: 3}, wantAfter: left, wantStalled: true,
		},
		{
			name: "the next when the last is gone", have: 3, goal: 1, pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6)},
			want: step{Replicas: 3, Mark: names{"a"}, Drain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "not the next while one lets its clients go", have: 2, goal: 1,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left), terminating, draining, notReady)},
			want: step{Replicas: 2}, wantAfter: left, wantStalled: true,
		},
		{
			name: "the next when the last should be gone", have: 2, goal: 1,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(passed), terminating, silent, notReady)},
			want: step{Replicas: 2, Mark: names{"a"}, Drain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "together", have: 4, goal: 2, maxStep: 2,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left), draining, notReady), pod("d", 6, marked(left), draining)},
			want: step{Replicas: 4}, wantAfter: left, wantStalled: true,
		},
		{
			name: "pods that were never made", have: 9, goal: 1, pods: []scaling.Pod{pod("a", 4)},
			want: step{Replicas: 1},
		},
		{
			name: "taken back", have: 3, goal: 3, pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left), draining, notReady)},
			want: step{Replicas: 3, Undrain: names{"c"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "taken back instead of a new one", have: 2, goal: 3, pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left), draining, notReady)},
			want: step{Replicas: 3, Undrain: names{"c"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "taken back before it was told", have: 3, goal: 3, pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left))},
			want: step{Replicas: 3, Unmark: names{"c"}}, wantAfter: left,
		},
		{
			name: "taken back unasked", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 4), pod("b", 5, silent, marked(-15*time.Second))},
			want: step{Replicas: 2, Unmark: names{"b"}},
		},
		{
			name: "perhaps it drains", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 4), pod("b", 5, silent, marked(-14*time.Second))},
			want: step{Replicas: 2, Undrain: names{"b"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "who went least far is taken back", have: 4, goal: 3, maxStep: 2,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 6, marked(left), draining, notReady), pod("d", 1, marked(left), draining)},
			want: step{Replicas: 4, Undrain: names{"d"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "a deadline that is none", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4, func(p *scaling.Pod) { p.Marked = true }), pod("b", 5)},
			want: step{Replicas: 2, Mark: names{"a"}, Drain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "a deadline in a year", have: 2, goal: 1, pods: []scaling.Pod{pod("a", 4, marked(365*24*time.Hour), draining, notReady), pod("b", 5)},
			want: step{Replicas: 2, Mark: names{"a"}}, wantAfter: 50 * time.Second,
		},
		{
			name: "a silent one with a mark that is none holds nothing up", have: 3, goal: 2,
			pods: []scaling.Pod{pod("a", 4), pod("b", 5), pod("c", 0, silent, marked(365*24*time.Hour))},
			want: step{Replicas: 3, Undrain: names{"c"}, Mark: names{"a"}, Drain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "a silent one with no time", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 4), pod("c", 0, silent, func(p *scaling.Pod) { p.Marked = true })},
			want: step{Replicas: 2, Unmark: names{"c"}},
		},
		{
			name: "a rollout's surge is not too many", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 4, outdated), pod("b", 5, outdated), pod("c", 0)},
			want: step{Replicas: 2}, wantStalled: true,
		},
		{
			name: "in a rollout who is replaced anyway", have: 3, goal: 2, pods: []scaling.Pod{pod("a", 40, outdated), pod("b", 50, outdated), pod("c", 0)},
			want: step{Replicas: 3, Mark: names{"a"}, Drain: names{"a"}}, wantAfter: 5 * time.Second,
		},
		{
			name: "a rollout does not wait for who drains", have: 2, goal: 2, pods: []scaling.Pod{pod("a", 4, outdated), pod("b", 5), pod("c", 0, marked(left), draining, notReady)},
			want: step{Replicas: 2, Undrain: names{"c"}}, wantAfter: 5 * time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			goal := scaling.Goal{Replicas: c.goal, MaxStep: c.maxStep, Timing: timing()}
			o := scaling.Observation{Now: start, Replicas: c.have, Pods: c.pods, Fresh: true}
			p := scaling.Scale(goal, o)
			if got := stepOf(p); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if p.After != c.wantAfter || p.Empty(c.have) != c.wantStalled {
				t.Errorf("after %v, empty %v; want %v, %v", p.After, p.Empty(c.have), c.wantAfter, c.wantStalled)
			}
			for _, m := range p.Mark {
				if want := start.Add(50 * time.Second); !m.Marked || !m.Deadline.Equal(want) {
					t.Errorf("deadline of %s is %v, want %v", m.Name, m.Deadline, want)
				}
			}
			o.Fresh = false
			if stale := scaling.Scale(goal, o); stale.Refresh == c.wantStalled {
				t.Errorf("of a cache: refresh is %v", stale.Refresh)
			}
		})
	}
}

func TestDrainingPods(t *testing.T) {
	p := scaling.Scale(scaling.Goal{Replicas: 1, MaxStep: 2, Timing: timing()}, scaling.Observation{Now: start, Replicas: 3, Fresh: true, Pods: []scaling.Pod{
		pod("a", 1, marked(time.Second), draining), pod("b", 2), pod("c", 3), pod("d", 0, marked(time.Second), terminating),
	}})
	if len(p.Draining) != 1 || p.Draining[0].Name != "a" {
		t.Errorf("draining %+v, want a, and nobody more while d lets its clients go", p.Draining)
	}
}

func TestMaxStep(t *testing.T) {
	for replicas, want := range map[int32]int32{0: 1, 1: 1, 4: 1, 8: 2, 1000: 250} {
		if got := scaling.MaxStep(replicas); got != want {
			t.Errorf("of %d: %d, want %d", replicas, got, want)
		}
	}
}
