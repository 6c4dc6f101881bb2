package resources_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/controllers/resources"
)

// The rules of https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.
func TestPodsAreRestricted(t *testing.T) {
	for name, c := range samples(t) {
		o := build(t, c, facts(c))
		pods := map[string]*corev1ac.PodSpecApplyConfiguration{"hub": o.Hub.Deployment.Spec.Template.Spec}
		for kind, server := range map[string]resources.Server{"nats": o.NATS, "redis": o.Redis} {
			if server.StatefulSet != nil {
				pods[kind] = server.StatefulSet.Spec.Template.Spec
			}
		}
		for kind, pod := range pods {
			s := pod.SecurityContext
			if !*s.RunAsNonRoot || *s.RunAsUser == 0 || *s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s, %s: %+v", name, kind, s)
			}
			for _, container := range pod.Containers {
				s := container.SecurityContext
				if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
					t.Errorf("%s, %s: %+v", name, kind, s)
				}
			}
			for _, v := range pod.Volumes {
				if v.Secret == nil && v.EmptyDir == nil && v.Projected == nil {
					t.Errorf("%s, %s: volume %+v", name, kind, v)
				}
			}
			own := kind == "hub" && c.Spec.Pod.ServiceAccountName != ""
			if mounted := pod.AutomountServiceAccountToken == nil; mounted != own {
				t.Errorf("%s, %s: a token is mounted: %v", name, kind, mounted)
			}
			if *pod.EnableServiceLinks {
				t.Errorf("%s, %s: service links", name, kind)
			}
		}
	}
}
