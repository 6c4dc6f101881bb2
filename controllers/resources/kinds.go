package resources

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// Live is an object as the API server has it; sigs.k8s.io/controller-runtime calls
// the same client.Object.
type Live interface {
	metav1.Object
	runtime.Object
}

// Kind is a kind of object that [Build] makes.
type Kind struct {
	schema.GroupVersionKind

	// CRD is the name of the CRD of a kind that may be missing; empty for those
	// that every Kubernetes has.
	CRD string

	new     func() Live
	extract func(live Live, manager string) (Object, error)
}

// New returns an empty object of the kind, of the type that Extract takes: that
// of the API, and for a ServiceMonitor an unstructured one.
func (k Kind) New() Live { return k.new() }

// Extract returns what manager has applied to a live object. Nothing needs to be
// applied where it equals, by equality.Semantic of k8s.io/apimachinery, what
// Build returns: each field is there as it is wanted, and none is owned beyond.
func (k Kind) Extract(live Live, manager string) (Object, error) {
	object, err := k.extract(live, manager)
	if err != nil {
		return nil, fmt.Errorf("read the fields of %s in %s %s/%s: %w", manager, k.Kind, live.GetNamespace(), live.GetName(), err)
	}
	return object, nil
}

// Kinds returns all kinds that Build makes, for watches and for finding children
// that are no longer wanted.
func Kinds() []Kind {
	return []Kind{
		kind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"), corev1ac.ExtractServiceAccount),
		kind(corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1ac.ExtractConfigMap),
		kind(corev1.SchemeGroupVersion.WithKind("Secret"), corev1ac.ExtractSecret),
		kind(corev1.SchemeGroupVersion.WithKind("Service"), corev1ac.ExtractService),
		kind(networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), networkingv1ac.ExtractNetworkPolicy),
		kind(networkingv1.SchemeGroupVersion.WithKind("Ingress"), networkingv1ac.ExtractIngress),
		kind(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), policyv1ac.ExtractPodDisruptionBudget),
		kind(appsv1.SchemeGroupVersion.WithKind("StatefulSet"), appsv1ac.ExtractStatefulSet),
		kind(appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1ac.ExtractDeployment),
		optional("httproutes.gateway.networking.k8s.io",
			kind(schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute"), gatewayv1ac.ExtractHTTPRoute)),
		serviceMonitorKind(),
	}
}

// AddToScheme makes a scheme know all Kinds, as clients need it.
func AddToScheme(scheme *runtime.Scheme) error {
	// What a client needs of ServiceMonitors is the group's options alone.
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Group: ServiceMonitorGroup, Version: "v1"})
	builder := runtime.NewSchemeBuilder(
		corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, appsv1.AddToScheme, gatewayv1.Install)
	return builder.AddToScheme(scheme)
}

// KindOf returns the kind of an object that Build made.
func KindOf(o Object) (Kind, bool) {
	for _, k := range Kinds() {
		if version, name := o.GetAPIVersion(), o.GetKind(); version != nil && name != nil &&
			*version == k.GroupVersion().String() && *name == k.Kind {
			return k, true
		}
	}
	return Kind{}, false
}

// kind is that of type T, whose pointer is a live object.
func kind[T any, L interface {
	*T
	Live
}, A Object](gvk schema.GroupVersionKind, extract func(L, string) (A, error)) Kind {
	return Kind{
		GroupVersionKind: gvk,
		new:              func() Live { return L(new(T)) },
		extract: func(live Live, manager string) (Object, error) {
			object, ok := live.(L)
			if !ok {
				return nil, fmt.Errorf("got a %T, want a %T", live, L(nil))
			}
			return extract(object, manager)
		},
	}
}

func optional(crd string, k Kind) Kind {
	k.CRD = crd
	return k
}

func serviceMonitorKind() Kind {
	gvk := schema.GroupVersionKind{Group: ServiceMonitorGroup, Version: "v1", Kind: ServiceMonitorKind}
	return Kind{
		GroupVersionKind: gvk,
		CRD:              "servicemonitors." + ServiceMonitorGroup,
		new: func() Live {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(gvk)
			return u
		},
		extract: func(live Live, manager string) (Object, error) { return extractServiceMonitor(live, manager) },
	}
}

// extractServiceMonitor is what client-go generates for the kinds it knows.
func extractServiceMonitor(live Live, manager string) (*ServiceMonitorApplyConfiguration, error) {
	parser, err := typed.NewParser(serviceMonitorSchema)
	if err != nil {
		return nil, err
	}
	object := &ServiceMonitorApplyConfiguration{}
	if err := managedfields.ExtractInto(live, parser.Type("ServiceMonitor"), manager, object, ""); err != nil {
		return nil, err
	}
	object.WithAPIVersion(ServiceMonitorGroup + "/v1").WithKind(ServiceMonitorKind)
	if object.ObjectMetaApplyConfiguration == nil { // nothing of it is manager's
		object.ObjectMetaApplyConfiguration = metav1ac.ObjectMeta()
	}
	object.WithName(live.GetName()).WithNamespace(live.GetNamespace())
	return object, nil
}

// serviceMonitorSchema says what lists and maps are merged by, where this package
// sets them; the CRD's lists are atomic, and so is the selector.
const serviceMonitorSchema = typed.YAMLObject(`types:
- name: ServiceMonitor
  map:
    fields:
    - {name: apiVersion, type: {scalar: string}}
    - {name: kind, type: {scalar: string}}
    - {name: metadata, type: {namedType: metadata}}
    - {name: spec, type: {namedType: spec}}
- name: metadata
  map:
    elementType: {namedType: deduced}
    fields:
    - name: ownerReferences
      type:
        list:
          elementType: {namedType: owner}
          elementRelationship: associative
          keys: [uid]
- name: spec
  map:
    elementType: {namedType: deduced}
    fields: [{name: selector, type: {namedType: selector}}]
- name: selector
  map:
    elementType: {namedType: deduced}
    elementRelationship: atomic
- name: owner
  map:
    elementType: {namedType: deduced}
    elementRelationship: atomic
- name: deduced
  scalar: untyped
  list:
    elementType: {namedType: deduced}
    elementRelationship: atomic
  map:
    elementType: {namedType: deduced}
    elementRelationship: separable
`)
