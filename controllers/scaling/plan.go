package scaling

import (
	"slices"
	"time"
)

// retryAfter is when a request to a hub that may fail is looked at again.
const retryAfter = 5 * time.Second

// Goal is what scaling leads to.
type Goal struct {
	// Replicas is the number of hubs wanted, from the spec or the autoscaling.
	Replicas int32
	// MaxStep is the number of hubs drained at a time, counted until they are
	// gone; less than 1 is 1. A goal of no hubs drains all at once, since their
	// clients have nowhere to go.
	MaxStep int32
	// Timing is that of the drains.
	Timing Timing
}

// MaxStep returns how many hubs of so many are drained at a time: a quarter, and
// at least 1, so that the others get no more than a third on top.
func MaxStep(replicas int32) int32 { return max(1, replicas/4) }

// Observation is what there is at one moment.
type Observation struct {
	// Now is the time of the observation.
	Now time.Time
	// Replicas is the spec.replicas of the Deployment; 0 where there is none.
	Replicas int32
	// Pods are the pods of all its ReplicaSets, terminating ones included.
	Pods []Pod
	// Fresh tells that Replicas and Pods were read from the API server itself,
	// not from a cache, the Deployment first.
	Fresh bool
}

// Plan is what has to be done now, in the order of its fields: raising comes
// before undraining, or a ReplicaSet could remove a hub that serves again, and
// marking before draining, or a drain could be forgotten. An operator that
// stops in the midst, or fails at a part, makes a new plan from what there is
// then. No plan marks pods while it lowers the number, or while others are being taken
// back.
type Plan struct {
	// Refresh asks for the plan of a fresh observation, since something has to be
	// done and a cache may be too old for it: what looks like more replicas could
	// in truth be fewer. Replicas is as observed then, and there is nothing to do.
	Refresh bool
	// Replicas is the number for the Deployment. More than it has: to be written
	// first. Fewer: last. It must be written on condition that the Deployment is
	// the one observed (resourceVersion), also where it is unchanged and something
	// else is written.
	Replicas int32
	// Undrain are pods that are wanted again: POST undrain, and where that
	// succeeded UnmarkPatch. A hub that answers that it stops is to be left alone.
	Undrain []Pod
	// Unmark are pods that are wanted and do not drain: UnmarkPatch.
	Unmark []Pod
	// Mark are pods to be marked (MarkPatch) with their Deadline.
	Mark []Pod
	// Drain are pods whose hub is to be told to drain (POST drain); those of Mark
	// only where the mark was written. A hub that gives no answer is told again
	// in a later plan, until its deadline.
	Drain []Pod

	// Draining are the pods that are marked and not yet deleted.
	Draining []Pod
	// Overdue are those of Draining that are ready after their deadline. They are
	// stopped as they are.
	Overdue []Pod
	// After is when to look again, even if nothing has changed; 0 is never.
	After time.Duration
}

// Empty tells that there is nothing to do for a Deployment of so many replicas.
func (p Plan) Empty(replicas int32) bool {
	return !p.Refresh && p.Replicas == replicas && len(p.Undrain)+len(p.Unmark)+len(p.Mark)+len(p.Drain) == 0
}

// Scale plans the next step from what there is to the goal.
//
// More hubs: the Deployment gets the number at once, and hubs that drain are
// taken back. Fewer: the emptiest are marked and drained, and the Deployment gets
// a lower number when every marked pod is not ready any more, which makes its
// ReplicaSet take exactly those, or has passed its deadline. The number is
// counted from the pods that stay and never below the goal, so it comes out the
// same however often it is asked for.
func Scale(goal Goal, o Observation) Plan {
	s := newScaler(goal, o)
	p := Plan{Replicas: max(o.Replicas, goal.Replicas)}
	if !s.release(&p) { // first those who stay, then those who go
		if p.Replicas = s.replicas(); p.Replicas >= o.Replicas {
			s.mark(&p)
		}
	}
	s.drain(&p)
	p.After = s.after(&p)
	if !o.Fresh && !p.Empty(o.Replicas) {
		return Plan{Refresh: true, Replicas: o.Replicas}
	}
	return p
}

// scaler is one plan in the making.
type scaler struct {
	goal    Goal
	o       Observation
	active  []Pod // not terminating
	rollout bool  // pods of two revisions are there, or soon will be
	leaving []Pod // of active, marked and to go
	chosen  []Pod // of active, to be marked
}

