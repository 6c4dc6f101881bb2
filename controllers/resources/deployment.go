package resources

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
)

// configVolume is the name of the hubs' one volume.
const configVolume = "gohub-config"

// deployment is the hubs. A new one is ready before an old one goes, and the old
// one has the time its drain takes; there is no preStop sleep, as the hub itself
// goes on taking clients for drain.delay.
func (b *builder) deployment(h *hubSettings, file string) *appsv1ac.DeploymentApplyConfiguration {
	template := b.podTemplate(ComponentHub, b.c.Spec.Pod.Pod, h.hashes(file))
	template.Spec.
		WithTerminationGracePeriodSeconds(GracePeriod(b.c)).
		WithServiceAccountName(b.serviceAccountName()).
		WithVolumes(b.configVolume(h)).
		WithContainers(b.hubContainer(h))
	if b.c.Spec.Pod.ServiceAccountName == "" {
		template.Spec.WithAutomountServiceAccountToken(false)
	}
	template = b.patched(template)
	fillPod(template.Spec)
	d := appsv1ac.Deployment(HubName(b.c), b.c.Namespace).WithSpec(appsv1ac.DeploymentSpec().
		WithReplicas(b.f.Replicas).
		WithSelector(b.selector(ComponentHub)).
		WithMinReadySeconds(minReady).
		WithProgressDeadlineSeconds(progressDeadline(b.c, b.f.Replicas)).
		WithRevisionHistoryLimit(2). // an old template has the new configuration: nothing to go back to
		WithStrategy(appsv1ac.DeploymentStrategy().
			WithType(appsv1.RollingUpdateDeploymentStrategyType).
			WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
				WithMaxSurge(intstr.FromInt32(1)).
				WithMaxUnavailable(intstr.FromInt32(0)))).
		WithTemplate(template))
	d.ObjectMetaApplyConfiguration = b.objectMeta(HubName(b.c), ComponentHub)
	return d
}

func (b *builder) hubContainer(h *hubSettings) *corev1ac.ContainerApplyConfiguration {
	pod := b.c.Spec.Pod
	c := b.container(HubContainer, b.f.HubImage(b.c), pod.Pod).
		WithEnv(b.hubEnv(h)...).
		WithEnvFrom(convertAll[corev1ac.EnvFromSourceApplyConfiguration](b, pod.EnvFrom)...).
		WithPorts(containerPort(portNameClients, PortClients), containerPort(portNameAdmin, PortAdmin)).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(configVolume).WithMountPath(configDir).WithReadOnly(true)).
		// A hub that starts takes a minute at most.
		WithStartupProbe(probe(1, 2, 60).WithHTTPGet(httpGet("/health", portNameAdmin))).
		// A restart costs all clients of the hub: only when it is surely dead.
		WithLivenessProbe(probe(10, 5, 6).WithHTTPGet(httpGet("/health", portNameAdmin))).
		// Seen within drain.delay, 5 seconds by default, when the hub is drained.
		WithReadinessProbe(probe(2, 2, 2).WithHTTPGet(httpGet("/readyz", portNameAdmin)))
	if b.c.Spec.Bus.Type == v1alpha1.BusEmbedded {
		c.WithPorts(containerPort(portNameMesh, PortMesh))
	}
	return c
}

// hubEnv says where the hub finds what it is told. What the user sets comes last,
// so that it can refer to the rest.
func (b *builder) hubEnv(h *hubSettings) []*corev1ac.EnvVarApplyConfiguration {
	env := []*corev1ac.EnvVarApplyConfiguration{
		corev1ac.EnvVar().WithName(config.ConfigFileEnv).WithValue(configDir + "/" + configFile),
		corev1ac.EnvVar().WithName("GOHUB_NODE_ID").WithValueFrom(corev1ac.EnvVarSource().
			WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath("metadata.name"))),
	}
	files := map[string]string{}
	for _, s := range h.secrets {
		files[s.path] = configDir + "/" + s.file
	}
	for _, key := range config.Keys() {
		if path, ok := files[key.Path]; ok {
			env = append(env, corev1ac.EnvVar().WithName(key.FileEnv).WithValue(path))
		}
	}
	own := convertAll[corev1ac.EnvVarApplyConfiguration](b, b.c.Spec.Pod.Env)
	if limit := memoryShare(b.c.Spec.Pod.Resources.Limits.Memory().DeepCopy(), 9, 10); limit > 0 && !named(own, "GOMEMLIMIT") {
		env = append(env, corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(strconv.FormatInt(limit, 10)))
	}
	return append(env, own...)
}

func named(env []*corev1ac.EnvVarApplyConfiguration, name string) bool {
	for _, e := range env {
		if e.Name != nil && *e.Name == name {
			return true
		}
	}
	return false
}

// configVolume holds the configuration file, the secrets beside it, and each
// certificate in a folder of its own. Files change in running pods when their
// objects do, which certificates are for.
func (b *builder) configVolume(h *hubSettings) *corev1ac.VolumeApplyConfiguration {
	sources := corev1ac.ProjectedVolumeSource().WithSources(
		corev1ac.VolumeProjection().WithConfigMap(corev1ac.ConfigMapProjection().WithName(HubName(b.c))),
		corev1ac.VolumeProjection().WithSecret(corev1ac.SecretProjection().WithName(HubName(b.c))),
	)
	for _, m := range h.mounts {
		secret := corev1ac.SecretProjection().WithName(m.secret)
		for _, key := range m.keys {
			secret.WithItems(corev1ac.KeyToPath().WithKey(key).WithPath(m.dir + "/" + key))
		}
		sources.WithSources(corev1ac.VolumeProjection().WithSecret(secret))
	}
	return corev1ac.Volume().WithName(configVolume).WithProjected(sources)
}

func (b *builder) serviceAccountName() string {
	if own := b.c.Spec.Pod.ServiceAccountName; own != "" {
		return own
	}
	return HubName(b.c)
}
