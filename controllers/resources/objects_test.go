package resources_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chenxilol/gohub/controllers/resources"
)

func TestMissingCRDs(t *testing.T) {
	c := samples(t)["production"]
	f := facts(c)
	f.HTTPRoutes, f.ServiceMonitors = false, false
	if o := build(t, c, f); o.Hub.HTTPRoute != nil || o.Hub.ServiceMonitor != nil || o.Hub.Deployment == nil {
		t.Error("objects are built whose CRDs are missing, or others are not")
	}
}

func TestClaims(t *testing.T) {
	for spec, want := range map[string]string{
		"{}": "",
		"{bus: {nats: {managed: {jetStream: {}}}}}":                                  "data-x-nats-0 10Gi, data-x-nats-1 10Gi, data-x-nats-2 10Gi",
		"{bus: {nats: {managed: {replicas: 1, jetStream: {storage: {size: 1Gi}}}}}}": "data-x-nats-0 1Gi",
		"{bus: {type: redis, redis: {managed: {}}}}":                                 "",
		"{bus: {type: redis, redis: {managed: {storage: {}}}}}":                      "data-x-redis-0 10Gi",
		"{bus: {type: embedded}}":                                                    "",
	} {
		var got []string
		for _, claim := range resources.Claims(withSpec(t, spec)) {
			got = append(got, fmt.Sprintf("%s %s", claim.Name, claim.Size.String()))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
}

func TestDefaultImages(t *testing.T) {
	c := withSpec(t, "{}")
	f := facts(c)
	if got := f.HubImage(c); got != "hub:1" {
		t.Errorf("hub: %s", got)
	}
	if got := *build(t, c, f).NATS.StatefulSet.Spec.Template.Spec.Containers[0].Image; got != "nats:2" {
		t.Errorf("nats: %s", got)
	}
	if got := f.HubImage(withSpec(t, "{image: own}")); got != "own" {
		t.Errorf("own: %s", got)
	}
}

func TestTimeoutsOfRoutes(t *testing.T) {
	for timeout, want := range map[string]string{"0s": "0s", "24h": "24h", "1500ms": "1s500ms", "90m": "1h30m", "1h1m1s1ms": "1h1m1s1ms"} {
		c := withSpec(t, "{httpRoute: {parentRefs: [{name: g}], timeout: "+timeout+"}}")
		if got := *build(t, c, facts(c)).Hub.HTTPRoute.Spec.Rules[0].Timeouts.Request; string(got) != want {
			t.Errorf("%s: %s, want %s", timeout, got, want)
		}
	}
}

func TestLongestNames(t *testing.T) {
	c := withSpec(t, "{bus: {nats: {managed: {jetStream: {}}}}, httpRoute: {parentRefs: [{name: g}]}}")
	c.Name = strings.Repeat("a", 40)
	for _, o := range build(t, c, facts(c)).All() {
		// 17 for the hash of a ReplicaSet and the letters of its pod.
		if name := *o.GetName(); len(name)+17 > 63 && *o.GetKind() == "Deployment" || len(name) > 63 {
			t.Errorf("%s %s has %d characters", *o.GetKind(), name, len(name))
		}
	}
}

func TestSchemeKnowsAllKinds(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := resources.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, k := range resources.Kinds() {
		if !scheme.Recognizes(k.GroupVersionKind) && k.Kind != resources.ServiceMonitorKind {
			t.Errorf("%s is unknown", k.Kind)
		}
		if !scheme.Recognizes(k.GroupVersion().WithKind("PatchOptions")) {
			t.Errorf("%s: the options of its group are unknown", k.Kind)
		}
	}
}
