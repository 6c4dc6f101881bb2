package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// hub builds the hubs, and what is in front of them.
func (b *builder) hub(h *hubSettings) Hub {
	file, err := configText(h.config)
	if err != nil {
		b.invalid(v1alpha1.ReasonHubConfigInvalid, err.Error())
	}
	return Hub{
		ServiceAccount: b.serviceAccount(),
		Config:         b.hubConfigMap(file),
		Secret:         b.hubSecret(h),
		NetworkPolicy:  b.hubNetworkPolicy(),
		Service:        b.clientService(),
		AdminService:   b.adminService(),
		MeshService:    b.meshService(),
		Budget:         b.budget(HubName(b.c), ComponentHub, b.f.Replicas),
		Deployment:     b.deployment(h, file),
		HTTPRoute:      b.httpRoute(),
		Ingress:        b.ingress(),
		ServiceMonitor: b.serviceMonitor(),
	}
}

// serviceAccount has no rights, and hubs get no token of it.
func (b *builder) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	if b.c.Spec.Pod.ServiceAccountName != "" {
		return nil
	}
	account := corev1ac.ServiceAccount(HubName(b.c), b.c.Namespace).WithAutomountServiceAccountToken(false)
	account.ObjectMetaApplyConfiguration = b.objectMeta(HubName(b.c), ComponentHub)
	return account
}

func (b *builder) hubConfigMap(file string) *corev1ac.ConfigMapApplyConfiguration {
	m := corev1ac.ConfigMap(HubName(b.c), b.c.Namespace).WithData(map[string]string{configFile: file})
	m.ObjectMetaApplyConfiguration = b.objectMeta(HubName(b.c), ComponentHub)
	return m
}

// hubSecret is a copy of all secrets the hubs read at their start: a pod that
// starts again finds what it had, whatever became of the Secrets of the user.
func (b *builder) hubSecret(h *hubSettings) *corev1ac.SecretApplyConfiguration {
	return b.opaque(HubName(b.c), ComponentHub, h.files)
}

func (b *builder) opaque(name, component string, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	s := corev1ac.Secret(name, b.c.Namespace).WithType(corev1.SecretTypeOpaque).WithData(data)
	s.ObjectMetaApplyConfiguration = b.objectMeta(name, component)
	return s
}
