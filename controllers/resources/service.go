package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// The values of LabelService.
const (
	serviceClients = "clients"
	serviceAdmin   = "admin"
	serviceMesh    = "mesh"
)

// clientService is the way in for clients and gateways.
func (b *builder) clientService() *corev1ac.ServiceApplyConfiguration {
	s := b.c.Spec.Service
	// The names of KEP-3726, by which gateways know a websocket backend.
	protocol := "kubernetes.io/ws"
	if b.c.Spec.TLS != nil {
		protocol = "kubernetes.io/wss"
	}
	port := servicePort(portNameClients, s.Port, portNameClients).WithAppProtocol(protocol)
	if s.NodePort != 0 {
		port.WithNodePort(s.NodePort)
	}
	service := b.service(ServiceName(b.c), ComponentHub).
		WithLabels(map[string]string{LabelService: serviceClients}).
		WithAnnotations(s.Annotations)
	service.Spec.WithType(s.Type).WithPorts(port)
	if s.ExternalTrafficPolicy != "" {
		service.Spec.WithExternalTrafficPolicy(s.ExternalTrafficPolicy)
	}
	if s.LoadBalancerClass != nil {
		service.Spec.WithLoadBalancerClass(*s.LoadBalancerClass)
	}
	service.Spec.WithLoadBalancerSourceRanges(s.LoadBalancerSourceRanges...)
	return service
}

// adminService is for the operator, Prometheus and the user's services; never for
// the outside.
func (b *builder) adminService() *corev1ac.ServiceApplyConfiguration {
	service := b.service(AdminName(b.c), ComponentHub).WithLabels(map[string]string{LabelService: serviceAdmin})
	service.Spec.WithType(corev1.ServiceTypeClusterIP).WithPorts(servicePort(portNameAdmin, PortAdmin, portNameAdmin))
	return service
}

// meshService gives the addresses of all hubs with the embedded bus. Those that
// are not ready belong to it: a hub gets ready by way of the mesh.
func (b *builder) meshService() *corev1ac.ServiceApplyConfiguration {
	if b.c.Spec.Bus.Type != v1alpha1.BusEmbedded {
		return nil
	}
	service := b.headless(MeshName(b.c), ComponentHub).WithLabels(map[string]string{LabelService: serviceMesh})
	service.Spec.WithPorts(servicePort(portNameMesh, PortMesh, portNameMesh))
	return service
}

func (b *builder) headless(name, component string) *corev1ac.ServiceApplyConfiguration {
	service := b.service(name, component)
	service.Spec.WithClusterIP(corev1.ClusterIPNone).WithPublishNotReadyAddresses(true)
	return service
}

func (b *builder) service(name, component string) *corev1ac.ServiceApplyConfiguration {
	service := corev1ac.Service(name, b.c.Namespace)
	service.ObjectMetaApplyConfiguration = b.objectMeta(name, component)
	return service.WithSpec(corev1ac.ServiceSpec().WithSelector(Selector(b.c, component)))
}

func servicePort(name string, port int32, target string) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().
		WithName(name).
		WithPort(port).
		WithProtocol(corev1.ProtocolTCP).
		WithTargetPort(intstr.FromString(target))
}
