package resources

import (
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	natsConfigDir  = "/etc/nats"
	natsConfigFile = "nats.conf"
	natsRunDir     = "/var/run/nats"
	natsPIDFile    = natsRunDir + "/nats.pid"
)

// Seconds of the lame duck mode, in which a server sends its clients away: it
// waits, so that servers that stop together do not pass clients on to each other,
// then closes them over the time that nats-server takes at least.
const (
	lameDuckGrace    = 10
	lameDuckDuration = 30
	lameDuckReserve  = 20
)

// nats builds the NATS that the operator runs.
func (b *builder) nats() Server {
	n := managedNATS(b.c)
	if n == nil {
		return Server{}
	}
	password := b.credential(NATSName(b.c), keyPassword)
	routePassword := ""
	if n.Replicas > 1 {
		routePassword = b.credential(NATSName(b.c), keyRoutePassword)
	}
	config := []byte(natsConfig(b.c, n, password, routePassword))
	return Server{
		Config:        b.opaque(NATSName(b.c), ComponentNATS, map[string][]byte{natsConfigFile: config}),
		NetworkPolicy: b.natsNetworkPolicy(n),
		Service:       b.natsService(),
		Budget:        b.budget(NATSName(b.c), ComponentNATS, n.Replicas),
		StatefulSet:   b.natsSet(n, config),
	}
}

func (b *builder) natsSet(n *v1alpha1.ManagedNATS, config []byte) *appsv1ac.StatefulSetApplyConfiguration {
	template := b.podTemplate(ComponentNATS, n.Pod, map[string]string{AnnotationConfigHash: hash(config)})
	c := b.natsContainer(n)
	configMount(template, c, NATSName(b.c), natsConfigDir)
	scratch(template, c, "run", natsRunDir)
	if n.JetStream != nil {
		c.WithVolumeMounts(corev1ac.VolumeMount().WithName(dataVolume).WithMountPath(dataDir))
	}
	template.Spec.
		WithAutomountServiceAccountToken(false).
		WithTerminationGracePeriodSeconds(lameDuckGrace + lameDuckDuration + lameDuckReserve).
		WithContainers(c)
	set := b.serverSet(NATSName(b.c), ComponentNATS, n.Replicas, template)
	if n.JetStream != nil {
		b.withVolume(set, ComponentNATS, n.JetStream.Storage)
	}
	return set
}

func (b *builder) natsContainer(n *v1alpha1.ManagedNATS) *corev1ac.ContainerApplyConfiguration {
	image := n.Image
	if image == "" {
		image = b.f.Images.NATS
	}
	c := b.container("nats", image, n.Pod).
		WithArgs("--config", natsConfigDir+"/"+natsConfigFile).
		WithEnv(corev1ac.EnvVar().WithName(natsNameVariable).WithValueFrom(corev1ac.EnvVarSource().
			WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath("metadata.name")))).
		WithPorts(containerPort("client", PortNATS), containerPort("routes", PortNATSRoutes), containerPort("monitor", PortNATSMonitor)).
		// Started is caught up with all streams, which may take long after a
		// loss: fifteen minutes.
		WithStartupProbe(probe(2, 5, 450).WithHTTPGet(httpGet("/healthz", "monitor"))).
		WithReadinessProbe(probe(5, 5, 3).WithHTTPGet(httpGet("/healthz?js-server-only=true", "monitor"))).
		WithLivenessProbe(probe(10, 5, 6).WithHTTPGet(httpGet("/healthz?js-enabled-only=true", "monitor")))
	if n.Replicas > 1 {
		// A server alone has nobody to send its clients to: the sooner it is
		// back the better. The SIGTERM that follows is ignored in this mode.
		c.WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
			WithExec(corev1ac.ExecAction().WithCommand("nats-server", "-sl=ldm="+natsPIDFile))))
	}
	return c
}

// natsService gives the addresses of all servers, to hubs and to each other: one
// that is not ready is reached by its peers to get ready.
func (b *builder) natsService() *corev1ac.ServiceApplyConfiguration {
	service := b.headless(NATSName(b.c), ComponentNATS)
	service.Spec.WithPorts(
		servicePort("client", PortNATS, "client"),
		servicePort("routes", PortNATSRoutes, "routes"),
	)
	return service
}

func (b *builder) natsNetworkPolicy(n *v1alpha1.ManagedNATS) *networkingv1ac.NetworkPolicyApplyConfiguration {
	in := []*ingress{from(b.pods(ComponentHub), PortNATS)}
	var out []*egress
	if n.Replicas > 1 {
		in = append(in, from(b.pods(ComponentNATS), PortNATSRoutes))
		out = append(out, dns(), to(b.pods(ComponentNATS), PortNATSRoutes))
	}
	return b.networkPolicy(NATSName(b.c), ComponentNATS, in, out)
}
