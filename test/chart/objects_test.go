package chart

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

func TestLint(t *testing.T) {
	for _, values := range []string{"", "cluster.create=true", "rbac.scope=namespace"} {
		if _, err := runHelm(t, "lint", "--strict", "--kube-version", kubeVersion, "--set", values, chartDir); err != nil {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// monitoringRule and monitoringService are what the chart writes of the
// Prometheus operator's kinds.
type (
	monitoringRule struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Groups []struct {
				Name  string      `json:"name"`
				Rules []alertRule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	alertRule struct {
		Alert       string            `json:"alert"`
		Expr        string            `json:"expr"`
		For         string            `json:"for,omitempty"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	monitoringService struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Selector  metav1.LabelSelector `json:"selector"`
			Endpoints []struct {
				Port            string         `json:"port"`
				Path            string         `json:"path"`
				HonorLabels     bool           `json:"honorLabels"`
				Interval        string         `json:"interval,omitempty"`
				Scheme          string         `json:"scheme,omitempty"`
				BearerTokenFile string         `json:"bearerTokenFile,omitempty"`
				TLSConfig       map[string]any `json:"tlsConfig,omitempty"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
)

// knownTypes are those of Kubernetes, of its extension and our own.
func knownTypes(t *testing.T) *runtime.Scheme {
	t.Helper()
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

// typed returns the object as its Go type; a field that it does not have fails
// the test.
func typed(t *testing.T, o *unstructured.Unstructured) any {
	t.Helper()
	data, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	var into any
	switch o.GetKind() {
	case "PrometheusRule":
		into = &monitoringRule{}
	case "ServiceMonitor":
		into = &monitoringService{}
	default:
		codecs := serializer.NewCodecFactory(knownTypes(t), serializer.EnableStrict)
		decoded, _, err := codecs.UniversalDeserializer().Decode(data, nil, nil)
		if err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		return decoded
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return into
}

// find returns the one object of a kind whose name ends so.
func find[T any](t *testing.T, all []*unstructured.Unstructured, kind, suffix string) T {
	t.Helper()
	var found []T
	for _, o := range all {
		if o.GetKind() == kind && strings.HasSuffix(o.GetName(), suffix) {
			found = append(found, typed(t, o).(T))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s with a name that ends with %q", len(found), kind, suffix)
	}
	return found[0]
}

func TestObjectsAreValid(t *testing.T) {
	clusterWide := map[string]bool{"ClusterRole": true, "ClusterRoleBinding": true}
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			names := map[string]bool{}
			for _, o := range render(t, s.values, s.flags...) {
				typed(t, o)
				id := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
				if names[id] {
					t.Errorf("%s is there twice", id)
				}
				names[id] = true
				if (o.GetNamespace() == "") != clusterWide[o.GetKind()] {
					t.Errorf("%s: namespace %q", id, o.GetNamespace())
				}
				for _, label := range []string{"name", "instance", "version", "managed-by"} {
					if o.GetLabels()["app.kubernetes.io/"+label] == "" {
						t.Errorf("%s has no label %s", id, label)
					}
				}
				if name == "everything" && o.GetLabels()["team"] != "chat" {
					t.Errorf("%s has not the common labels", id)
				}
			}
		})
	}
}

// pods returns the pod templates of all objects, by kind and name.
func pods(t *testing.T, all []*unstructured.Unstructured) map[string]corev1.PodTemplateSpec {
	t.Helper()
	found := map[string]corev1.PodTemplateSpec{}
	for _, o := range all {
		path := []string{"spec", "template"}
		if o.GetKind() == "Pod" {
			path = nil
		}
		template, ok, _ := unstructured.NestedMap(o.Object, path...)
		if !ok || o.GetKind() != "Pod" && o.GetKind() != "Deployment" && o.GetKind() != "Job" {
			continue
		}
		var p corev1.PodTemplateSpec
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &p); err != nil {
			t.Fatal(err)
		}
		found[o.GetKind()+" "+o.GetName()] = p
	}
	return found
}

// The rules of https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted,
// and what else costs nothing.
func TestPodsAreRestricted(t *testing.T) {
	seen := 0
	for name, s := range scenarios() {
		for id, p := range pods(t, render(t, s.values, s.flags...)) {
			seen++
			pod := p.Spec.SecurityContext
			if pod == nil || !*pod.RunAsNonRoot || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s, %s: %+v", name, id, pod)
			}
			if p.Spec.HostNetwork || p.Spec.HostPID || p.Spec.HostIPC || *p.Spec.EnableServiceLinks {
				t.Errorf("%s, %s: is part of its host, or has service links", name, id)
			}
			for _, c := range p.Spec.Containers {
				own := c.SecurityContext
				if own == nil || *own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem ||
					len(own.Capabilities.Drop) != 1 || own.Capabilities.Drop[0] != "ALL" || len(own.Capabilities.Add) > 0 {
					t.Errorf("%s, %s: %+v", name, id, own)
				}
			}
			for _, v := range p.Spec.Volumes {
				if v.Secret == nil {
					t.Errorf("%s, %s: volume %+v", name, id, v)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d pods seen", seen)
	}
}

// TestSelectors: what selects pods selects the operator's, and only those; the
// network policy those of the Job as well, which needs the same.
func TestSelectors(t *testing.T) {
	for name, s := range scenarios() {
		all := render(t, s.values, s.flags...)
		for _, o := range all {
			var selector *metav1.LabelSelector
			switch o := typed(t, o).(type) {
			case *corev1.Service:
				selector = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}
			case *appsv1.Deployment:
				selector = o.Spec.Selector
			case *policyv1.PodDisruptionBudget:
				selector = o.Spec.Selector
			case *networkingv1.NetworkPolicy:
				selector = &o.Spec.PodSelector
			default:
				continue
			}
			matcher, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil {
				t.Fatal(err)
			}
			for id, p := range pods(t, all) {
				want := strings.HasPrefix(id, "Deployment ") || o.GetKind() == "NetworkPolicy" && strings.HasPrefix(id, "Job ")
				if got := matcher.Matches(labels.Set(p.Labels)); got != want {
					t.Errorf("%s: %s %s selects %s: %v", name, o.GetKind(), o.GetName(), id, got)
				}
			}
		}
	}
}
