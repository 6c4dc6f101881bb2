package scaling

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// DrainDeadlineAnnotation is on a pod that is drained because fewer hubs are
	// wanted: the time in RFC 3339 at which it is stopped even if it is still
	// ready.
	DrainDeadlineAnnotation = "gohub.io/drain-deadline"
	// DeletionCostAnnotation makes a ReplicaSet remove the pod before others that
	// are as ready as it is. It is set with DrainDeadlineAnnotation, once.
	DeletionCostAnnotation = corev1.PodDeletionCost
	// DeletionCost is the value of DeletionCostAnnotation; 0 is that of pods
	// without one.
	DeletionCost = "-1000"
	// HubContainer is the name of the hub's container in its pod.
	HubContainer = "hub"
)

// Pod is what a plan knows of a hub's pod.
type Pod struct {
	Name            string
	ResourceVersion string // of the read; makes a patch fail that is based on an old one
	Node            string // empty: not scheduled
	Zone            string // empty: not known
	Created         time.Time
	Running         bool // the hub's container runs, so there may be clients
	Ready           bool // it gets clients
	Terminating     bool // it has been deleted and is on its way out
	Outdated        bool // a rollout is going to replace it
	// Marked tells that it carries the annotations of a drain. Deadline is that of
	// the drain, zero where the annotations are not as MarkPatch writes them.
	Marked   bool
	Deadline time.Time
	// Reading is what its hub said; nil where it gave no answer.
	Reading *Reading
}

// Reading is what a hub says of itself.
type Reading struct {
	Connections int  // clients connected
	Draining    bool // it sends its clients away, or has done so
}

// PodOf returns what plans need of p. revision is the value of the label
// pod-template-hash of the newest ReplicaSet, empty where it is not known:
// then no pod is outdated. reading is nil where the hub gave no answer. ok is
// false for a pod that has ended, which nobody counts.
func PodOf(p *corev1.Pod, revision string, reading *Reading) (pod Pod, ok bool) {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return Pod{}, false
	}
	hash := p.Labels["pod-template-hash"]
	deadline, marked := p.Annotations[DrainDeadlineAnnotation]
	pod = Pod{
		Name: p.Name, ResourceVersion: p.ResourceVersion, Node: p.Spec.NodeName, Created: p.CreationTimestamp.Time,
		// Kubernetes copies the zone from the node, so that reading nodes, which
		// a namespace's role cannot allow, is not needed.
		Zone:    p.Labels[corev1.LabelTopologyZone],
		Running: hubRuns(p), Ready: isReady(p), Terminating: p.DeletionTimestamp != nil,
		Outdated: revision != "" && hash != "" && hash != revision,
		Marked:   marked, Reading: reading,
	}
	if p.Annotations[DeletionCostAnnotation] == DeletionCost {
		pod.Deadline, _ = time.Parse(time.RFC3339, deadline) // zero where it is none
	}
	return pod, true
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func hubRuns(p *corev1.Pod) bool {
	if p.Status.Phase != corev1.PodRunning {
		return false
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == HubContainer {
			return c.State.Running != nil
		}
	}
	return true // not said yet
}

// connections returns the number of clients that a drain of p would move. A
// ready hub that gave no answer may have any number, so it comes last; one that
// is not ready either is taken to have none.
func (p Pod) connections() int {
	const unknown = int(^uint(0) >> 1)
	switch {
	case p.Reading != nil:
		return p.Reading.Connections
	case p.Ready && p.Running:
		return unknown
	default:
		return 0
	}
}

// draining tells whether its hub said that it drains.
func (p Pod) draining() bool { return p.Reading != nil && p.Reading.Draining }

// compareBools orders true before false.
func compareBools(a, b bool) int {
	rank := map[bool]int{true: 0, false: 1}
	return cmp.Compare(rank[a], rank[b])
}
