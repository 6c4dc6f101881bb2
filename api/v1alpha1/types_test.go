package v1alpha1_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/randfill"
)

// allProps returns props and all that it holds.
func allProps(props apiextensionsv1.JSONSchemaProps) []apiextensionsv1.JSONSchemaProps {
	all := []apiextensionsv1.JSONSchemaProps{props}
	for _, p := range props.Properties {
		all = append(all, allProps(p)...)
	}
	if props.Items != nil && props.Items.Schema != nil {
		all = append(all, allProps(*props.Items.Schema)...)
	}
	if props.AdditionalProperties != nil && props.AdditionalProperties.Schema != nil {
		all = append(all, allProps(*props.AdditionalProperties.Schema)...)
	}
	return all
}

// defaulted returns a cluster with the spec as the API server stores it.
func defaulted(t *testing.T, spec string) v1alpha1.GoHubCluster {
	t.Helper()
	stored, errs := newAPIServer(t).create(fromYAML(t, []byte(
		"apiVersion: gohub.io/v1alpha1\nkind: GoHubCluster\nmetadata: {name: x}\nspec: "+spec)))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return typed(t, stored)
}

func typed(t *testing.T, stored map[string]any) v1alpha1.GoHubCluster {
	t.Helper()
	var cluster v1alpha1.GoHubCluster
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(stored, &cluster, true); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func TestDefaults(t *testing.T) {
	spec := defaulted(t, "{}").Spec
	if spec.Replicas == nil || *spec.Replicas != 2 {
		t.Errorf("replicas: %v", spec.Replicas)
	}
	if spec.Bus.Type != v1alpha1.BusNATS || spec.Bus.NATS == nil || spec.Bus.NATS.Managed == nil || spec.Bus.NATS.Managed.Replicas != 3 {
		t.Errorf("bus: %+v", spec.Bus)
	}
	if spec.Service.Port != 80 || spec.Service.Type != "ClusterIP" {
		t.Errorf("service: %+v", spec.Service)
	}
	if spec.Drain.Delay.Duration != config.DefaultDrainDelay || spec.Drain.Window.Duration != 30*time.Second {
		t.Errorf("drain: %v, %v", spec.Drain.Delay, spec.Drain.Window)
	}
	if spec.NetworkPolicy.Enabled == nil || !*spec.NetworkPolicy.Enabled {
		t.Error("no network policy")
	}
	want := v1alpha1.Limits{
		MaxMessageSize:           config.DefaultMaxMessageSize,
		SendQueueBytes:           config.DefaultSendQueueBytes,
		SlowConsumer:             config.DefaultSlowConsumer,
		MessagesPerSecond:        config.DefaultMessagesPerSecond,
		MaxRooms:                 config.DefaultMaxRooms,
		MaxRoomsPerClient:        config.DefaultRoomsPerClient,
		MaxRoomsCreatedPerClient: config.DefaultCreatedPerClient,
	}
	if spec.Limits != want {
		t.Errorf("limits are not those of the hub:\n%+v\nwant\n%+v", spec.Limits, want)
	}
}

func TestDefaultsOfOptionalParts(t *testing.T) {
	spec := defaulted(t, `
  auth: {secretRef: {name: jwt}}
  bus: {nats: {managed: {jetStream: {}}}}
  httpRoute: {parentRefs: [{name: g}]}
  autoscaling: {max: 4, connectionsPerPod: 100}
`).Spec
	if spec.Auth.SecretRef.Key != "key" || spec.Auth.SubjectClaim != config.DefaultJWTSubjectClaim || spec.Auth.Leeway.Duration != config.DefaultJWTLeeway {
		t.Errorf("auth: %+v", spec.Auth)
	}
	if size := spec.Bus.NATS.Managed.JetStream.Storage.Size; size.String() != "10Gi" {
		t.Errorf("storage: %v", size)
	}
	if spec.HTTPRoute.Path != "/ws" || spec.HTTPRoute.Timeout != nil {
		t.Errorf("route: %+v", spec.HTTPRoute)
	}
	if spec.Autoscaling.Min != 2 || spec.Autoscaling.ScaleDownWindow.Duration != 5*time.Minute {
		t.Errorf("autoscaling: %+v", spec.Autoscaling)
	}
}

// A program that makes a cluster from the Go types leaves out what it leaves
// zero, so that the defaults take its place.
func TestZeroValueTakesDefaults(t *testing.T) {
	cluster := v1alpha1.GoHubCluster{}
	cluster.APIVersion, cluster.Kind = v1alpha1.GroupVersion().String(), v1alpha1.Kind
	cluster.Name = "x"
	data, err := json.Marshal(cluster)
	if err != nil {
		t.Fatal(err)
	}
	stored, errs := newAPIServer(t).create(fromJSON(t, data))
	if len(errs) > 0 {
		t.Fatalf("%v in %s", errs.ToAggregate(), data)
	}
	if got, want := typed(t, stored).Spec, defaulted(t, "{}").Spec; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestSamplesKeepTheirMeaning(t *testing.T) {
	server := newAPIServer(t)
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			stored, _ := server.create(fromYAML(t, data))
			cluster := typed(t, stored)
			again, err := json.Marshal(cluster)
			if err != nil {
				t.Fatal(err)
			}
			restored, errs := server.create(fromJSON(t, again))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if got := typed(t, restored); !equality.Semantic.DeepEqual(got, cluster) {
				t.Errorf("through the Go types it becomes\n%+v\nfrom\n%+v", got, cluster)
			}
		})
	}
}

