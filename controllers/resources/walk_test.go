package resources_test

import (
	"maps"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/api/v1alpha1/apitest"
)

// unseen are the fields that no object shows, each with the reason.
var unseen = map[string]string{
	"paused":                        "the reconciler then does nothing",
	"autoscaling.min":               "decides the number of hubs, which is a fact here",
	"autoscaling.max":               "as min",
	"autoscaling.connectionsPerPod": "as min",
	"autoscaling.scaleDownWindow":   "as min",
}

// Every field of the spec, when it is changed, changes an object.
func TestEveryFieldIsSeen(t *testing.T) {
	specs, err := apitest.Full()
	if err != nil {
		t.Fatal(err)
	}
	walked := map[string]bool{}
	for _, spec := range specs {
		c := defaulted(t, &v1alpha1.GoHubCluster{Spec: spec})
		before := manifest(t, build(t, c, facts(c)))
		for _, path := range apitest.SetFields(&c.Spec) {
			t.Run(path, func(t *testing.T) {
				changed := c.DeepCopy()
				apitest.Change(&changed.Spec, path)
				if equal(changed.Spec, c.Spec) {
					return // it has the other value already, a default
				}
				walked[path] = true
				same := manifest(t, build(t, changed, facts(changed))) == before
				if _, expected := unseen[path]; same != expected {
					t.Errorf("unseen: %v, expected: %v", same, expected)
				}
			})
		}
	}
	for _, path := range apitest.Fields() {
		if !walked[path] {
			t.Errorf("no spec of full.yaml sets %s to what can be changed", path)
		}
	}
	for path := range maps.Keys(unseen) {
		if !walked[path] {
			t.Errorf("there is no field %s", path)
		}
	}
}

// defaulted returns c, named x, with the defaults of the schema.
func defaulted(t *testing.T, c *v1alpha1.GoHubCluster) *v1alpha1.GoHubCluster {
	t.Helper()
	c.Name = "x"
	data, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return cluster(t, data)
}