func newScaler(goal Goal, o Observation) *scaler {
	s := &scaler{goal: goal, o: o}
	for _, p := range o.Pods {
		if !p.Terminating {
			s.active = append(s.active, p)
			s.rollout = s.rollout || p.Outdated
		}
	}
	s.choose()
	return s
}

// valid tells whether p has a mark that counts. A deadline beyond the longest
// there is now is of another timing, or nobody's: it could hold up everything.
func (s *scaler) valid(p Pod) bool {
	return p.Marked && !p.Deadline.IsZero() && !p.Deadline.After(s.o.Now.Add(s.goal.Timing.GracePeriod()))
}

// overdue tells whether the deadline of p, which is valid, has passed.
func (s *scaler) overdue(p Pod) bool { return !s.o.Now.Before(p.Deadline) }

// finished tells whether a marked pod may be removed.
func (s *scaler) finished(p Pod) bool { return s.valid(p) && (!p.Ready || s.overdue(p)) }

// replicas returns the number for the Deployment.
func (s *scaler) replicas() int32 {
	if s.o.Replicas <= s.goal.Replicas {
		return s.goal.Replicas
	}
	stay := int32(len(s.active))
	for _, p := range s.leaving {
		if !s.finished(p) {
			return s.o.Replicas // one number for all that are drained together
		}
		stay--
	}
	return max(s.goal.Replicas, min(stay, s.o.Replicas))
}

// release takes back the pods that are marked and do not have to go. It tells
// whether some of them soon will be: one that gives no answer may stay as it is
// for ever, unless it is ready and its deadline comes, and holds nothing up.
func (s *scaler) release(p *Plan) (soon bool) {
	going := map[string]bool{}
	for _, v := range slices.Concat(s.leaving, s.chosen) {
		going[v.Name] = true
	}
	for _, pod := range s.active {
		switch {
		case !pod.Marked || going[pod.Name]:
		case s.undrained(pod):
			p.Unmark = append(p.Unmark, pod)
			soon = true
		default:
			p.Undrain = append(p.Undrain, pod)
			soon = soon || pod.Reading != nil || pod.Ready && s.valid(pod)
		}
	}
	return soon
}

// undrained tells whether the hub of a marked pod certainly does not drain.
func (s *scaler) undrained(p Pod) bool {
	if !p.Running {
		return true // the next start begins anew
	}
	if p.Reading != nil {
		return p.Ready && !p.Reading.Draining
	}
	// Nobody is told to drain after the deadline, and who drains is not ready
	// soon after.
	return p.Ready && s.o.Now.Sub(p.Deadline) >= stopSlack
}

// mark marks the victims that are not.
func (s *scaler) mark(p *Plan) {
	deadline := s.o.Now.Add(s.goal.Timing.GracePeriod()).Truncate(time.Second)
	for _, v := range s.chosen {
		v.Marked, v.Deadline = true, deadline
		p.Mark = append(p.Mark, v)
	}
}

// drain tells the victims that are marked, or are so by this plan, to drain.
func (s *scaler) drain(p *Plan) {
	for _, v := range s.leaving {
		p.Draining = append(p.Draining, v)
		switch {
		case !v.Running || v.draining():
		case !s.overdue(v):
			p.Drain = append(p.Drain, v)
		case v.Ready:
			p.Overdue = append(p.Overdue, v)
		}
	}
	for _, v := range p.Mark {
		p.Draining = append(p.Draining, v)
		if v.Running && !v.draining() {
			p.Drain = append(p.Drain, v)
		}
	}
}

// after returns when something is due that no event tells of.
func (s *scaler) after(p *Plan) time.Duration {
	var first time.Duration
	due := func(d time.Duration) {
		if d = max(d, time.Second); first == 0 || d < first {
			first = d
		}
	}
	if len(p.Drain)+len(p.Undrain) > 0 {
		due(retryAfter)
	}
	for _, pod := range s.o.Pods {
		if s.valid(pod) && !s.overdue(pod) {
			due(pod.Deadline.Sub(s.o.Now))
		}
	}
	for _, pod := range p.Mark {
		due(pod.Deadline.Sub(s.o.Now))
	}
	return first
}
