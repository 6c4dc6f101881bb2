package resources

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// podUser is the user and group of all pods, that of the stock images: not root,
// and the same whatever an image was built with.
const podUser = 65532

// podTemplate is the pods of one component: the common settings, placed and
// secured.
func (b *builder) podTemplate(component string, p v1alpha1.Pod, hashes map[string]string) *corev1ac.PodTemplateSpecApplyConfiguration {
	spec := corev1ac.PodSpec().
		WithSecurityContext(podSecurity()).
		WithEnableServiceLinks(false). // variables of every Service, read as the hub's own where one begins with gohub
		WithTopologySpreadConstraints(b.spread(component, p)...).
		WithTolerations(convertAll[corev1ac.TolerationApplyConfiguration](b, p.Tolerations)...).
		WithNodeSelector(p.NodeSelector)
	for _, ref := range b.c.Spec.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(ref.Name))
	}
	switch {
	case p.Affinity != nil:
		spec.WithAffinity(convert[corev1ac.AffinityApplyConfiguration](b, p.Affinity))
	case len(p.TopologySpreadConstraints) == 0:
		spec.WithAffinity(b.zones(component))
	}
	if p.PriorityClassName != "" {
		spec.WithPriorityClassName(p.PriorityClassName)
	}
	return corev1ac.PodTemplateSpec().
		WithLabels(p.Labels).
		WithLabels(labels(b.c, component)).
		WithAnnotations(p.Annotations).
		WithAnnotations(hashes).
		WithSpec(spec)
}

// podSecurity is what the restricted pod security standard asks of a pod.
func podSecurity() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(podUser).
		WithRunAsGroup(podUser).
		WithFSGroup(podUser).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

// container is the main container of a pod, secured.
func (b *builder) container(name, image string, p v1alpha1.Pod) *corev1ac.ContainerApplyConfiguration {
	c := corev1ac.Container().
		WithName(name).
		WithImage(image).
		// The end of the log says why it failed, where it wrote no message.
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")))
	if b.c.Spec.ImagePullPolicy != "" {
		c.WithImagePullPolicy(b.c.Spec.ImagePullPolicy)
	}
	if len(p.Resources.Requests) > 0 || len(p.Resources.Limits) > 0 || len(p.Resources.Claims) > 0 {
		c.WithResources(convert[corev1ac.ResourceRequirementsApplyConfiguration](b, p.Resources))
	}
	return c
}

// spread places pods apart: by the constraints of the spec, or over nodes as well
// as it goes.
func (b *builder) spread(component string, p v1alpha1.Pod) []*corev1ac.TopologySpreadConstraintApplyConfiguration {
	all := convertAll[corev1ac.TopologySpreadConstraintApplyConfiguration](b, p.TopologySpreadConstraints)
	if len(all) == 0 {
		nodes := corev1ac.TopologySpreadConstraint().
			WithMaxSkew(1).
			WithTopologyKey(corev1.LabelHostname).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway)
		if component == ComponentHub {
			// Of an update only the new ones count: the old ones go.
			nodes.WithMatchLabelKeys(appsv1.DefaultDeploymentUniqueLabelKey)
		}
		all = append(all, nodes)
	}
	for _, c := range all {
		if c.LabelSelector == nil {
			c.WithLabelSelector(b.selector(component))
		}
	}
	return all
}

// zones has pods prefer zones without others. A second constraint would not do:
// the scheduler then heeds neither on nodes that have no zone.
func (b *builder) zones(component string) *corev1ac.AffinityApplyConfiguration {
	return corev1ac.Affinity().WithPodAntiAffinity(corev1ac.PodAntiAffinity().
		WithPreferredDuringSchedulingIgnoredDuringExecution(corev1ac.WeightedPodAffinityTerm().
			WithWeight(50).
			WithPodAffinityTerm(corev1ac.PodAffinityTerm().
				WithTopologyKey(corev1.LabelTopologyZone).
				WithLabelSelector(b.selector(component)))))
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// probe is one of a container; exactly one of its ways is set by the caller.
func probe(period, timeout, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().WithPeriodSeconds(period).WithTimeoutSeconds(timeout).WithFailureThreshold(failures)
}

func httpGet(path, port string) *corev1ac.HTTPGetActionApplyConfiguration {
	return corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(port))
}

// objectMeta is the name, labels and owner that Deployments, Services and the
// like begin with.
func (b *builder) objectMeta(name, component string) *metav1ac.ObjectMetaApplyConfiguration {
	return metav1ac.ObjectMeta().
		WithName(name).
		WithNamespace(b.c.Namespace).
		WithLabels(labels(b.c, component)).
		WithOwnerReferences(b.owner())
}
