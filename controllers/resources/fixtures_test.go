package resources_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/api/v1alpha1/apitest"
	"github.com/chenxilol/gohub/config/crd"
	"github.com/chenxilol/gohub/controllers/resources"
)

// structural is the schema of GoHubCluster, for its defaults.
var structural = sync.OnceValues(func() (*schema.Structural, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.GoHubCluster(), definition); err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(definition)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(definition, internal, nil); err != nil {
		return nil, err
	}
	props := internal.Spec.Validation
	if props == nil {
		props = internal.Spec.Versions[0].Schema
	}
	return schema.NewStructural(props.OpenAPIV3Schema)
})

// cluster returns the GoHubCluster in a manifest with its defaults.
func cluster(t testing.TB, manifest []byte) *v1alpha1.GoHubCluster {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict(manifest)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, manifest)
	}
	object := map[string]any{}
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	s, err := structural()
	if err != nil {
		t.Fatal(err)
	}
	defaulting.Default(object, s)
	if data, err = json.Marshal(object); err != nil {
		t.Fatal(err)
	}
	c := &v1alpha1.GoHubCluster{}
	if err := yaml.UnmarshalStrict(data, c); err != nil {
		t.Fatal(err)
	}
	c.Namespace, c.UID = "chat", "8c6f3d2e-0000-4000-8000-000000000000"
	return c
}

// withSpec returns a cluster named x.
func withSpec(t testing.TB, spec string) *v1alpha1.GoHubCluster {
	t.Helper()
	return cluster(t, []byte("metadata: {name: x}\nspec: "+spec))
}

// samples are the clusters of config/samples by name.
func samples(t testing.TB) map[string]*v1alpha1.GoHubCluster {
	t.Helper()
	paths, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d samples, %v", len(paths), err)
	}
	all := map[string]*v1alpha1.GoHubCluster{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".yaml")] = cluster(t, data)
	}
	return all
}

// facts are those of a Kubernetes cluster that has everything c asks for. A Secret
// has one way to sign in where its name says "login".
func facts(c *v1alpha1.GoHubCluster) resources.Facts {
	f := resources.Facts{
		Images: resources.Images{Hub: "hub:1", NATS: "nats:2", Redis: "redis:7"},
		Operator: resources.Operator{
			Namespace: "gohub-system",
			PodLabels: map[string]string{"app.kubernetes.io/name": "gohub-operator"},
		},
		Replicas:        *c.Spec.Replicas,
		Secrets:         map[string]map[string][]byte{},
		HTTPRoutes:      true,
		ServiceMonitors: true,
	}
	for _, name := range resources.SecretNames(c) {
		if name != resources.HubName(c) {
			f.Secrets[name] = apitest.SecretData(name)
		}
	}
	for _, g := range resources.GeneratedSecrets(c) {
		f.Secrets[g.Name] = map[string][]byte{}
		for _, key := range g.Keys {
			f.Secrets[g.Name][key] = []byte(strings.ToUpper("GENERATED" + key))
		}
	}
	return f
}

func equal(a, b any) bool { return equality.Semantic.DeepEqual(a, b) }

// build is Build for a cluster that must be right.
func build(t testing.TB, c *v1alpha1.GoHubCluster, f resources.Facts) resources.Objects {
	t.Helper()
	o, err := resources.Build(c, f)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// refused is the reason and text of what keeps Build from building.
func refused(t testing.TB, c *v1alpha1.GoHubCluster, f resources.Facts) (v1alpha1.ConditionReason, string) {
	t.Helper()
	o, err := resources.Build(c, f)
	var invalid *resources.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("Build: %v, want an InvalidError", err)
	}
	if len(o.All()) > 0 {
		t.Errorf("%d objects beside an error", len(o.All()))
	}
	return invalid.Reason, err.Error()
}

// text writes an object as YAML, with the data of Secrets to be read.
func text(t testing.TB, o resources.Object) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	u := map[string]any{}
	if err := json.Unmarshal(data, &u); err != nil {
		t.Fatal(err)
	}
	if secret, ok := u["data"].(map[string]any); ok && u["kind"] == "Secret" {
		readable := map[string][]byte{}
		if data, err = json.Marshal(secret); err == nil {
			err = json.Unmarshal(data, &readable)
		}
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range readable {
			secret[key] = string(value)
		}
	}
	if data, err = yaml.Marshal(u); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// manifest writes all objects.
func manifest(t testing.TB, o resources.Objects) string {
	t.Helper()
	var all strings.Builder
	for _, object := range o.All() {
		all.WriteString("---\n" + text(t, object))
	}
	return all.String()
}
