package resources

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	dataVolume = "data"
	dataDir    = "/data"
)

// serverSet is a StatefulSet of a bus: all at once where they are new, one by one
// when they change.
func (b *builder) serverSet(name, component string, replicas int32, template *corev1ac.PodTemplateSpecApplyConfiguration) *appsv1ac.StatefulSetApplyConfiguration {
	fillPod(template.Spec)
	set := appsv1ac.StatefulSet(name, b.c.Namespace).WithSpec(appsv1ac.StatefulSetSpec().
		WithReplicas(replicas).
		WithServiceName(name).
		WithSelector(b.selector(component)).
		WithPodManagementPolicy(appsv1.ParallelPodManagement).
		WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().WithType(appsv1.RollingUpdateStatefulSetStrategyType)).
		// Clients of one that was updated are back before the next goes.
		WithMinReadySeconds(minReady).
		WithTemplate(template))
	set.ObjectMetaApplyConfiguration = b.objectMeta(name, component)
	return set
}

// withVolume gives each server a volume for its data. It outlives the set, which
// somebody may delete by mistake; see [Claim]. Its labels are the selector's: a
// StatefulSet never takes a change of the claims it makes.
func (b *builder) withVolume(set *appsv1ac.StatefulSetApplyConfiguration, component string, s v1alpha1.Storage) {
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithVolumeMode(corev1.PersistentVolumeFilesystem).
		WithResources(corev1ac.VolumeResourceRequirements().WithRequests(corev1.ResourceList{corev1.ResourceStorage: s.Size}))
	if s.StorageClassName != "" {
		spec.WithStorageClassName(s.StorageClassName)
	}
	claim := corev1ac.PersistentVolumeClaim(dataVolume, b.c.Namespace).
		WithLabels(Selector(b.c, component)).
		WithSpec(spec).
		WithStatus(corev1ac.PersistentVolumeClaimStatus().WithPhase(corev1.ClaimPending)) // a default, see fillPod
	// A template has the namespace of its set, and the API server keeps no kind.
	claim.Namespace, claim.APIVersion, claim.Kind = nil, nil, nil
	set.Spec.
		WithVolumeClaimTemplates(claim).
		WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
			WithWhenDeleted(appsv1.RetainPersistentVolumeClaimRetentionPolicyType).
			WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType))
}

// Claim is a volume claim that a StatefulSet makes, and what becomes of it.
type Claim struct {
	Name string
	Size resource.Quantity
	// Retain keeps it when the GoHubCluster is deleted; else it is to be owned by
	// the GoHubCluster, and goes with it.
	Retain bool
}

// Claims returns the volume claims of a managed bus. A StatefulSet does not take
// another size: enlarge the claims, delete the StatefulSet without its pods, and
// apply it anew.
func Claims(c *v1alpha1.GoHubCluster) []Claim {
	set, replicas, size, retain := "", int32(0), resource.Quantity{}, false
	if n := managedNATS(c); n != nil && n.JetStream != nil {
		set, replicas, size, retain = NATSName(c), n.Replicas, n.JetStream.Storage.Size, n.Retain
	}
	if r := managedRedis(c); r != nil && r.Storage != nil {
		set, replicas, size, retain = RedisName(c), 1, r.Storage.Size, r.Retain
	}
	var claims []Claim
	for i := range replicas {
		claims = append(claims, Claim{Name: fmt.Sprintf("%s-%s-%d", dataVolume, set, i), Size: size.DeepCopy(), Retain: retain})
	}
	return claims
}

// configMount mounts the Secret with a server's configuration.
func configMount(template *corev1ac.PodTemplateSpecApplyConfiguration, c *corev1ac.ContainerApplyConfiguration, secret, dir string) {
	const name = "config"
	template.Spec.WithVolumes(corev1ac.Volume().WithName(name).WithSecret(corev1ac.SecretVolumeSource().WithSecretName(secret)))
	c.WithVolumeMounts(corev1ac.VolumeMount().WithName(name).WithMountPath(dir).WithReadOnly(true))
}

// scratch mounts an empty folder that lasts as long as the pod.
func scratch(template *corev1ac.PodTemplateSpecApplyConfiguration, c *corev1ac.ContainerApplyConfiguration, name, dir string) {
	template.Spec.WithVolumes(corev1ac.Volume().WithName(name).WithEmptyDir(corev1ac.EmptyDirVolumeSource()))
	c.WithVolumeMounts(corev1ac.VolumeMount().WithName(name).WithMountPath(dir))
}

// BusServers returns the name of the StatefulSet of a managed bus and the number of
// its servers; empty where the operator runs none.
func BusServers(c *v1alpha1.GoHubCluster) (name string, replicas int32) {
	switch n := managedNATS(c); {
	case n != nil:
		return NATSName(c), n.Replicas
	case managedRedis(c) != nil:
		return RedisName(c), 1
	}
	return "", 0
}
