//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/pkg/client"
)

const crdName = "gohubclusters.gohub.io"

// The chart installs the operator and a cluster, tests them, upgrades itself and
// the CRD while clients stay connected, and leaves nothing behind but the CRD,
// which helm keeps since all clusters would go with it.
func TestChart(t *testing.T) {
	a := connect(t)
	uninstall(t)
	kubectl(t, "delete", "namespace", operatorNamespace, "--ignore-not-found") // what an operator before has left
	makeNamespace(t, operatorNamespace)
	await(t, "the namespace has what every namespace has", time.Minute, func() error {
		_, err := run("", "kubectl", "get", "serviceaccount/default", "configmap/kube-root-ca.crt", "--namespace", operatorNamespace)
		return err
	})
	before := listObjects(t)
	h := hubs{a, operatorNamespace, "chat"}
	withCluster := []string{"--set", "cluster.create=true,cluster.name=chat,cluster.spec.bus.type=embedded"}
	applied := time.Now()
	installOperator(t, a, withCluster...)
	h.awaitReady(t, applied)
	helm(t, "test", release, "--namespace", operatorNamespace, "--timeout", "2m")
	t.Log("helm test: passed")

	c := listen(t, h.url(), client.Options{})
	hubPods := uids(t, h)
	operator := operatorPod(t, a)
	kubectl(t, "patch", "crd", crdName, "--type=json",
		`--patch=[{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/paused"}]`)
	if hasField(t, a, "paused") {
		t.Fatal("the CRD still has the field that was removed")
	}
	installOperator(t, a, append(withCluster, "--set", "log.level=debug")...)
	if !hasField(t, a, "paused") {
		t.Error("the upgrade did not update the CRD")
	}
	if again := operatorPod(t, a); again.UID == operator.UID {
		t.Error("the upgrade did not replace the operator")
	}
	h.awaitSettled(t, "upgraded")
	if after := uids(t, h); !slices.Equal(after, hubPods) {
		t.Errorf("the upgrade of the operator replaced hubs: %v, before %v", after, hubPods)
	}
	if _, err := c.Request(t.Context(), "ping", map[string]int{"ts": 1}); err != nil || c.connections() != 1 {
		t.Errorf("a client connected %d times, and its ping: %v", c.connections(), err)
	}

	uninstall(t)
	took := await(t, "nothing is left", 90*time.Second, func() error { return difference(before, listObjects(t)) })
	t.Logf("helm uninstall left nothing of %d objects but the CRD, after %v", len(before), since(took))
	if kubectl(t, "get", "crd", crdName, "-o", "name") == "" {
		t.Error("the CRD is gone")
	}
}

// uninstall removes the release where there is one.
func uninstall(t *testing.T) {
	t.Helper()
	helm(t, "uninstall", release, "--namespace", operatorNamespace, "--ignore-not-found", "--wait", "--timeout", "3m")
}

func uids(t *testing.T, h hubs) []types.UID {
	t.Helper()
	var all []types.UID
	for _, p := range h.readyPods(t, resources.ComponentHub) {
		all = append(all, p.UID)
	}
	slices.Sort(all)
	return all
}

// hasField tells whether the spec has a field by the CRD that is installed.
func hasField(t *testing.T, a api, field string) bool {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	if err := a.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+crdName, &crd); err != nil {
		t.Fatal(err)
	}
	_, ok := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties[field]
	return ok
}

// listObjects lists all objects of all kinds, but events and what other tests
// have in namespaces of their own.
func listObjects(t *testing.T) []string {
	t.Helper()
	kinds := strings.Fields(kubectl(t, "api-resources", "--verbs=list", "-o", "name"))
	kinds = slices.DeleteFunc(kinds, func(kind string) bool {
		return kind == "events" || kind == "events.events.k8s.io" || kind == "customresourcedefinitions.apiextensions.k8s.io"
	})
	lines := strings.Split(kubectl(t, "get", strings.Join(kinds, ","), "--all-namespaces", "--ignore-not-found", "-o",
		`jsonpath={range .items[*]}{.apiVersion} {.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}`), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, " e2e-") || strings.Contains(line, "/e2e-") ||
			strings.Contains(line, " PersistentVolume ") || strings.Contains(line, " IPAddress ") // these are theirs, by other names
	})
	slices.Sort(lines)
	return slices.Compact(lines)
}

// difference is an error unless two lists hold the same.
func difference(before, after []string) error {
	var all []string
	for _, line := range after {
		if !slices.Contains(before, line) {
			all = append(all, "left: "+line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			all = append(all, "missing: "+line)
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("%s", strings.Join(all, "; "))
	}
	return nil
}
