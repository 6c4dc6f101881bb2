package resources_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/controllers/resources"
)

var update = flag.Bool("update", false, "write the golden files")

// Secrets are shown in plain text in the golden files.
func TestSamples(t *testing.T) {
	all := samples(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			c := all[name]
			got := manifest(t, build(t, c, facts(c)))
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from line %d on; look at the change, then: go test ./controllers/resources -update", path, firstDifference(got, string(want)))
			}
		})
	}
	golden, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(golden) != len(all) {
		t.Errorf("%d golden files for %d samples, %v", len(golden), len(all), err)
	}
}

func firstDifference(a, b string) int {
	one, other := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(one), len(other)) {
		if one[i] != other[i] {
			return i + 1
		}
	}
	return min(len(one), len(other)) + 1
}

func TestBuildIsPure(t *testing.T) {
	for name, c := range samples(t) {
		before := c.DeepCopy()
		f := facts(c)
		first := manifest(t, build(t, c, f))
		if second := manifest(t, build(t, c, f)); first != second {
			t.Errorf("%s: two builds differ", name)
		}
		if !equal(c, before) {
			t.Errorf("%s: the cluster was changed", name)
		}
	}
}

// Every object says what it is, where it belongs and whose it is.
func TestEveryObjectHasItsMetadata(t *testing.T) {
	for name, c := range samples(t) {
		seen := map[string]bool{}
		for _, o := range build(t, c, facts(c)).All() {
			if o.GetAPIVersion() == nil || o.GetKind() == nil || o.GetName() == nil || o.GetNamespace() == nil {
				t.Fatalf("%s: an object without kind or name: %s", name, text(t, o))
			}
			id := *o.GetKind() + "/" + *o.GetName()
			if seen[id] {
				t.Errorf("%s: %s is there twice", name, id)
			}
			seen[id] = true
			if *o.GetNamespace() != c.Namespace {
				t.Errorf("%s: %s is in namespace %q", name, id, *o.GetNamespace())
			}
			y := text(t, o)
			retained := strings.HasSuffix(*o.GetName(), "-credentials") && c.Spec.Bus.NATS != nil && c.Spec.Bus.NATS.Managed != nil && c.Spec.Bus.NATS.Managed.Retain
			for _, want := range []string{"app.kubernetes.io/managed-by: gohub-operator", "app.kubernetes.io/instance: " + c.Name, "uid: " + string(c.UID)} {
				if strings.Contains(y, want) == (retained && strings.HasPrefix(want, "uid")) {
					t.Errorf("%s: %s: %q is wrong in\n%s", name, id, want, y)
				}
			}
			if _, ok := resources.KindOf(o); !ok {
				t.Errorf("%s: %s is of no kind of Kinds", name, id)
			}
			// Nothing that another owns, and no zero of the API's types.
			for _, not := range []string{"\nstatus:", "creationTimestamp", ": null", ": {}\n"} {
				if strings.Contains(strings.ReplaceAll(y, "emptyDir: {}", ""), not) {
					t.Errorf("%s: %s has %q in\n%s", name, id, not, y)
				}
			}
		}
	}
}
