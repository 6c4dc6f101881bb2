package v1alpha1

// ConditionType is the type of a condition of a GoHubCluster.
type ConditionType string

// The conditions of a GoHubCluster.
const (
	// ConditionReady is True while clients are served as wanted: the bus works
	// and every hub wanted is ready. Hubs that drain because they are no longer
	// needed leave it True.
	ConditionReady ConditionType = "Ready"
	// ConditionBusReady is True while the bus can be used by the hubs.
	ConditionBusReady ConditionType = "BusReady"
	// ConditionHubReady is True while every hub wanted is ready.
	ConditionHubReady ConditionType = "HubReady"
	// ConditionProgressing is True while pods are being started, updated or
	// stopped, and False when they are as wanted or no longer get there.
	ConditionProgressing ConditionType = "Progressing"
	// ConditionDraining is True while hubs are drained before they are stopped.
	ConditionDraining ConditionType = "Draining"
	// ConditionMonitoringReady is True while the ServiceMonitor asked for is
	// there.
	ConditionMonitoringReady ConditionType = "MonitoringReady"
	// ConditionConfigValid is False while the spec, or what it refers to, cannot
	// be used; the hubs then keep what they have.
	ConditionConfigValid ConditionType = "ConfigValid"
	// ConditionPaused is True while spec.paused keeps the operator away.
	ConditionPaused ConditionType = "Paused"
)

// ConditionTypes returns all of them, in the order they are written.
func ConditionTypes() []ConditionType {
	return []ConditionType{
		ConditionReady, ConditionBusReady, ConditionHubReady, ConditionProgressing,
		ConditionDraining, ConditionMonitoringReady, ConditionConfigValid, ConditionPaused,
	}
}

// ConditionReason says in one word why a condition is as it is.
type ConditionReason string

// The reasons of Ready.
const (
	// ReasonReady: the bus works and every hub wanted is ready.
	ReasonReady ConditionReason = "Ready"
	// ReasonHubsNotReady: some hub wanted is not ready.
	ReasonHubsNotReady ConditionReason = "HubsNotReady"
	// ReasonBusNotReady: the bus cannot be used.
	ReasonBusNotReady ConditionReason = "BusNotReady"
	// ReasonStopped: no hub is wanted (replicas: 0).
	ReasonStopped ConditionReason = "Stopped"
	// ReasonConfigInvalid: the spec cannot be used, see ConfigValid.
	ReasonConfigInvalid ConditionReason = "ConfigInvalid"
)

// The reasons of BusReady.
const (
	// ReasonBusRunning: every server of the managed bus is ready.
	ReasonBusRunning ConditionReason = "BusRunning"
	// ReasonBusDegraded: the managed bus works with fewer servers than wanted.
	ReasonBusDegraded ConditionReason = "BusDegraded"
	// ReasonBusStarting: too few servers of the managed bus are ready yet.
	ReasonBusStarting ConditionReason = "BusStarting"
	// ReasonBusReached: the hubs that answer reach the bus.
	ReasonBusReached ConditionReason = "BusReached"
	// ReasonBusUnreachable: no hub that answers reaches the bus.
	ReasonBusUnreachable ConditionReason = "BusUnreachable"
	// ReasonBusUnknown: no hub answers, so nothing is known of the bus.
	ReasonBusUnknown ConditionReason = "BusUnknown"
)

// The reasons of HubReady; Stopped is one as well.
const (
	// ReasonHubsRunning: every hub wanted is ready.
	ReasonHubsRunning ConditionReason = "HubsRunning"
	// ReasonHubsStarting: hubs are started and not ready yet.
	ReasonHubsStarting ConditionReason = "HubsStarting"
	// ReasonHubsFailing: hubs do not start; the message says what Kubernetes says.
	ReasonHubsFailing ConditionReason = "HubsFailing"
)

// The reasons of Progressing.
const (
	// ReasonUpToDate: everything is as wanted.
	ReasonUpToDate ConditionReason = "UpToDate"
	// ReasonCreating: the cluster is being made.
	ReasonCreating ConditionReason = "Creating"
	// ReasonRollingOut: pods are being replaced by new ones.
	ReasonRollingOut ConditionReason = "RollingOut"
	// ReasonScalingUp: hubs are being added.
	ReasonScalingUp ConditionReason = "ScalingUp"
	// ReasonScalingDown: hubs are being removed.
	ReasonScalingDown ConditionReason = "ScalingDown"
	// ReasonExpandingStorage: volumes are being made larger.
	ReasonExpandingStorage ConditionReason = "ExpandingStorage"
	// ReasonDeadlineExceeded: an update does not get on.
	ReasonDeadlineExceeded ConditionReason = "DeadlineExceeded"
	// ReasonReconcileFailed: a request to the API server failed; it is repeated.
	ReasonReconcileFailed ConditionReason = "ReconcileFailed"
	// ReasonStatsUnreadable: too few hubs answer to decide on their number.
	ReasonStatsUnreadable ConditionReason = "StatsUnreadable"
)

// The reasons of Draining.
const (
	// ReasonNotDraining: no hub is being drained.
	ReasonNotDraining ConditionReason = "NotDraining"
	// ReasonScaleDown: hubs are drained because fewer are wanted.
	ReasonScaleDown ConditionReason = "ScaleDown"
	// ReasonDrainOverdue: a hub did not get empty by its deadline and is stopped.
	ReasonDrainOverdue ConditionReason = "DrainOverdue"
)

// The reasons of MonitoringReady.
const (
	// ReasonMonitored: the ServiceMonitor is there.
	ReasonMonitored ConditionReason = "Monitored"
	// ReasonNotRequested: the spec asks for no monitoring.
	ReasonNotRequested ConditionReason = "NotRequested"
)

// ReasonCRDMissing, of MonitoringReady and of ConfigValid: the resource asked for
// has no CRD in this Kubernetes cluster (ServiceMonitor, HTTPRoute).
const ReasonCRDMissing ConditionReason = "CRDMissing"

// The reasons of ConfigValid.
const (
	// ReasonValid: the spec and what it refers to can be used.
	ReasonValid ConditionReason = "Valid"
	// ReasonSecretMissing: a Secret that the spec names does not exist.
	ReasonSecretMissing ConditionReason = "SecretMissing"
	// ReasonSecretInvalid: a Secret lacks a key, or its data cannot be used.
	ReasonSecretInvalid ConditionReason = "SecretInvalid"
	// ReasonHistoryNeedsStorage: a room has a history and the bus keeps none.
	ReasonHistoryNeedsStorage ConditionReason = "HistoryNeedsStorage"
	// ReasonHubConfigInvalid: the hub would refuse its configuration.
	ReasonHubConfigInvalid ConditionReason = "HubConfigInvalid"
	// ReasonConfigKeyReserved: spec.config holds a key that has a field.
	ReasonConfigKeyReserved ConditionReason = "ConfigKeyReserved"
	// ReasonPodTemplateInvalid: spec.podTemplate cannot be applied.
	ReasonPodTemplateInvalid ConditionReason = "PodTemplateInvalid"
	// ReasonRefused: the API server refused an object; the message says why.
	ReasonRefused ConditionReason = "Refused"
)

// The reasons of Paused.
const (
	// ReasonPaused: spec.paused is true.
	ReasonPaused ConditionReason = "Paused"
	// ReasonRunning: spec.paused is false.
	ReasonRunning ConditionReason = "Running"
)
