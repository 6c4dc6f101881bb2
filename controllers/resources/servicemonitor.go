package resources

import (
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// ServiceMonitorGroup and ServiceMonitorKind name the ServiceMonitor of the
// Prometheus operator; its version is v1.
const (
	ServiceMonitorGroup = "monitoring.coreos.com"
	ServiceMonitorKind  = "ServiceMonitor"
)

// ServiceMonitorApplyConfiguration is the part of a ServiceMonitor that this
// package sets. The Prometheus operator's module of the API has no apply
// configurations.
type ServiceMonitorApplyConfiguration struct {
	metav1ac.TypeMetaApplyConfiguration    `json:",inline"`
	*metav1ac.ObjectMetaApplyConfiguration `json:"metadata,omitempty"`

	Spec *ServiceMonitorSpec `json:"spec,omitempty"`
}

// ServiceMonitorSpec says which Services' pods are read, and how.
type ServiceMonitorSpec struct {
	Selector  *metav1ac.LabelSelectorApplyConfiguration `json:"selector,omitempty"`
	Endpoints []ServiceMonitorEndpoint                  `json:"endpoints,omitempty"`
}

// ServiceMonitorEndpoint is one port of the Services.
type ServiceMonitorEndpoint struct {
	Port     string `json:"port,omitempty"`
	Path     string `json:"path,omitempty"`
	Interval string `json:"interval,omitempty"`
}

// IsApplyConfiguration marks it as one.
func (ServiceMonitorApplyConfiguration) IsApplyConfiguration() {}

// GetAPIVersion returns the API's group and version.
func (s *ServiceMonitorApplyConfiguration) GetAPIVersion() *string { return s.APIVersion }

// GetKind returns the kind.
func (s *ServiceMonitorApplyConfiguration) GetKind() *string { return s.Kind }

// GetName returns the object's name.
func (s *ServiceMonitorApplyConfiguration) GetName() *string { return s.Name }

// GetNamespace returns the object's namespace.
func (s *ServiceMonitorApplyConfiguration) GetNamespace() *string { return s.Namespace }

// serviceMonitor has Prometheus read every hub, draining ones included.
func (b *builder) serviceMonitor() *ServiceMonitorApplyConfiguration {
	m := b.c.Spec.Monitoring
	if m == nil || m.ServiceMonitor == nil || !b.f.ServiceMonitors {
		return nil
	}
	endpoint := ServiceMonitorEndpoint{Port: portNameAdmin, Path: "/metrics"}
	if interval := m.ServiceMonitor.Interval; interval != nil {
		endpoint.Interval = unitDuration(interval.Duration)
	}
	selected := Selector(b.c, ComponentHub)
	selected[LabelService] = serviceAdmin
	object := &ServiceMonitorApplyConfiguration{
		ObjectMetaApplyConfiguration: b.objectMeta(ServiceName(b.c), ComponentHub),
		Spec: &ServiceMonitorSpec{
			Selector:  metav1ac.LabelSelector().WithMatchLabels(selected),
			Endpoints: []ServiceMonitorEndpoint{endpoint},
		},
	}
	object.WithAPIVersion(ServiceMonitorGroup + "/v1").WithKind(ServiceMonitorKind)
	// The labels that select pods are never overwritten by those of the user.
	object.ObjectMetaApplyConfiguration.Labels = merged(m.ServiceMonitor.Labels, object.ObjectMetaApplyConfiguration.Labels)
	return object
}
