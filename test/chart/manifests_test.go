package chart

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestManifests: what make writes for those without Helm is what the chart makes,
// with its CRD and without its hooks.
func TestManifests(t *testing.T) {
	file := t.TempDir() + "/install.yaml"
	cmd := exec.CommandContext(t.Context(), "make", "-s", "-C", "../..", "manifests", "MANIFESTS="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, o := range parse(t, data) {
		typed(t, o)
		kinds[o.GetKind()]++
		if o.GetAnnotations()["helm.sh/hook"] != "" {
			t.Errorf("%s %s is a hook", o.GetKind(), o.GetName())
		}
	}
	if kinds["Namespace"] != 1 || kinds["CustomResourceDefinition"] != 1 || kinds["Deployment"] != 1 || kinds["ClusterRoleBinding"] != 2 {
		t.Errorf("objects %v", kinds)
	}
}

// TestChartNamesItsImages: the annotations of Chart.yaml, by which mirrors are
// filled, name what the operator is told.
func TestChartNamesItsImages(t *testing.T) {
	data, err := os.ReadFile(chartDir + "/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var chart struct {
		AppVersion  string
		Annotations map[string]string
	}
	if err := yaml.Unmarshal(data, &chart); err != nil {
		t.Fatal(err)
	}
	var images []struct{ Name, Image string }
	if err := yaml.Unmarshal([]byte(chart.Annotations["artifacthub.io/images"]), &images); err != nil {
		t.Fatal(err)
	}
	operator := pods(t, render(t, ""))["Deployment gohub-operator"].Spec.Containers[0]
	text := operator.Image + " " + strings.Join(operator.Args, " ") + " "
	if len(images) != 4 {
		t.Errorf("%d images", len(images))
	}
	for _, i := range images {
		want := "--" + i.Name + "-image=" + i.Image + " "
		if i.Name == "operator" {
			want = i.Image + " "
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in %s", i.Name, want, text)
		}
	}
	// The operator's NATS is the one that hubs are tested with.
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(string(module), "nats-io/nats-server/v2 v")
	version, _, _ = strings.Cut(version, "\n")
	if want := "docker.io/library/nats:" + version + "-alpine "; !strings.Contains(text, want) {
		t.Errorf("no %q in %s", want, text)
	}
}
