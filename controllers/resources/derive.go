package resources

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	// minReady is how many seconds a new hub must be ready before an old one
	// goes: load balancers must have seen it, or clients that are sent away would
	// find one hub less than there are.
	minReady = 10
	// closeTime is what a hub needs after its drain window: two seconds for the
	// last closes, and leaving the bus.
	closeTime = 10 * time.Second
	// graceReserve is the grace period's seconds beyond the drain: those of
	// closeTime, and the kubelet's own.
	graceReserve = 15
	// startTime is how many seconds scheduling, pulling images and starting may
	// take in all before an update counts as stuck.
	startTime = 300
)

// drainTime is how long a hub takes to send its clients away.
func drainTime(d v1alpha1.Drain) time.Duration {
	var total time.Duration
	if d.Delay != nil {
		total += d.Delay.Duration
	}
	if d.Window != nil {
		total += d.Window.Duration
	}
	return total
}

// GracePeriod returns the hubs' terminationGracePeriodSeconds: the drain, rounded
// up, and 15 seconds.
func GracePeriod(c *v1alpha1.GoHubCluster) int64 {
	return int64(math.Ceil(drainTime(c.Spec.Drain).Seconds())) + graceReserve
}

// progressDeadline is how many seconds without progress make an update a failed
// one. The controller counts a pod's start as progress, but not that an old one
// still drains, so the time of all of them is allowed. The default, 600, would
// call every update with a long drain failed.
func progressDeadline(c *v1alpha1.GoHubCluster, replicas int32) int32 {
	seconds := int64(replicas)*(GracePeriod(c)+minReady) + startTime
	return int32(min(seconds, math.MaxInt32))
}

// memoryShare returns a share of a quantity in whole bytes, and 0 for none.
func memoryShare(q resource.Quantity, numerator, denominator int64) int64 {
	// Divided first: quantities may be as large as an int64.
	bytes := q.Value()
	return bytes/denominator*numerator + bytes%denominator*numerator/denominator
}

// maxPayload is the largest message in bytes that NATS takes. The largest of a
// client must fit with its envelope; NATS allows 64 MiB at most, and has 1 MiB by
// default.
func maxPayload(maxMessageSize int32) int64 {
	const envelope, least, most = 64 << 10, 1 << 20, 64 << 20
	if maxMessageSize < 0 {
		return most
	}
	return min(max(int64(maxMessageSize)+envelope, least), most)
}
