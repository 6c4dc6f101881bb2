package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Autoscaling lets the number of hubs follow their connections: as many as hold
// connectionsPerPod each, at most doubled a minute; fewer one by one, drained.
// The operator reads the hubs themselves, and changes nothing while half of them
// do not answer.
//
// +kubebuilder:validation:XValidation:rule="self.min <= self.max",message="autoscaling.min is over autoscaling.max: lower min, or raise max"
type Autoscaling struct {
	// Min is the least number of hubs, 1 to 1000. Default 2.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Min int32 `json:"min,omitempty"`

	// Max is the largest number of hubs, 1 to 1000.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Max int32 `json:"max"`

	// ConnectionsPerPod is the number of connections each hub should hold on
	// average; a difference of a tenth changes nothing. Leave room for the
	// clients of a hub that fails: below limits.maxConnections.
	// +kubebuilder:validation:Minimum=1
	ConnectionsPerPod int32 `json:"connectionsPerPod"`

	// ScaleDownWindow is how long fewer hubs must have been enough before one is
	// drained, such as "5m", and the pause before the next. Default 5m, at most
	// 24h. "0s" waits not at all.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(\\\\.[0-9]{1,3})?(ms|s|m|h))+$') && duration(self) <= duration('24h')",message="autoscaling.scaleDownWindow must be a duration with a unit, such as 5m or 1h, of at most 24h"
	ScaleDownWindow *metav1.Duration `json:"scaleDownWindow,omitempty"`
}
