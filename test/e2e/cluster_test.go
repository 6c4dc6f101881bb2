//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// hubs is a GoHubCluster in a namespace of its own.
type hubs struct {
	api
	namespace, name string
}

// readyWithin is the bound of the design for a new cluster.
const readyWithin = 90 * time.Second

// newHubs makes the namespace, which goes with the test unless that has failed:
// then its logs are wanted.
func newHubs(t *testing.T, a api, name string) hubs {
	t.Helper()
	h := hubs{a, fmt.Sprintf("e2e-%s-%d", name, time.Now().Unix()%100_000), name}
	makeNamespace(t, h.namespace)
	t.Cleanup(func() {
		if !t.Failed() {
			kubectl(t, "delete", "namespace", h.namespace, "--wait=false")
		}
	})
	return h
}

// apply applies manifests in the namespace.
func (h hubs) apply(t *testing.T, manifest string) {
	t.Helper()
	kubectlWith(t, manifest, "apply", "--namespace", h.namespace, "-f", "-")
}

// applySpec applies the cluster with a spec in YAML, whose first line is not
// indented.
func (h hubs) applySpec(t *testing.T, spec string) {
	t.Helper()
	spec = "  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ")
	h.apply(t, "apiVersion: gohub.io/v1alpha1\nkind: GoHubCluster\nmetadata:\n  name: "+h.name+"\nspec:\n"+spec+"\n")
}

// patch changes the cluster by a JSON merge patch.
func (h hubs) patch(t *testing.T, patch string) {
	t.Helper()
	kubectl(t, "patch", "ghc", h.name, "--namespace", h.namespace, "--type=merge", "--patch="+patch)
}

// url is that of the Service's websockets.
func (h hubs) url() string { return "ws://" + h.name + "." + h.namespace + ".svc.cluster.local/ws" }

// status is an error while the cluster is not ready and as wanted.
func (h hubs) settled() error {
	c, err := h.cluster(h.namespace, h.name)
	if err != nil {
		return err
	}
	ready := meta.FindStatusCondition(c.Status.Conditions, string(v1alpha1.ConditionReady))
	progressing := meta.FindStatusCondition(c.Status.Conditions, string(v1alpha1.ConditionProgressing))
	switch {
	case ready == nil || progressing == nil:
		return errors.New("no conditions")
	case c.Status.ObservedGeneration != c.Generation:
		return fmt.Errorf("generation %d of %d", c.Status.ObservedGeneration, c.Generation)
	case ready.Status != "True":
		return fmt.Errorf("Ready is %s: %s: %s", ready.Status, ready.Reason, ready.Message)
	case progressing.Status != "False" || progressing.Reason != string(v1alpha1.ReasonUpToDate):
		return fmt.Errorf("Progressing is %s: %s: %s", progressing.Status, progressing.Reason, progressing.Message)
	}
	return nil
}

// ready is an error while the cluster does not serve.
func (h hubs) ready() error {
	c, err := h.cluster(h.namespace, h.name)
	if err != nil {
		return err
	}
	if c.Status.ObservedGeneration != c.Generation || !meta.IsStatusConditionTrue(c.Status.Conditions, string(v1alpha1.ConditionReady)) {
		return fmt.Errorf("conditions %+v", c.Status.Conditions)
	}
	return nil
}

// awaitReady waits for a cluster that was applied at a time, and logs how long it
// took and where it runs.
func (h hubs) awaitReady(t *testing.T, applied time.Time) {
	t.Helper()
	await(t, h.name+" is Ready", patience, h.ready)
	took := time.Since(applied)
	t.Logf("%s is Ready after %v", h.name, since(took))
	if took > readyWithin {
		t.Errorf("%s took %v to be Ready, want %v", h.name, since(took), readyWithin)
	}
	h.logPods(t)
}

// awaitSettled waits until all changes have come to their end.
func (h hubs) awaitSettled(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: settled after %v", what, since(await(t, what, patience, h.settled)))
}

// hubPods are the pods of hubs, terminating ones included.
func (h hubs) hubPods() ([]corev1.Pod, error) { return h.componentPods(resources.ComponentHub) }

func (h hubs) componentPods(component string) ([]corev1.Pod, error) {
	c := &v1alpha1.GoHubCluster{}
	c.Name = h.name
	return h.pods(h.namespace, resources.Selector(c, component))
}

// mustPods are those of a component that are ready.
func (h hubs) readyPods(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	pods, err := h.componentPods(component)
	if err != nil {
		t.Fatal(err)
	}
	var all []corev1.Pod
	for _, p := range pods {
		if ready(p) {
			all = append(all, p)
		}
	}
	return all
}

// logPods shows which pods there are, on which nodes.
func (h hubs) logPods(t *testing.T) {
	t.Helper()
	t.Logf("pods of %s:\n%s", h.namespace, kubectl(t, "get", "pods", "--namespace", h.namespace, "-o",
		"custom-columns=NAME:.metadata.name,UID:.metadata.uid,NODE:.spec.nodeName,IP:.status.podIP,READY:.status.conditions[?(@.type=='Ready')].status"))
}

// checkSpread checks that the hubs are on both nodes.
func (h hubs) checkSpread(t *testing.T) {
	t.Helper()
	nodes := map[string]int{}
	for _, p := range h.readyPods(t, resources.ComponentHub) {
		nodes[p.Spec.NodeName]++
	}
	if len(nodes) != 2 {
		t.Errorf("hubs by node: %v, want both nodes", nodes)
	}
}
