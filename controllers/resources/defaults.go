package resources

import (
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// The API server fills defaults into what is applied. Beside the fields that are
// owned that does no harm, but some lists and structures have one owner as a
// whole, atomic ones; what is read back from those would never equal what was
// applied. So the defaults of their fields are written here as well, where the
// user may have left them out.

// fillPod writes the defaults within atomic parts of a pod.
func fillPod(spec *corev1ac.PodSpecApplyConfiguration) {
	for i := range spec.Containers {
		fillEnv(spec.Containers[i].Env)
	}
	for i := range spec.InitContainers {
		fillEnv(spec.InitContainers[i].Env)
	}
	for _, volume := range spec.Volumes {
		if api := volume.DownwardAPI; api != nil {
			fillDownward(api.Items)
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if api := source.DownwardAPI; api != nil {
				fillDownward(api.Items)
			}
			if token := source.ServiceAccountToken; token != nil && token.ExpirationSeconds == nil {
				token.WithExpirationSeconds(3600)
			}
		}
	}
}

func fillEnv(env []corev1ac.EnvVarApplyConfiguration) {
	for _, e := range env {
		if e.ValueFrom == nil {
			continue
		}
		fillRefs(e.ValueFrom.FieldRef, e.ValueFrom.ResourceFieldRef)
		if file := e.ValueFrom.FileKeyRef; file != nil && file.Optional == nil {
			file.WithOptional(false)
		}
	}
}

func fillDownward(items []corev1ac.DownwardAPIVolumeFileApplyConfiguration) {
	for _, item := range items {
		fillRefs(item.FieldRef, item.ResourceFieldRef)
	}
}

func fillRefs(field *corev1ac.ObjectFieldSelectorApplyConfiguration, res *corev1ac.ResourceFieldSelectorApplyConfiguration) {
	if field != nil && field.APIVersion == nil {
		field.WithAPIVersion("v1")
	}
	if res != nil && res.Divisor == nil {
		res.WithDivisor(resource.Quantity{})
	}
}

// fillPorts writes the default protocol into the rules of the user, which are
// atomic.
func fillPorts(rules []*egress) {
	for _, rule := range rules {
		for i := range rule.Ports {
			if rule.Ports[i].Protocol == nil {
				rule.Ports[i].WithProtocol("TCP")
			}
		}
	}
}