func TestDeepCopySharesNothing(t *testing.T) {
	filler := randfill.NewWithSeed(1).NilChance(0).NumElements(1, 2).Funcs(
		func(raw *runtime.RawExtension, c randfill.Continue) { raw.Raw = []byte(c.String(0)) },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(c.Int63n(1000), resource.BinarySI)
		},
	)
	for range 4 {
		var cluster v1alpha1.GoHubCluster
		filler.Fill(&cluster.Spec)
		filler.Fill(&cluster.Status)
		copied := cluster.DeepCopy()
		if !reflect.DeepEqual(copied, &cluster) {
			t.Fatal("the copy differs")
		}
		shared(t, reflect.ValueOf(cluster), reflect.ValueOf(*copied), "")
	}
}

// shared reports pointers, lists and maps that a and b have in common.
func shared(t *testing.T, a, b reflect.Value, path string) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if field := a.Type().Field(i); field.IsExported() {
				shared(t, a.Field(i), b.Field(i), path+"."+field.Name)
			}
		}
	case reflect.Pointer:
		if a.IsNil() {
			return
		}
		if a.Pointer() == b.Pointer() && a.Type().Elem().Size() > 0 {
			t.Errorf("%s is shared", path)
		}
		shared(t, a.Elem(), b.Elem(), path)
	case reflect.Slice:
		if a.Len() == 0 {
			return
		}
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
		for i := range a.Len() {
			shared(t, a.Index(i), b.Index(i), path+"[]")
		}
	case reflect.Map:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
	}
}

func TestScheme(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{v1alpha1.Kind, v1alpha1.Kind + "List"} {
		if !scheme.Recognizes(v1alpha1.GroupVersion().WithKind(kind)) {
			t.Errorf("%s is unknown", kind)
		}
	}
}

func TestConditionTypesAreComplete(t *testing.T) {
	seen := map[v1alpha1.ConditionType]bool{}
	for _, c := range v1alpha1.ConditionTypes() {
		if seen[c] || strings.TrimSpace(string(c)) == "" {
			t.Errorf("%q is there twice or empty", c)
		}
		seen[c] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d conditions", len(seen))
	}
}

// The words a field takes are those the hub takes.
func TestEnumsAreTheHubs(t *testing.T) {
	crd, _ := readCRD(t)
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	keys := map[string]config.Key{}
	for _, k := range config.Keys() {
		keys[k.Path] = k
	}
	for key, props := range map[string]apiextensionsv1.JSONSchemaProps{
		"jwtAlgorithm":           spec.Properties["auth"].Properties["algorithm"],
		"slowConsumer":           spec.Properties["limits"].Properties["slowConsumer"],
		"nats.jetStream.storage": spec.Properties["bus"].Properties["nats"].Properties["external"].Properties["jetStream"].Properties["storage"],
	} {
		var words []string
		for _, word := range props.Enum {
			words = append(words, strings.Trim(string(word.Raw), `"`))
		}
		if !reflect.DeepEqual(words, keys[key].Allowed) {
			t.Errorf("%s: the schema takes %v, the hub %v", key, words, keys[key].Allowed)
		}
	}
}

// Every optional field says what leaving it out means.
func TestEveryOptionalFieldNamesItsDefault(t *testing.T) {
	crd, _ := readCRD(t)
	cluster := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	checkDefaults(t, reflect.TypeFor[v1alpha1.GoHubClusterSpec](), cluster.Properties["spec"], "spec")
}

func checkDefaults(t *testing.T, typ reflect.Type, props apiextensionsv1.JSONSchemaProps, path string) {
	t.Helper()
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			checkDefaults(t, field.Type, props, path)
			continue
		}
		at, own := path+"."+name, props.Properties[name]
		says := strings.ToLower(own.Description)
		told := strings.Contains(says, "default") || strings.Contains(says, "empty") || strings.Contains(says, "left out") || strings.Contains(says, "needed with")
		inner := field.Type
		if inner.Kind() == reflect.Slice && own.Items != nil {
			inner, own = inner.Elem(), *own.Items.Schema
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		ours := inner.Kind() == reflect.Struct && inner.PkgPath() == typ.PkgPath()
		switch optional := !slices.Contains(props.Required, name); {
		case ours:
			checkDefaults(t, inner, own, at)
		case optional && !told:
			t.Errorf("%s does not say what leaving it out means: %s", at, says)
		}
	}
}
