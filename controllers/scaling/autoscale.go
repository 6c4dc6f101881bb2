package scaling

import (
	"time"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	// doublingTime is how long the number of hubs at most doubles.
	doublingTime = time.Minute
	// defaultDownWindow is that of the schema.
	defaultDownWindow = 5 * time.Minute
	// tolerancePercent is the difference from the target that changes nothing.
	tolerancePercent = 10
	// fullPercent of the connections that all hubs accept is full: beyond it
	// clients may be refused, so that their number says nothing any more.
	fullPercent = 95
)

// Autoscaling is how the number of hubs follows their connections.
type Autoscaling struct {
	Min, Max          int32         // hubs
	ConnectionsPerPod int32         // what each hub should hold
	MaxConnections    int32         // what each hub accepts; 0 or less: not known
	DownWindow        time.Duration // how long fewer must have been enough
}

// AutoscalingOf returns that of a resource, with the default window where it says
// nothing.
func AutoscalingOf(a v1alpha1.Autoscaling, l v1alpha1.Limits) Autoscaling {
	return Autoscaling{
		Min: a.Min, Max: a.Max, ConnectionsPerPod: a.ConnectionsPerPod, MaxConnections: l.MaxConnections,
		DownWindow: orDefault(a.ScaleDownWindow, defaultDownWindow),
	}
}

// History is what the next decision needs of those before. The zero value is
// that of an operator that has just started: losing it makes the down window
// begin anew and may allow one doubling within the minute of another.
type History struct {
	Raises   []Raise   // within the last minute, oldest first
	LowSince time.Time // since when fewer hubs are enough; zero: they are not
}

// Raise is a decision for more hubs.
type Raise struct {
	At   time.Time
	From int32 // the number until then
}

// Load is what a decision is about.
type Load struct {
	Now time.Time
	// Desired is the last decision (status.desiredReplicas); 0 where there is
	// none, and then Replicas counts.
	Desired int32
	// Replicas is the spec.replicas of the Deployment.
	Replicas int32
	// Pods are the hubs' pods, with a Reading for each that answered. The connections of terminating ones count, since
	// they move to others.
	Pods []Pod
}

// Verdict says in a word why the number is what it is.
type Verdict string

// The verdicts.
const (
	// Enough: the number fits, or differs by less than the tolerance.
	Enough Verdict = "Enough"
	// Grown: there are more connections.
	Grown Verdict = "Grown"
	// GrowthLimited: there are more connections, and the number has doubled
	// within this minute, in full or as far as it could.
	GrowthLimited Verdict = "GrowthLimited"
	// AtMax: there are more connections than the largest number should hold.
	AtMax Verdict = "AtMax"
	// Waiting: fewer would be enough, but not for long enough yet.
	Waiting Verdict = "Waiting"
	// Shrunk: fewer have been enough for the window.
	Shrunk Verdict = "Shrunk"
	// Starting: no hub runs yet.
	Starting Verdict = "Starting"
	// Unreadable: half of the hubs or more gave no answer, so nothing changes.
	Unreadable Verdict = "Unreadable"
)

// Decision is how many hubs there should be.
type Decision struct {
	Desired int32         // for status.desiredReplicas
	Verdict Verdict       // why
	History History       // for the next decision
	After   time.Duration // when the time alone may change it; 0 is never
}

// Decide returns how many hubs there should be: as many as hold
// ConnectionsPerPod each, at once when there are more, at most doubled within a
// minute; one fewer at a time after they were enough for the window. A difference
// of a tenth changes nothing, and neither does anything while half of the running
// hubs or more are silent. A changed Min or Max counts at once.
func (a Autoscaling) Decide(h History, l Load) Decision {
	desired := l.Desired
	if desired <= 0 {
		desired = l.Replicas
	}
	current := a.clamp(desired)
	count := countConnections(l.Pods)
	if count.silent >= count.answered { // none of either, too
		h.LowSince = time.Time{} // whether fewer are enough is not known
		verdict := Unreadable
		if count.silent == 0 {
			verdict = Starting
		}
		return Decision{Desired: current, Verdict: verdict, History: h}
	}
	// A silent hub counts as empty when there may be too few hubs, and as full
	// when there may be too many, so that it never makes the number change.
	if a.tooFew(count.total, current) {
		h.LowSince = time.Time{}
		return a.grow(h, l.Now, current, count.total)
	}
	if a.tooMany(count.total+int64(count.silent)*max(int64(a.ConnectionsPerPod), count.mean()), current) {
		return a.shrink(h, l, current)
	}
	h.LowSince = time.Time{}
	return Decision{Desired: current, Verdict: Enough, History: h}
}

func (a Autoscaling) clamp(n int32) int32 { return min(max(n, a.Min), max(a.Max, a.Min)) }

// target returns what n hubs should hold.
func (a Autoscaling) target(n int32) int64 { return int64(n) * int64(max(a.ConnectionsPerPod, 1)) }

// full tells whether n hubs accept hardly more than total.
func (a Autoscaling) full(total int64, n int32) bool {
	return a.MaxConnections > 0 && total*100 >= int64(n)*int64(a.MaxConnections)*fullPercent
}

func (a Autoscaling) tooFew(total int64, n int32) bool {
	return total*100 > a.target(n)*(100+tolerancePercent) || a.full(total, n)
}

// tooMany tells whether a hub less than n is enough, so that it does not come
// back at once.
func (a Autoscaling) tooMany(total int64, n int32) bool {
	return n > a.Min && total*100 < a.target(n)*(100-tolerancePercent) && total <= a.target(n-1) && !a.full(total, n-1)
}

// grow decides on more hubs for total connections.
func (a Autoscaling) grow(h History, now time.Time, current int32, total int64) Decision {
	perPod := int64(max(a.ConnectionsPerPod, 1))
	need := (total + perPod - 1) / perPod
	if a.full(total, current) {
		need = max(need, int64(current)+1)
	}
	want := a.clamp(int32(min(need, int64(a.Max))))
	if want <= current {
		return Decision{Desired: current, Verdict: AtMax, History: h}
	}
	least, since := current, now // of the last minute
	var raises []Raise
	for _, r := range h.Raises {
		if r.At.After(now) || now.Sub(r.At) >= doublingTime { // the first when the clock was set back
			continue
		}
		if len(raises) == 0 {
			since = r.At
		}
		raises = append(raises, r)
		least = min(least, r.From)
	}
	d := Decision{Desired: want, Verdict: Grown}
	if limit := max(2*int64(least), int64(current)); int64(want) > limit {
		d = Decision{Desired: int32(limit), Verdict: GrowthLimited, After: since.Add(doublingTime).Sub(now)}
	}
	if d.Desired > current {
		raises = append(raises, Raise{At: now, From: current})
	}
	d.History = History{Raises: raises}
	return d
}

// shrink decides on one hub less, when it is time.
func (a Autoscaling) shrink(h History, l Load, current int32) Decision {
	if h.LowSince.IsZero() || l.Now.Before(h.LowSince) {
		h.LowSince = l.Now
	}
	if left := h.LowSince.Add(a.DownWindow).Sub(l.Now); left > 0 {
		return Decision{Desired: current, Verdict: Waiting, History: h, After: left}
	}
	if l.Replicas > current { // the one before is still being drained
		return Decision{Desired: current, Verdict: Waiting, History: h}
	}
	h.LowSince = l.Now
	return Decision{Desired: current - 1, Verdict: Shrunk, History: h, After: a.DownWindow}
}
