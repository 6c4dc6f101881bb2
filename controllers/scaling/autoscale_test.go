package scaling_test

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/scaling"
)

// hubs returns n pods that hold total connections, spread evenly.
func hubs(n, total int) []scaling.Pod {
	var pods []scaling.Pod
	for i := range n {
		pods = append(pods, pod(string(rune('a'+i%26)), (total+i)/n))
	}
	return pods
}

// raised returns the history of a raise from 2 some time ago.
func raised(ago time.Duration) scaling.History {
	return scaling.History{Raises: []scaling.Raise{{At: start.Add(-ago), From: 2}}}
}

func TestDecide(t *testing.T) {
	auto := scaling.Autoscaling{Min: 2, Max: 20, ConnectionsPerPod: 100, DownWindow: 5 * time.Minute}
	tight := auto
	tight.MaxConnections = 100
	still, static := auto, auto
	still.DownWindow = 0
	static.Min, static.Max = 4, 4
	low := scaling.History{LowSince: start.Add(-5 * time.Minute)}
	for _, c := range []struct {
		name    string
		auto    scaling.Autoscaling
		history scaling.History
		load    scaling.Load
		want    int32
		verdict scaling.Verdict
		after   time.Duration
	}{
		{"fits", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 400)}, 4, scaling.Enough, 0},
		{"a tenth more", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 440)}, 4, scaling.Enough, 0},
		{"over a tenth more", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 441)}, 5, scaling.Grown, 0},
		{"rounded up", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 501)}, 6, scaling.Grown, 0},
		{"doubled", auto, scaling.History{}, scaling.Load{Desired: 2, Pods: hubs(2, 900)}, 4, scaling.GrowthLimited, time.Minute},
		{"not doubled twice", auto, raised(20 * time.Second), scaling.Load{Desired: 4, Pods: hubs(4, 900)}, 4, scaling.GrowthLimited, 40 * time.Second},
		{"doubled in the next minute", auto, raised(time.Minute), scaling.Load{Desired: 4, Pods: hubs(4, 900)}, 8, scaling.GrowthLimited, time.Minute},
		{"a clock set back", auto, raised(-time.Hour), scaling.Load{Desired: 4, Pods: hubs(4, 900)}, 8, scaling.GrowthLimited, time.Minute},
		{"at most max", auto, scaling.History{}, scaling.Load{Desired: 15, Pods: hubs(15, 9000)}, 20, scaling.Grown, 0},
		{"at max", auto, scaling.History{}, scaling.Load{Desired: 20, Pods: hubs(20, 9000)}, 20, scaling.AtMax, 0},
		{"full hubs", tight, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 380)}, 5, scaling.Grown, 0},
		{"nearly full hubs", tight, scaling.History{}, scaling.Load{Desired: 4, Pods: hubs(4, 379)}, 4, scaling.Enough, 0},
		{"not down to full hubs", tight, low, scaling.Load{Desired: 10, Replicas: 10, Pods: hubs(10, 890)}, 10, scaling.Enough, 0},
		{"a tenth fewer", auto, low, scaling.Load{Desired: 10, Replicas: 10, Pods: hubs(10, 900)}, 10, scaling.Enough, 0},
		{"the window begins", auto, scaling.History{}, scaling.Load{Desired: 10, Replicas: 10, Pods: hubs(10, 300)}, 10, scaling.Waiting, 5 * time.Minute},
		{"the window goes on", auto, scaling.History{LowSince: start.Add(-4 * time.Minute)}, scaling.Load{Desired: 10, Replicas: 10, Pods: hubs(10, 300)}, 10, scaling.Waiting, time.Minute},
		{"one fewer", auto, low, scaling.Load{Desired: 10, Replicas: 10, Pods: hubs(10, 300)}, 9, scaling.Shrunk, 5 * time.Minute},
		{"not while one drains", auto, low, scaling.Load{Desired: 9, Replicas: 10, Pods: hubs(10, 300)}, 9, scaling.Waiting, 0},
		{"without a window", still, scaling.History{}, scaling.Load{Desired: 3, Replicas: 3, Pods: hubs(3, 0)}, 2, scaling.Shrunk, 0},
		{"at min", still, scaling.History{}, scaling.Load{Desired: 2, Replicas: 2, Pods: hubs(2, 0)}, 2, scaling.Enough, 0},
		{"min and max at once", static, scaling.History{}, scaling.Load{Desired: 2, Pods: hubs(2, 0)}, 4, scaling.Enough, 0},
		{"max lowered", static, scaling.History{}, scaling.Load{Desired: 9, Pods: hubs(9, 900)}, 4, scaling.AtMax, 0},
		{"the first decision", auto, scaling.History{}, scaling.Load{Replicas: 6, Pods: hubs(6, 600)}, 6, scaling.Enough, 0},
		{"no hub runs", auto, low, scaling.Load{Desired: 3, Pods: []scaling.Pod{pod("a", 0, pending)}}, 3, scaling.Starting, 0},
		{"no pod", auto, low, scaling.Load{}, 2, scaling.Starting, 0},
		{"half silent", still, low, scaling.Load{Desired: 4, Replicas: 4, Pods: append(hubs(2, 9000), pod("c", 0, silent), pod("d", 0, silent, notReady))}, 4, scaling.Unreadable, 0},
		{"half silent, one leaving answers", still, low, scaling.Load{Desired: 4, Replicas: 4, Pods: append(hubs(2, 0), pod("c", 0, silent), pod("d", 0, silent), pod("e", 0, terminating))}, 4, scaling.Unreadable, 0},
		{"who has not started is not silent", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: append(hubs(2, 600), pod("c", 0, pending), pod("d", 0, pending))}, 6, scaling.Grown, 0},
		{"a silent one counts as empty", auto, scaling.History{}, scaling.Load{Desired: 4, Pods: append(hubs(3, 440), pod("d", 0, silent))}, 4, scaling.Enough, 0},
		{"a silent one counts as full", auto, low, scaling.Load{Desired: 4, Replicas: 4, Pods: append(hubs(3, 260), pod("d", 0, silent))}, 4, scaling.Enough, 0},
		{"leaving ones count", auto, scaling.History{}, scaling.Load{Desired: 2, Pods: append(hubs(2, 200), pod("c", 100, terminating))}, 3, scaling.Grown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.load.Now = start
			d := c.auto.Decide(c.history, c.load)
			if d.Desired != c.want || d.Verdict != c.verdict || d.After != c.after {
				t.Errorf("%d %s, after %v; want %d %s, after %v", d.Desired, d.Verdict, d.After, c.want, c.verdict, c.after)
			}
		})
	}
}

