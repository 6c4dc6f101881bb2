package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// The keys of generated credentials.
const (
	keyPassword      = "password"
	keyRoutePassword = "routePassword"
)

// hubUser is the name that hubs sign in with at a bus of their own.
const hubUser = "hub"

// Generated is a Secret whose data are made once, at random, and never changed.
type Generated struct {
	// Name is the Secret's name.
	Name string
	// Keys are the keys of its data. Each value is one secret of its own: 26 or
	// more letters and digits, as crypto/rand.Text returns them. A key that is
	// there is never overwritten; one that is missing is added.
	Keys []string
	// Retain keeps the Secret when the GoHubCluster is deleted.
	Retain bool
}

// GeneratedSecrets returns the Secrets to make before [Build], where they do not
// exist.
func GeneratedSecrets(c *v1alpha1.GoHubCluster) []Generated {
	var all []Generated
	if c.Spec.AdminKeyRef == nil {
		all = append(all, Generated{Name: AdminName(c), Keys: []string{AdminKey}})
	}
	switch bus := c.Spec.Bus; {
	case managedNATS(c) != nil:
		keys := []string{keyPassword, keyRoutePassword}
		all = append(all, Generated{Name: credentialsName(NATSName(c)), Keys: keys, Retain: bus.NATS.Managed.Retain})
	case managedRedis(c) != nil:
		all = append(all, Generated{Name: credentialsName(RedisName(c)), Keys: []string{keyPassword}, Retain: bus.Redis.Managed.Retain})
	case bus.Type == v1alpha1.BusEmbedded:
		all = append(all, Generated{Name: credentialsName(MeshName(c)), Keys: []string{keyPassword}})
	}
	return all
}

func credentialsName(of string) string { return of + "-credentials" }

// NewSecret returns the Secret of g with its data, to be created, by another field
// manager than the one that applies: labels and the owner come with
// [Objects.Generated], which does not own the data, so applying never takes them
// away. It keeps data.
func (g Generated) NewSecret(c *v1alpha1.GoHubCluster, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: g.Name},
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}
}

// generated are the labels of a generated Secret, and its owner unless it stays
// behind.
func (b *builder) generated(g Generated) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(g.Name, b.c.Namespace).WithLabels(ChildLabels(b.c))
	if !g.Retain {
		secret.WithOwnerReferences(b.owner())
	}
	return secret
}

func managedNATS(c *v1alpha1.GoHubCluster) *v1alpha1.ManagedNATS {
	if c.Spec.Bus.Type == v1alpha1.BusNATS && c.Spec.Bus.NATS != nil {
		return c.Spec.Bus.NATS.Managed
	}
	return nil
}

func managedRedis(c *v1alpha1.GoHubCluster) *v1alpha1.ManagedRedis {
	if c.Spec.Bus.Type == v1alpha1.BusRedis && c.Spec.Bus.Redis != nil {
		return c.Spec.Bus.Redis.Managed
	}
	return nil
}
