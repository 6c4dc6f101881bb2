package resources

import (
	"errors"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	appsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1 "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1 "k8s.io/client-go/applyconfigurations/policy/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// Object is one object as it is to be applied. Its fields are those to own.
type Object interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetNamespace() *string
	GetName() *string
}

// Objects are all objects of a GoHubCluster. nil is one that is not wanted.
type Objects struct {
	// Generated are the labels and owners of the Secrets of [GeneratedSecrets],
	// without data: apply them to Secrets that exist.
	Generated []*corev1.SecretApplyConfiguration

	NATS, Redis Server
	Hub         Hub
}

// Server is a bus that the operator runs.
type Server struct {
	Config        *corev1.SecretApplyConfiguration // the configuration file holds passwords
	NetworkPolicy *networkingv1.NetworkPolicyApplyConfiguration
	Service       *corev1.ServiceApplyConfiguration
	Budget        *policyv1.PodDisruptionBudgetApplyConfiguration
	StatefulSet   *appsv1.StatefulSetApplyConfiguration
}

// Hub is the hubs, and what is in front of them.
type Hub struct {
	ServiceAccount *corev1.ServiceAccountApplyConfiguration
	Config         *corev1.ConfigMapApplyConfiguration
	Secret         *corev1.SecretApplyConfiguration
	NetworkPolicy  *networkingv1.NetworkPolicyApplyConfiguration
	Service        *corev1.ServiceApplyConfiguration
	AdminService   *corev1.ServiceApplyConfiguration
	MeshService    *corev1.ServiceApplyConfiguration
	Budget         *policyv1.PodDisruptionBudgetApplyConfiguration
	Deployment     *appsv1.DeploymentApplyConfiguration
	HTTPRoute      *gatewayv1.HTTPRouteApplyConfiguration
	Ingress        *networkingv1.IngressApplyConfiguration
	ServiceMonitor *ServiceMonitorApplyConfiguration
}

// All returns the objects that are wanted, in the order to apply them: pods come
// after what they read, and what selects them.
func (o Objects) All() []Object {
	var all []Object
	for _, secret := range o.Generated {
		all = append(all, secret)
	}
	for _, group := range []any{o.NATS, o.Redis, o.Hub} {
		v := reflect.ValueOf(group)
		for i := range v.NumField() {
			if object, ok := v.Field(i).Interface().(Object); ok && !v.Field(i).IsNil() {
				all = append(all, object)
			}
		}
	}
	return all
}

// Build returns the objects of c, a resource with its defaults filled in. Where
// the spec, or a Secret it names, cannot be used, it returns the problems joined,
// each an [*InvalidError], and no objects: what runs is to stay as it is.
func Build(c *v1alpha1.GoHubCluster, f Facts) (Objects, error) {
	b := &builder{c: c, f: f}
	var o Objects
	h := b.hubSettings()
	o.NATS = b.nats()
	o.Redis = b.redis()
	o.Hub = b.hub(h)
	for _, g := range GeneratedSecrets(c) {
		o.Generated = append(o.Generated, b.generated(g))
	}
	if len(b.problems) > 0 {
		return Objects{}, errors.Join(b.problems...)
	}
	return o, nil
}

// builder holds the input of one Build, and the problems found.
type builder struct {
	c        *v1alpha1.GoHubCluster
	f        Facts
	problems []error
}

func (b *builder) invalid(reason v1alpha1.ConditionReason, message string) {
	b.problems = append(b.problems, &InvalidError{Reason: reason, Message: message})
}