// TestWindowBeginsAnew checks that fewer hubs must be enough all the time.
func TestWindowBeginsAnew(t *testing.T) {
	auto := scaling.Autoscaling{Min: 1, Max: 20, ConnectionsPerPod: 100, DownWindow: 5 * time.Minute}
	var h scaling.History
	for _, c := range []struct {
		at    time.Duration
		total int
		want  int32
	}{
		{0, 200, 4}, {4 * time.Minute, 200, 4}, {4*time.Minute + 30*time.Second, 400, 4}, {5 * time.Minute, 200, 4},
		{9 * time.Minute, 200, 4}, {10 * time.Minute, 200, 3}, {12 * time.Minute, 200, 3}, {15 * time.Minute, 200, 2},
	} {
		n := c.want
		if c.at == 10*time.Minute || c.at == 15*time.Minute {
			n++
		}
		d := auto.Decide(h, scaling.Load{Now: start.Add(c.at), Desired: n, Replicas: n, Pods: hubs(int(n), c.total)})
		if h = d.History; d.Desired != c.want {
			t.Fatalf("after %v: %d, want %d", c.at, d.Desired, c.want)
		}
	}
}

// TestDecideRules checks what must hold of any row of decisions.
func TestDecideRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		auto := scaling.Autoscaling{ConnectionsPerPod: int32(rapid.IntRange(1, 200).Draw(t, "target")), DownWindow: time.Duration(rapid.IntRange(0, 300).Draw(t, "window")) * time.Second}
		auto.Min = int32(rapid.IntRange(1, 5).Draw(t, "min"))
		auto.Max = auto.Min + int32(rapid.IntRange(0, 40).Draw(t, "more"))
		if rapid.Bool().Draw(t, "limited") {
			auto.MaxConnections = auto.ConnectionsPerPod + int32(rapid.IntRange(0, 20).Draw(t, "room"))
		}
		var h scaling.History
		now, desired := start, auto.Min
		type at struct {
			time time.Time
			n    int32
		}
		past := []at{{now, desired}}
		lastDown := time.Time{}
		for range rapid.IntRange(1, 40).Draw(t, "decisions") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			n := int(desired)
			pods := hubs(n, rapid.IntRange(0, 2*n*int(auto.ConnectionsPerPod)).Draw(t, "connections"))
			quiet := rapid.IntRange(0, n).Draw(t, "silent")
			for i := range quiet {
				pods[i].Reading = nil
			}
			load := scaling.Load{Now: now, Desired: desired, Replicas: desired, Pods: pods}
			d := auto.Decide(h, load)
			if !reflect.DeepEqual(d, auto.Decide(h, load)) {
				t.Fatal("not a function of its inputs")
			}
			switch {
			case d.Desired < auto.Min || d.Desired > auto.Max:
				t.Fatalf("%d is not within %d and %d", d.Desired, auto.Min, auto.Max)
			case 2*quiet >= n && d.Desired != desired:
				t.Fatalf("%d of %d silent, and %d becomes %d", quiet, n, desired, d.Desired)
			case d.Desired < desired-1:
				t.Fatalf("%d becomes %d at once", desired, d.Desired)
			case d.Desired < desired && now.Sub(lastDown) < auto.DownWindow:
				t.Fatalf("down again after %v", now.Sub(lastDown))
			}
			for i, p := range past { // p.n was the number until past[i+1]
				if i+1 < len(past) && now.Sub(past[i+1].time) < time.Minute && d.Desired > 2*p.n {
					t.Fatalf("%d becomes %d within a minute", p.n, d.Desired)
				}
			}
			if d.Desired < desired {
				lastDown = now
				// What was enough to go down must not make it go up again.
				for i := range pods {
					if pods[i].Reading == nil {
						pods[i].Reading = &scaling.Reading{Connections: int(auto.ConnectionsPerPod)}
					}
				}
				again := auto.Decide(d.History, scaling.Load{Now: now, Desired: d.Desired, Replicas: d.Desired, Pods: pods})
				if again.Desired > d.Desired {
					t.Fatalf("%d, %d, %d without a change", desired, d.Desired, again.Desired)
				}
			}
			h, desired = d.History, d.Desired
			past = append(past, at{now, desired})
		}
	})
}

func TestAutoscalingOf(t *testing.T) {
	a := v1alpha1.Autoscaling{Min: 2, Max: 9, ConnectionsPerPod: 500}
	want := scaling.Autoscaling{Min: 2, Max: 9, ConnectionsPerPod: 500, MaxConnections: 700, DownWindow: 5 * time.Minute}
	if got := scaling.AutoscalingOf(a, v1alpha1.Limits{MaxConnections: 700}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	a.ScaleDownWindow = &metav1.Duration{}
	want.DownWindow = 0
	if got := scaling.AutoscalingOf(a, v1alpha1.Limits{MaxConnections: 700}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConnections(t *testing.T) {
	if n, ok := scaling.Connections([]scaling.Pod{pod("a", 3), pod("b", 0, silent), pod("c", 4, terminating)}); n != 7 || !ok {
		t.Errorf("got %d %v, want 7", n, ok)
	}
	if n, ok := scaling.Connections([]scaling.Pod{pod("b", 0, silent)}); n != 0 || ok {
		t.Errorf("got %d %v, want none", n, ok)
	}
}
