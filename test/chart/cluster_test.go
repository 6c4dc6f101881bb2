package chart

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// chartCRD returns the schema of the CRD in the chart.
func chartCRD(t *testing.T) *apiextensions.JSONSchemaProps {
	t.Helper()
	files, err := filepath.Glob(chartDir + "/crds/*.yaml")
	if err != nil || len(files) != 1 {
		t.Fatalf("CRDs: %v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, crd); err != nil {
		t.Fatal(err)
	}
	types := runtime.NewScheme()
	install.Install(types)
	types.Default(crd)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := types.Convert(crd, internal, nil); err != nil {
		t.Fatal(err)
	}
	if internal.Spec.Validation != nil {
		return internal.Spec.Validation.OpenAPIV3Schema
	}
	return internal.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// judge returns what tells what the API server has against an object of the CRD.
func judge(t *testing.T) func(object map[string]any) []string {
	t.Helper()
	props := chartCRD(t)
	structural, err := schema.NewStructural(props)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		t.Fatal(err)
	}
	rules := cel.NewValidator(structural, true, apiservercel.PerCallLimit)
	return func(object map[string]any) []string {
		var found []string
		for _, path := range pruning.PruneWithOptions(object, structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
			found = append(found, "unknown field "+path)
		}
		defaulting.Default(object, structural)
		errs := validation.ValidateCustomResource(nil, object, validator)
		broken, _ := rules.Validate(t.Context(), nil, structural, object, nil, apiservercel.RuntimeCELCostBudget)
		for _, err := range append(errs, broken...) {
			found = append(found, err.Error())
		}
		return found
	}
}

// TestClusterIsTaken: the GoHubCluster of the chart is one that its CRD takes.
func TestClusterIsTaken(t *testing.T) {
	refusals, seen := judge(t), 0
	for name, s := range scenarios() {
		for _, o := range render(t, s.values, s.flags...) {
			if o.GetKind() == "GoHubCluster" {
				seen++
				for _, refusal := range refusals(o.Object) {
					t.Errorf("%s: %s", name, refusal)
				}
			}
		}
	}
	if seen < 4 {
		t.Errorf("%d clusters seen", seen)
	}
	bad := render(t, "cluster: {create: true, spec: {replicaz: 3, bus: {type: kafka}}}")
	for _, o := range bad {
		if o.GetKind() == "GoHubCluster" && len(refusals(o.Object)) < 2 {
			t.Error("the spec is not passed on as it is")
		}
	}
}

// TestSamplesPassThrough: every sample's spec is what the chart makes of it.
func TestSamplesPassThrough(t *testing.T) {
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("samples: %v %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range parse(t, data) {
			if sample.GetKind() != "GoHubCluster" {
				continue
			}
			spec, err := yaml.Marshal(map[string]any{"cluster": map[string]any{"create": true, "spec": sample.Object["spec"]}})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range render(t, string(spec)) {
				if o.GetKind() == "GoHubCluster" && fmt.Sprint(o.Object["spec"]) != fmt.Sprint(sample.Object["spec"]) {
					t.Errorf("%s: %v", file, o.Object["spec"])
				}
			}
		}
	}
}

// checkPod returns the pod of helm test, nil where there is none.
func checkPod(t *testing.T, values string) *corev1.PodSpec {
	t.Helper()
	for id, p := range pods(t, render(t, values)) {
		if strings.HasPrefix(id, "Pod ") {
			return &p.Spec
		}
	}
	return nil
}

// TestCheckPod: what helm test starts is a command of the hub that hears its own
// message.
func TestCheckPod(t *testing.T) {
	const cluster = "cluster: {create: true, spec: {service: {port: 8000}}}"
	args := checkPod(t, cluster).Containers[0].Args
	if want := "check --url=ws://gohub.gohub-system.svc:8000/ws --timeout=2m"; strings.Join(args, " ") != want {
		t.Errorf("args %q, want %q", args, want)
	}
	for values, want := range map[string]string{
		"cluster: {create: true, spec: {tls: {}}}":                                    "--url=wss://gohub.gohub-system.svc:80/ws",
		"cluster: {create: true, name: chat}\ntest: {url: 'wss://a.example/ws'}":      "--url=wss://a.example/ws",
		"cluster: {create: true, spec: {auth: {}}}\ntest: {tokenSecret: two-of-them}": "--token-file=/etc/gohub/tokens",
	} {
		if args := checkPod(t, values).Containers[0].Args; !strings.Contains(strings.Join(args, " "), want) {
			t.Errorf("%s: args %q, want %q", values, args, want)
		}
	}
	for _, values := range []string{"", "cluster: {create: true}\ntest: {enabled: false}", "cluster: {create: true, spec: {auth: {}}}"} {
		if pod := checkPod(t, values); pod != nil {
			t.Errorf("%s: there is a pod, %v", values, pod.Containers[0].Args)
		}
	}

	hub := filepath.Join(t.TempDir(), "hub")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", hub, "../../cmd/hub").CombinedOutput(); err != nil {
		t.Fatalf("build the hub: %v\n%s", err, out)
	}
	srv := hubtest.NewServer(t, &server.Options{})
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), hub, append(args, "--url", srv.URL("ws")+"/ws")...) // the last one counts
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "was heard after") {
		t.Errorf("%v %s", err, out.String())
	}
}

// TestNotes: what is printed after an install fits the values.
func TestNotes(t *testing.T) {
	// helm prints them only with an API server. A copy of the chart has them as
	// an object.
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "templates/NOTES.txt"), filepath.Join(dir, "files/NOTES.txt")); err != nil {
		t.Fatal(err)
	}
	object := "apiVersion: v1\nkind: Notes\nmetadata: {name: notes}\ntext: {{ tpl (.Files.Get \"files/NOTES.txt\") . | quote }}\n"
	if err := os.WriteFile(filepath.Join(dir, "templates/notes.yaml"), []byte(object), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		set       string
		want, not []string
	}{
		{"cluster.create=true", []string{"ws://gohub.hubs.svc:80/ws", "port-forward service/gohub 8080:80", "wscat --connect ws://localhost:8080/ws", "helm test gohub --namespace hubs", "every namespace"}, []string{"WARNING", "kind:"}},
		{"cluster.create=true,cluster.spec.tls.secretName=x,test.enabled=false", []string{"--connect wss://localhost"}, []string{"helm test"}},
		{"rbac.scope=namespace,watchNamespaces={b,a}", []string{"watches a, b.", "kubectl --namespace a apply", "kind: GoHubCluster"}, []string{"helm test"}},
		{"prometheusRule.enabled=true", []string{"WARNING: there is no monitoring.coreos.com/v1"}, nil},
	} {
		text, err := runHelm(t, "template", release, dir, "--namespace", "hubs", "--kube-version", kubeVersion, "--show-only", "templates/notes.yaml", "--set", tt.set)
		if err != nil {
			t.Fatal(err)
		}
		notes, _, _ := unstructured.NestedString(parse(t, []byte(text))[0].Object, "text")
		for _, want := range tt.want {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: no %q in\n%s", tt.set, want, notes)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(notes, not) {
				t.Errorf("%s: %q in\n%s", tt.set, not, notes)
			}
		}
	}
}
