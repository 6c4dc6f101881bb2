package resources

import (
	networkingv1 "k8s.io/api/networking/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
)

func (b *builder) ingress() *networkingv1ac.IngressApplyConfiguration {
	i := b.c.Spec.Ingress
	if i == nil {
		return nil
	}
	spec := networkingv1ac.IngressSpec()
	if i.ClassName != nil {
		spec.WithIngressClassName(*i.ClassName)
	}
	tls := networkingv1ac.IngressTLS().WithSecretName(i.TLSSecretName)
	for _, host := range i.Hosts {
		tls.WithHosts(string(host))
		spec.WithRules(networkingv1ac.IngressRule().WithHost(string(host)).WithHTTP(
			networkingv1ac.HTTPIngressRuleValue().WithPaths(networkingv1ac.HTTPIngressPath().
				WithPath(i.Path).
				WithPathType(networkingv1.PathTypePrefix).
				WithBackend(networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
					WithName(ServiceName(b.c)).
					WithPort(networkingv1ac.ServiceBackendPort().WithName(portNameClients)))))))
	}
	if i.TLSSecretName != "" {
		spec.WithTLS(tls)
	}
	object := networkingv1ac.Ingress(ServiceName(b.c), b.c.Namespace).WithSpec(spec)
	object.ObjectMetaApplyConfiguration = b.objectMeta(ServiceName(b.c), ComponentHub)
	return object.WithAnnotations(i.Annotations)
}
