package resources_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	k8stesting "k8s.io/client-go/testing"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/chenxilol/gohub/controllers/resources"
)

const manager = "gohub-operator"

// crdConverter knows what every CRD has: owners are told apart by their uid.
// Lists of the spec are atomic, and so is a selector, as they are in optional
// kinds.
func crdConverter(t *testing.T) managedfields.TypeConverter {
	t.Helper()
	parser, err := typed.NewParser(`types:
- name: object
  map:
    elementType: {namedType: any}
    fields: [{name: metadata, type: {namedType: metadata}}, {name: spec, type: {namedType: spec}}]
- name: spec
  map:
    elementType: {namedType: any}
    fields: [{name: selector, type: {map: {elementType: {namedType: any}, elementRelationship: atomic}}}]
- name: metadata
  map:
    elementType: {namedType: any}
    fields:
    - name: ownerReferences
      type: {list: {elementType: {namedType: any}, elementRelationship: associative, keys: [uid]}}
- name: any
  scalar: untyped
  list: {elementType: {namedType: any}, elementRelationship: atomic}
  map: {elementType: {namedType: any}, elementRelationship: separable}
`)
	if err != nil {
		t.Fatal(err)
	}
	return converter{parser.Type("object")}
}

type converter struct{ object typed.ParseableType }

func (c converter) ObjectToTyped(o runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	return c.object.FromUnstructured(u, opts...)
}

func (converter) TypedToObject(v *typed.TypedValue) (runtime.Object, error) {
	return &unstructured.Unstructured{Object: v.AsValue().Unstructured().(map[string]any)}, nil
}

// store applies objects with the code of the API server, without its defaults.
type store struct {
	known, others k8stesting.ObjectTracker
}

func newStore(t *testing.T) store {
	t.Helper()
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, gatewayv1.Install} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	all.AddKnownTypeWithName(schema.GroupVersionKind{Group: resources.ServiceMonitorGroup, Version: "v1", Kind: resources.ServiceMonitorKind}, &unstructured.Unstructured{})
	decoder := serializer.NewCodecFactory(all).UniversalDecoder()
	return store{
		known:  k8stesting.NewFieldManagedObjectTracker(all, decoder, applyconfigurations.NewTypeConverter(scheme.Scheme)),
		others: k8stesting.NewFieldManagedObjectTracker(all, decoder, crdConverter(t)),
	}
}

// apply returns the object as it is after o was applied.
func (s store) apply(t *testing.T, k resources.Kind, o resources.Object) resources.Live {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	tracker := s.known
	if k.CRD != "" {
		tracker = s.others
	}
	gvr := schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Kind}
	yes := true
	if err := tracker.Apply(gvr, u, *o.GetNamespace(), metav1.PatchOptions{FieldManager: manager, Force: &yes}); err != nil {
		t.Fatalf("apply %s %s: %v", k.Kind, *o.GetName(), err)
	}
	stored, err := tracker.Get(gvr, *o.GetNamespace(), *o.GetName())
	if err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(stored); err != nil {
		t.Fatal(err)
	}
	live := k.New()
	if err := json.Unmarshal(data, live); err != nil {
		t.Fatal(err)
	}
	return live
}

// What was applied is read back, and nothing else.
func TestExtractReturnsWhatWasApplied(t *testing.T) {
	s, seen := newStore(t), map[string]bool{}
	for name, c := range samples(t) {
		for _, o := range build(t, c, facts(c)).All() {
			k, ok := resources.KindOf(o)
			if !ok {
				t.Fatalf("%s is of no kind", *o.GetKind())
			}
			seen[k.Kind] = true
			live := s.apply(t, k, o)
			live.SetAnnotations(map[string]string{"by": "another"})
			got, err := k.Extract(live, manager)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got, o) {
				t.Errorf("%s: %s %s: got\n%s\nwant\n%s", name, k.Kind, *o.GetName(), text(t, got), text(t, o))
			}
			if got, err = k.Extract(live, "another"); err != nil || equal(got, o) {
				t.Errorf("%s: %s: another manager has the same, %v", name, k.Kind, err)
			}
		}
	}
	for _, k := range resources.Kinds() {
		if !seen[k.Kind] {
			t.Errorf("no sample has a %s", k.Kind)
		}
	}
}

func TestExtractOfAnotherType(t *testing.T) {
	for _, k := range resources.Kinds() {
		if k.Kind != "Secret" {
			continue
		}
		if _, err := k.Extract(&corev1.ConfigMap{}, manager); err == nil {
			t.Error("a ConfigMap is no Secret")
		}
	}
}
