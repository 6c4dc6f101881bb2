package conditions

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// Bus is the state of what connects the hubs.
type Bus struct {
	Type v1alpha1.BusType
	// Servers is the state of a bus that the operator runs; nil for another.
	Servers *Servers
	// Reached and Away count the hubs that said they reach the bus, or do not.
	Reached, Away int
}

// Servers is the state of a StatefulSet.
type Servers struct {
	Wanted, Ready int32
	// Quorum is how many must be ready for the bus to work.
	Quorum int32
	// Trouble is what Kubernetes says of pods that do not start.
	Trouble string
}

// Text returns the bus in words.
func (b Bus) Text() string {
	switch {
	case b.Servers != nil:
		return fmt.Sprintf("%s %d/%d", b.Type, b.Servers.Ready, b.Servers.Wanted)
	case b.Type == v1alpha1.BusEmbedded:
		return string(b.Type)
	}
	return string(b.Type) + " external"
}

func (b Bus) ready() metav1.Condition {
	if b.Servers != nil {
		return b.Servers.ready()
	}
	const t = v1alpha1.ConditionBusReady
	switch {
	case b.Reached > 0 && b.Away > 0:
		return is(t, true, v1alpha1.ReasonBusReached, fmt.Sprintf("%d hubs reach the bus, %d do not", b.Reached, b.Away))
	case b.Reached > 0:
		return is(t, true, v1alpha1.ReasonBusReached, "")
	case b.Away > 0:
		return is(t, false, v1alpha1.ReasonBusUnreachable, fmt.Sprintf("none of %d hubs reaches the bus", b.Away))
	}
	c := is(t, false, v1alpha1.ReasonBusUnknown, "no hub answers")
	c.Status = metav1.ConditionUnknown
	return c
}

func (s Servers) ready() metav1.Condition {
	const t = v1alpha1.ConditionBusReady
	message := fmt.Sprintf("%d of %d servers are ready", s.Ready, s.Wanted)
	if s.Trouble != "" && s.Ready < s.Wanted {
		message += ": " + s.Trouble
	}
	switch {
	case s.Ready >= s.Wanted:
		return is(t, true, v1alpha1.ReasonBusRunning, message)
	case s.Ready >= s.Quorum:
		return is(t, true, v1alpha1.ReasonBusDegraded, message)
	}
	return is(t, false, v1alpha1.ReasonBusStarting, message)
}
