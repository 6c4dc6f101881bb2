package controllers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/api/v1alpha1/apitest"
	"github.com/chenxilol/gohub/controllers/resources"
)

// unseen are the fields that change no object by themselves, each with the test
// that shows what they do.
var unseen = map[string]string{
	"paused":                        "TestPausedIsLeftAlone",
	"autoscaling.max":               "TestAutoscaling",
	"autoscaling.connectionsPerPod": "TestAutoscaling",
	"autoscaling.scaleDownWindow":   "TestAutoscaling",

	"bus.type": "it cannot be changed; each type is one of apitest.Full",
	"bus.nats.managed.jetStream.storage.size": "TestVolumesGrow",
	"bus.redis.managed.storage.size":          "TestVolumesGrow",
}

// fullSpecs are the specs of apitest, not paused.
func fullSpecs(t testing.TB) []v1alpha1.GoHubClusterSpec {
	t.Helper()
	specs, err := apitest.Full()
	if err != nil {
		t.Fatal(err)
	}
	for i := range specs {
		specs[i].Paused = false
	}
	return specs
}

// prepareSecrets makes the Secrets that a cluster names.
func (o *operator) prepareSecrets(c *v1alpha1.GoHubCluster) {
	o.t.Helper()
	for _, name := range resources.SecretNames(c) {
		if slices.Contains(resources.ChildSecretNames(c), name) {
			continue
		}
		data := map[string]string{}
		for key, value := range apitest.SecretData(name) {
			data[key] = string(value)
		}
		s := secret(o.namespace, name, data)
		if err := o.client.Create(o.t.Context(), s); err != nil && !apierrors.IsAlreadyExists(err) {
			o.t.Fatal(err)
		}
	}
}

// replaceSpec gives a cluster a spec, whatever has become of it meanwhile.
func (o *operator) replaceSpec(c *v1alpha1.GoHubCluster, spec v1alpha1.GoHubClusterSpec) error {
	o.t.Helper()
	patch, err := json.Marshal([]any{map[string]any{"op": "replace", "path": "/spec", "value": spec}})
	if err != nil {
		o.t.Fatal(err)
	}
	return o.client.Patch(o.t.Context(), c, client.RawPatch(types.JSONPatchType, patch))
}

// awaitLook waits until the newest spec of a cluster has been looked at.
func (o *operator) awaitLook(c *v1alpha1.GoHubCluster) {
	o.t.Helper()
	eventually(o.t, "the spec is looked at", func() error {
		o.get(c)
		if c.Status.ObservedGeneration != c.Generation {
			return errStillNot
		}
		return nil
	})
}

// content writes the parts of objects that somebody chose. In it the cluster has
// the name x, and nothing that is made at random shows.
func content(t testing.TB, cluster string, objects map[string]*unstructured.Unstructured) string {
	t.Helper()
	all := map[string]any{}
	for name, object := range objects {
		o := object.DeepCopy().Object
		delete(o, "status")
		meta := o["metadata"].(map[string]any)
		annotations := map[string]string{}
		maps.Copy(annotations, object.GetAnnotations())
		delete(annotations, "deployment.kubernetes.io/revision")
		o["metadata"] = map[string]any{"labels": meta["labels"], "annotations": annotations, "owned": len(object.GetOwnerReferences())}
		for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			unstructured.RemoveNestedField(o, "spec", field)
		}
		all[name] = o
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), cluster, "x")
}

// withoutSecrets leaves out what differs between two clusters of one spec: their
// credentials, and what is computed from them.
func withoutSecrets(text string) string {
	return withoutLines(text, resources.AnnotationSecretHash, resources.AnnotationConfigHash, `.conf": "`, `-key": "`, `assword": "`)
}

// withoutLines leaves out the lines that have one of the parts.
func withoutLines(text string, parts ...string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(line, part) }) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// Every field of the spec changes an object of a real API server.
func TestEveryFieldIsSeen(t *testing.T) {
	o := startOperator(t)
	o.kubelet.breakPods(everyPod) // what they do is not the matter here
	o.installCRDs()
	seen := map[string]bool{}
	for i, spec := range fullSpecs(t) {
		name := fmt.Sprintf("walked-%d", i)
		c := &v1alpha1.GoHubCluster{Spec: spec}
		c.Name = name
		c.Namespace = o.namespace
		o.prepareSecrets(c)
		o.createCluster(c)
		o.await(c, v1alpha1.ConditionConfigValid, "True", v1alpha1.ReasonValid)
		base := c.DeepCopy()
		before := content(t, name, o.childrenOf(c))
		for _, path := range apitest.SetFields(&base.Spec) {
			if _, known := unseen[path]; known {
				continue
			}
			changed := base.DeepCopy()
			apitest.Change(&changed.Spec, path)
			o.prepareSecrets(changed)
			err := o.replaceSpec(changed, changed.Spec)
			switch {
			case err == nil:
				o.awaitLook(changed)
				seen[path] = content(t, name, o.childrenOf(changed)) != before || seen[path]
			case apierrors.IsInvalid(err): // it cannot be changed: another one shows it
				seen[path] = o.seenInAnother(base, path, before) || seen[path]
			default:
				t.Fatalf("%s: %v", path, err)
			}
			if err := o.replaceSpec(c, base.Spec); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.client.Delete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range apitest.Fields() {
		if _, known := unseen[path]; !seen[path] && !known {
			t.Errorf("no change of %s was seen", path)
		}
	}
}

// seenInAnother tells whether a cluster that is made with another value of a field
// has other objects.
func (o *operator) seenInAnother(base *v1alpha1.GoHubCluster, path, before string) bool {
	o.t.Helper()
	other := &v1alpha1.GoHubCluster{Spec: *base.Spec.DeepCopy()}
	other.Name, other.Namespace = fmt.Sprintf("%s-%x", base.Name, rand.Uint32()), o.namespace
	apitest.Change(&other.Spec, path)
	if err := o.client.Create(o.t.Context(), other); err != nil {
		o.t.Logf("%s: %v", path, err) // another spec has to show it
		return false
	}
	o.awaitLook(other)
	after := content(o.t, other.Name, o.childrenOf(other))
	if err := o.client.Delete(o.t.Context(), other); err != nil {
		o.t.Fatal(err)
	}
	return withoutSecrets(after) != withoutSecrets(before)
}
