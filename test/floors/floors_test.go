package floors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// house is every package's floor, from the top down: a package imports of the
// module only what lies on floors below its own. "x/..." is x and all below
// it; where several patterns match, the most exact counts.
var house = [][]string{
	{"cmd/...", "hubtest", "examples/...", "test/...", "hack/...", "internal/docgen"},
	{"server", "internal/page"},
	{"internal/hub"},
	{"internal/hub/cluster/..."},
	{"internal/hub/room"},
	{"internal/hub/conn", "internal/hub/dispatch"},
	{"internal/hub/wire"},
	{"pkg/client"},
	{"pkg/sdk"},          // what the core implements, so below it
	{"pkg/bus/embedded"}, // servers inside the hubs, and the client of pkg/bus/nats
	{"pkg/bus/..."},
	{"pkg/bus"},
	{"pkg/hub"},
	{"pkg/auth"},
	{"controllers"}, // beside the hub, not over it: see operatorMayImport
	{"controllers/hubstats"},
	{"controllers/..."},
	{"api/v1alpha1/apitest"},
	{"api/...", "config/..."},
	{"pkg/api", "pkg/config", "internal/fault", "hack/image/oci", "test/peer", "test/certs", "test/chaos/history"},
}

// operatorMayImport is all of the module that the operator knows.
var operatorMayImport = []string{"api/...", "config/...", "pkg/api", "pkg/config", "controllers/..."}

// knowKubernetes may import Kubernetes; nothing of the hub does.
var knowKubernetes = []string{"cmd/operator/...", "controllers/...", "api/...", "test/...", "hack/..."}

// bare have the standard library only, so that anyone can import them.
var bare = []string{"pkg/api", "pkg/config"}

// emptyNames say nothing about what a package is for.
var emptyNames = []string{"util", "utils", "helper", "helpers", "common"}

func TestPackagesKeepToTheirFloors(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("%d packages found", len(packages))
	}
	for _, p := range packages {
		for _, problem := range problems(p) {
			t.Error(problem)
		}
	}
}

// problems returns what a package must not be or import.
func problems(p pkg) []string {
	var found []string
	report := func(format string, args ...any) {
		found = append(found, p.path+": "+fmt.Sprintf(format, args...))
	}
	own := floorOf(p.path)
	if own < 0 {
		report("has no floor: give it one in house")
	}
	for _, path := range p.ours() {
		if own >= 0 && floorOf(path) <= own {
			report("imports %s, which is not on a floor below", path)
		}
		if matchesAny([]string{"controllers/..."}, p.path) && !matchesAny(operatorMayImport, path) {
			report("imports %s; the operator may import %v only", path, operatorMayImport)
		}
	}
	for _, dep := range p.deps {
		if !matchesAny(knowKubernetes, p.path) && isKubernetes(dep) {
			report("depends on %s; the hub knows nothing of Kubernetes", dep)
		}
		if matchesAny(bare, p.path) && !isStandard(dep) {
			report("depends on %s; it may use the standard library only", dep)
		}
	}
	for _, name := range append(strings.Split(p.path, "/"), p.name) {
		if slices.Contains(emptyNames, name) {
			report("the name %q says nothing", name)
		}
	}
	return found
}

// floorOf returns the index in house, -1 for no floor.
func floorOf(path string) int {
	floor, length := -1, 0
	for i, patterns := range house {
		for _, pattern := range patterns {
			if pattern == path {
				return i
			}
			if len(pattern) > length && matches(pattern, path) {
				floor, length = i, len(pattern)
			}
		}
	}
	return floor
}

func matches(pattern, path string) bool {
	root, tree := strings.CutSuffix(pattern, "/...")
	return path == root || tree && strings.HasPrefix(path, root+"/")
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, path) })
}

func isKubernetes(path string) bool {
	return strings.HasPrefix(path, "k8s.io/") || matches("sigs.k8s.io/controller-runtime/...", path)
}

// isStandard tells standard packages by their first element, which has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		pkg  pkg
		want string // a part of the one problem, "" for none
	}{
		{"down", pkg{path: "server", imports: []string{module + "/internal/hub", module + "/pkg/config"}}, ""},
		{"up", pkg{path: "pkg/hub", imports: []string{module + "/server"}}, "imports server"},
		{"core from the SDK", pkg{path: "pkg/sdk", imports: []string{module + "/internal/hub"}}, "imports internal/hub"},
		{"same floor", pkg{path: "internal/hub/conn", imports: []string{module + "/internal/hub/dispatch"}}, "internal/hub/dispatch"},
		{"driver on the contract", pkg{path: "pkg/bus/nats", imports: []string{module + "/pkg/bus"}}, ""},
		{"contract on a driver", pkg{path: "pkg/bus", imports: []string{module + "/pkg/bus/nats"}}, "imports pkg/bus/nats"},
		{"no floor", pkg{path: "pkg/new"}, "no floor"},
		{"controller on builders", pkg{path: "controllers", imports: []string{module + "/controllers/resources", module + "/api/v1alpha1", module + "/pkg/config"}}, ""},
		{"builders on controller", pkg{path: "controllers/resources", imports: []string{module + "/controllers"}}, "imports controllers"},
		{"controller with Kubernetes", pkg{path: "controllers", deps: []string{"k8s.io/api/core/v1"}}, ""},
		{"hub with Kubernetes", pkg{path: "internal/hub", deps: []string{"k8s.io/api/core/v1"}}, "Kubernetes"},
		{"hub with controller-runtime", pkg{path: "cmd/hub", deps: []string{"sigs.k8s.io/controller-runtime"}}, "Kubernetes"},
		{"yaml is not Kubernetes", pkg{path: "server", deps: []string{"sigs.k8s.io/yaml"}}, ""},
		{"bare", pkg{path: "pkg/config", deps: []string{"net/http", "vendor/golang.org/x/net/http/httpguts"}}, ""},
		{"not bare", pkg{path: "pkg/config", deps: []string{"gopkg.in/yaml.v3"}}, "standard library"},
		{"bare on the module", pkg{path: "pkg/api", deps: []string{module + "/pkg/auth"}}, "standard library"},
		{"empty name in the path", pkg{path: "cmd/hub/utils/text"}, `"utils"`},
		{"empty package name", pkg{path: "test/text", name: "helpers"}, `"helpers"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := problems(c.pkg)
			if c.want == "" && len(found) > 0 {
				t.Errorf("got %q, want none", found)
			}
			if c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)) {
				t.Errorf("got %q, want one with %q", found, c.want)
			}
		})
	}
	operator := pkg{path: "controllers", imports: []string{module + "/pkg/hub"}}
	if found := problems(operator); len(found) != 2 {
		t.Errorf("controllers imports pkg/hub: got %q, want the floor and the operator's rule", found)
	}
}
