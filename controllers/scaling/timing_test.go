package scaling_test

import (
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/scaling"
)

func TestTiming(t *testing.T) {
	d := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	for _, c := range []struct {
		name     string
		drain    v1alpha1.Drain
		grace    int64
		timeout  time.Duration
		progress int32 // of 3 replicas with minReadySeconds 10
	}{
		{"defaults", v1alpha1.Drain{}, 50, 40 * time.Second, 480},
		{"none", v1alpha1.Drain{Delay: d(0), Window: d(0)}, 15, 5 * time.Second, 375},
		{"rounded up", v1alpha1.Drain{Delay: d(250 * time.Millisecond), Window: d(time.Second)}, 17, 6250 * time.Millisecond, 381},
		{"longest", v1alpha1.Drain{Delay: d(10 * time.Minute), Window: d(6 * time.Hour)}, 22215, 22205 * time.Second, 66975},
		{"negative", v1alpha1.Drain{Delay: d(-time.Hour), Window: d(-1)}, 15, 5 * time.Second, 375},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := scaling.TimingOf(c.drain)
			if got := x.GracePeriodSeconds(); got != c.grace || x.GracePeriod() != time.Duration(c.grace)*time.Second {
				t.Errorf("grace period %d s, %v; want %d s", got, x.GracePeriod(), c.grace)
			}
			if got := x.Timeout(); got != c.timeout {
				t.Errorf("timeout %v, want %v", got, c.timeout)
			}
			if got := x.ProgressDeadlineSeconds(3, 10); got != c.progress {
				t.Errorf("progress deadline %d, want %d", got, c.progress)
			}
		})
	}
}

func TestTimingRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := scaling.Timing{
			Delay:  time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "delay")),
			Window: time.Duration(rapid.Int64Range(0, int64(6*time.Hour)).Draw(t, "window")),
		}
		if x.Timeout() < x.Delay+x.Window {
			t.Fatalf("the hub gives up after %v", x.Timeout())
		}
		if left := x.GracePeriod() - x.Timeout(); left < 10*time.Second {
			t.Fatalf("%v are left to close", left)
		}
		replicas, ready := rapid.Int32Range(0, math.MaxInt32).Draw(t, "replicas"), rapid.Int32Range(0, 3600).Draw(t, "minReadySeconds")
		if got := x.ProgressDeadlineSeconds(replicas, ready); got <= ready || int64(got) <= x.GracePeriodSeconds() {
			t.Fatalf("progress deadline %d", got)
		}
	})
}
