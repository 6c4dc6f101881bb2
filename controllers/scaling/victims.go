package scaling

import (
	"cmp"
	"slices"
)

// choose finds the pods that have to go: those that are marked already and, while
// the Deployment has more than are wanted, as many others as may be drained now.
func (s *scaler) choose() {
	need := max(len(s.active)-int(s.goal.Replicas), 0)
	silent, idle, marked, others := s.sort()
	going := slices.Concat(silent, idle, marked)
	if s.o.Replicas <= s.goal.Replicas {
		s.leaving = s.removals(going, need)
		return
	}
	going = going[:min(need, len(going))]
	going = append(going, s.emptiest(others, min(need-len(going), s.room()))...)
	for _, p := range going {
		if s.valid(p) {
			s.leaving = append(s.leaving, p)
		} else {
			s.chosen = append(s.chosen, p)
		}
	}
}

// sort puts the pods that may go in the order in which they do.
//
// While a rollout is under way no ready pod of the new revision is marked: the
// Deployment waits for each of them, and those it replaces go anyway.
func (s *scaler) sort() (silent, idle, marked, others []Pod) {
	for _, p := range s.active {
		switch {
		case !p.Running:
			idle = append(idle, p)
		case s.valid(p) && p.Reading == nil:
			silent = append(silent, p)
		case s.valid(p):
			marked = append(marked, p)
		case p.Outdated || !p.Ready || !s.rollout:
			others = append(others, p)
		}
	}
	// Who gives no answer cannot be taken back, so goes on going. A ReplicaSet
	// takes pods that have not started before all others, marked or not; they
	// have no clients.
	slices.SortFunc(idle, func(a, b Pod) int {
		return cmp.Or(compareBools(s.valid(a), s.valid(b)), b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	byProgress := func(a, b Pod) int {
		return cmp.Or(compareBools(s.finished(a), s.finished(b)), a.Deadline.Compare(b.Deadline), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(silent, byProgress)
	slices.SortFunc(marked, byProgress)
	return silent, idle, marked, others
}

// removals returns those of the marked pods that the ReplicaSets have still to
// remove, when the Deployment has its number. Of the new revision they are only
// what it has too many of: a rollout waits for all others to be ready.
func (s *scaler) removals(pods []Pod, need int) []Pod {
	current := -int(s.goal.Replicas)
	for _, p := range s.active {
		if !p.Outdated {
			current++
		}
	}
	var going []Pod
	for _, p := range pods {
		if !s.valid(p) || len(going) == need || !p.Outdated && current <= 0 {
			continue
		}
		if !p.Outdated {
			current--
		}
		going = append(going, p)
	}
	return going
}

// room returns how many more pods may be drained now. Those that are drained
// count until they are gone, for their clients are on the way for as long; but
// not beyond their deadline, so that a lost node holds nothing up.
func (s *scaler) room() int {
	if s.goal.Replicas == 0 {
		return len(s.active)
	}
	room := int(max(s.goal.MaxStep, 1))
	for _, p := range s.o.Pods {
		if p.Running && s.valid(p) && !s.overdue(p) {
			room--
		}
	}
	return max(room, 0)
}

// emptiest returns the n pods that are to go first: those with the fewest
// clients; of equals those not ready, then those of the fullest zone and node, as
// a ReplicaSet has it, then the newest.
func (s *scaler) emptiest(pods []Pod, n int) []Pod {
	zones, nodes := map[string]int{}, map[string]int{}
	for _, p := range s.active {
		zones[p.Zone]++
		nodes[p.Node]++
	}
	var taken []Pod
	for len(taken) < n && len(pods) > 0 {
		first := slices.MinFunc(pods, func(a, b Pod) int {
			return cmp.Or(
				cmp.Compare(a.connections(), b.connections()),
				compareBools(!a.Ready, !b.Ready),
				cmp.Compare(zones[b.Zone], zones[a.Zone]),
				cmp.Compare(nodes[b.Node], nodes[a.Node]),
				b.Created.Compare(a.Created),
				cmp.Compare(a.Name, b.Name),
			)
		})
		taken = append(taken, first)
		pods = slices.DeleteFunc(pods, func(p Pod) bool { return p.Name == first.Name })
		zones[first.Zone]--
		nodes[first.Node]--
	}
	return taken
}
