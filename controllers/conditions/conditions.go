// Package conditions says how a GoHubCluster is, from what was seen of it. All
// of it is a function of its input: no client, no clock.
package conditions

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// Observation is what conditions are made of.
type Observation struct {
	// Invalid says why the spec cannot be used; nil where it can.
	Invalid *Problem
	// Failure says which request to the API server failed; empty where none did.
	Failure string

	Hubs       Hubs
	Bus        Bus
	Drain      Drain
	Monitoring Monitoring

	// Expanding tells that volumes are being made larger.
	Expanding bool
	// Unreadable tells that too few hubs answer to decide on their number.
	Unreadable bool
}

// Problem is why a spec cannot be used.
type Problem struct {
	Reason  v1alpha1.ConditionReason
	Message string
}

// Hubs is the state of the hubs' Deployment and pods.
type Hubs struct {
	Desired int32 // how many are wanted in the end
	Wanted  int32 // spec.replicas of the Deployment: more while hubs drain
	Exists  bool  // there is a Deployment
	Current bool  // its status is about its newest spec
	Total   int32 // pods of any revision, terminating ones left out
	Updated int32 // pods of the newest revision
	Ready   int32 // pods that take clients, terminating ones left out

	// Stuck is what Kubernetes says of an update that does not get on.
	Stuck string
	// Trouble is what Kubernetes says of pods that do not start.
	Trouble string
}

// Drain is the hubs that are drained because fewer are wanted.
type Drain struct {
	Pods    []string // all of them
	Overdue []string // those that are ready after their deadline
}

// Monitoring is the state of the ServiceMonitor.
type Monitoring struct{ Wanted, Installed bool }

// Paused returns the one condition of a cluster that the operator leaves alone,
// and of one that it does not.
func Paused(paused bool) metav1.Condition {
	if paused {
		return is(v1alpha1.ConditionPaused, true, v1alpha1.ReasonPaused,
			"spec.paused is true: nothing is changed, and nothing here is up to date")
	}
	return is(v1alpha1.ConditionPaused, false, v1alpha1.ReasonRunning, "")
}

// Of returns all conditions of a cluster that is not paused, in the order of
// v1alpha1.ConditionTypes and without times.
func Of(o Observation) []metav1.Condition {
	bus, hub := o.Bus.ready(), o.Hubs.ready()
	return []metav1.Condition{
		o.ready(bus, hub), bus, hub, o.progressing(), o.Drain.condition(), o.Monitoring.condition(), o.valid(), Paused(false),
	}
}

func is(t v1alpha1.ConditionType, yes bool, reason v1alpha1.ConditionReason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if yes {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: string(t), Status: status, Reason: string(reason), Message: message}
}

func (o Observation) ready(bus, hub metav1.Condition) metav1.Condition {
	const t = v1alpha1.ConditionReady
	switch {
	case o.Invalid != nil:
		return is(t, false, v1alpha1.ReasonConfigInvalid, "see the condition ConfigValid: "+o.Invalid.Message)
	case o.Hubs.Desired == 0:
		return is(t, true, v1alpha1.ReasonStopped, "no hub is wanted")
	case hub.Status != metav1.ConditionTrue:
		return is(t, false, v1alpha1.ReasonHubsNotReady, hub.Message)
	case bus.Status == metav1.ConditionFalse:
		return is(t, false, v1alpha1.ReasonBusNotReady, bus.Message)
	}
	return is(t, true, v1alpha1.ReasonReady, hub.Message)
}

func (h Hubs) ready() metav1.Condition {
	const t = v1alpha1.ConditionHubReady
	message := fmt.Sprintf("%d of %d hubs are ready", h.Ready, h.Desired)
	switch {
	case h.Desired == 0:
		return is(t, true, v1alpha1.ReasonStopped, "no hub is wanted")
	case h.Ready >= h.Desired:
		return is(t, true, v1alpha1.ReasonHubsRunning, fmt.Sprintf("%d hubs are ready", h.Ready))
	case h.Trouble != "":
		return is(t, false, v1alpha1.ReasonHubsFailing, message+": "+h.Trouble)
	}
	return is(t, false, v1alpha1.ReasonHubsStarting, message)
}

func (o Observation) progressing() metav1.Condition {
	const t = v1alpha1.ConditionProgressing
	h := o.Hubs
	switch {
	case o.Failure != "":
		return is(t, true, v1alpha1.ReasonReconcileFailed, o.Failure)
	case h.Stuck != "":
		message := h.Stuck
		if h.Trouble != "" {
			message += ": " + h.Trouble
		}
		return is(t, false, v1alpha1.ReasonDeadlineExceeded, message)
	case o.Invalid != nil && !h.Exists:
		return is(t, false, v1alpha1.ReasonConfigInvalid, "nothing is made before ConfigValid is True")
	case !h.Exists:
		return is(t, true, v1alpha1.ReasonCreating, "the hubs are being made")
	case h.Wanted > h.Desired:
		return is(t, true, v1alpha1.ReasonScalingDown, fmt.Sprintf("from %d hubs to %d", h.Wanted, h.Desired))
	case !h.Current || h.Updated < h.Total:
		return is(t, true, v1alpha1.ReasonRollingOut, fmt.Sprintf("%d of %d hubs are updated", h.Updated, h.Wanted))
	case h.Total < h.Desired || h.Ready < h.Desired:
		return is(t, true, v1alpha1.ReasonScalingUp, fmt.Sprintf("%d of %d hubs are ready", h.Ready, h.Desired))
	case o.Expanding:
		return is(t, true, v1alpha1.ReasonExpandingStorage, "the volumes of the bus are being made larger")
	case o.Unreadable:
		return is(t, false, v1alpha1.ReasonStatsUnreadable,
			"half of the hubs or more do not answer, so their number stays as it is; see docs/runbooks.md")
	}
	return is(t, false, v1alpha1.ReasonUpToDate, "")
}

func (d Drain) condition() metav1.Condition {
	const t = v1alpha1.ConditionDraining
	switch {
	case len(d.Overdue) > 0:
		return is(t, true, v1alpha1.ReasonDrainOverdue, "stopped with clients left, after their deadline: "+names(d.Overdue))
	case len(d.Pods) > 0:
		return is(t, true, v1alpha1.ReasonScaleDown, "fewer hubs are wanted; drained are "+names(d.Pods))
	}
	return is(t, false, v1alpha1.ReasonNotDraining, "")
}

// names writes some of many, since messages are limited.
func names(all []string) string {
	const most = 10
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

func (m Monitoring) condition() metav1.Condition {
	const t = v1alpha1.ConditionMonitoringReady
	switch {
	case !m.Wanted:
		return is(t, false, v1alpha1.ReasonNotRequested, "spec.monitoring asks for no ServiceMonitor")
	case !m.Installed:
		return is(t, false, v1alpha1.ReasonCRDMissing,
			"the Prometheus operator's CRD servicemonitors.monitoring.coreos.com is missing: install it, or remove spec.monitoring.serviceMonitor")
	}
	return is(t, true, v1alpha1.ReasonMonitored, "")
}

func (o Observation) valid() metav1.Condition {
	if o.Invalid != nil {
		return is(v1alpha1.ConditionConfigValid, false, o.Invalid.Reason, o.Invalid.Message)
	}
	return is(v1alpha1.ConditionConfigValid, true, v1alpha1.ReasonValid, "")
}
