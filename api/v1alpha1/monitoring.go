package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Monitoring has Prometheus read the hubs' metrics.
type Monitoring struct {
	// ServiceMonitor makes a ServiceMonitor for the Prometheus operator. Default
	// none. Where its CRD is missing the condition MonitoringReady says so, and
	// it is made as soon as the CRD is there. Let Prometheus in with
	// networkPolicy.adminFrom.
	// +optional
	ServiceMonitor *ServiceMonitor `json:"serviceMonitor,omitempty"`
}

// ServiceMonitor is the settings of the ServiceMonitor.
type ServiceMonitor struct {
	// Labels are added to the ServiceMonitor, so that a Prometheus selects it.
	// Default none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`

	// Interval is the time between two readings, such as "30s", at least 1s.
	// Default: that of Prometheus.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]{0,4}(s|m|h)$')",message="monitoring.serviceMonitor.interval must be a whole number of s, m or h, such as 30s; leave it out for that of Prometheus"
	Interval *metav1.Duration `json:"interval,omitempty"`
}
