package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GoHubClusterStatus is what the operator saw last.
type GoHubClusterStatus struct {
	// ObservedGeneration is the metadata.generation this status is about. While
	// it is behind, the last change has not been looked at.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Replicas is the number of hub pods there are, draining ones included.
	// +optional
	Replicas int32 `json:"replicas"`

	// ReadyReplicas is the number of hubs that take clients.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// DrainingReplicas is the number of hubs that the operator drains because
	// they are no longer needed.
	// +optional
	DrainingReplicas int32 `json:"drainingReplicas"`

	// DesiredReplicas is the number of hubs wanted: spec.replicas, or the decision
	// of the autoscaling.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas"`

	// Selector selects the hub pods, as text, for the scale subresource.
	// +optional
	Selector string `json:"selector,omitempty"`

	// Connections is the number of connections of all hubs that answered. It is
	// written at most every 30 seconds, and when it changed by 5%. Left out while
	// no hub answers.
	// +optional
	Connections *int64 `json:"connections,omitempty"`

	// Capacity is the number of connections all hubs that answered accept. Left
	// out while no hub answers, or where there is no limit.
	// +optional
	Capacity *int64 `json:"capacity,omitempty"`

	// Bus is the bus in words, such as "nats 3/3", "nats external" or "embedded".
	// +optional
	Bus string `json:"bus,omitempty"`

	// Image is the hubs' image, with the default filled in.
	// +optional
	Image string `json:"image,omitempty"`

	// Conditions are Ready, BusReady, HubReady, Progressing, Draining,
	// MonitoringReady, ConfigValid and Paused.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
