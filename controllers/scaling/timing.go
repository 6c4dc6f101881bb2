package scaling

import (
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	// defaultDelay and defaultWindow are those of the schema, for a resource that
	// was not defaulted by the API server.
	defaultDelay  = 5 * time.Second
	defaultWindow = 30 * time.Second
	// stopSlack is what a pod has on top of its drain to close what is left, to
	// leave the bus and to end.
	stopSlack = 15 * time.Second
	// timeoutSlack is the part of stopSlack after which the hub itself stops
	// waiting. The rest is for closing.
	timeoutSlack = 5 * time.Second
	// startSlack is the longest that a pod may take to be scheduled, to pull its
	// image and to become ready, before an update counts as stuck.
	startSlack = 300 * time.Second
)

// Timing is how a hub lets its clients go, and all times that follow from it.
type Timing struct {
	Delay  time.Duration // not ready, but connections are still taken
	Window time.Duration // over which the clients are sent away
}

// TimingOf returns the timing of d, with the defaults where d says nothing.
func TimingOf(d v1alpha1.Drain) Timing {
	return Timing{Delay: orDefault(d.Delay, defaultDelay), Window: orDefault(d.Window, defaultWindow)}
}

func orDefault(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return max(d.Duration, 0)
}

// Timeout is the hub's own bound of a drain (drain.timeout of its
// configuration): a little more than delay and window together.
func (t Timing) Timeout() time.Duration { return t.Delay + t.Window + timeoutSlack }

// GracePeriod is how long a pod may take to stop, in whole seconds: for
// terminationGracePeriodSeconds, and from a pod's mark to its deadline.
func (t Timing) GracePeriod() time.Duration {
	return time.Duration(t.GracePeriodSeconds()) * time.Second
}

// GracePeriodSeconds is GracePeriod in seconds, rounded up.
func (t Timing) GracePeriodSeconds() int64 {
	return int64((t.Delay + t.Window + stopSlack + time.Second - 1) / time.Second)
}

// ProgressDeadlineSeconds is how long a Deployment of so many replicas may go on
// without progress: its pods replaced one after the other, each of them stopped
// over the grace period and started. It is more than minReadySeconds, as the API
// server wants it.
func (t Timing) ProgressDeadlineSeconds(replicas, minReadySeconds int32) int32 {
	each := t.GracePeriodSeconds() + int64(max(minReadySeconds, 0))
	total := int64(max(replicas, 1))*each + int64(startSlack/time.Second)
	return int32(min(total, math.MaxInt32))
}
