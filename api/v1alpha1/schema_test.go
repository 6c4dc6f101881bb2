package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

const crdFile = "../../config/crd/gohub.io_gohubclusters.yaml"

func readCRD(t *testing.T) (*apiextensionsv1.CustomResourceDefinition, *apiextensions.CustomResourceDefinition) {
	t.Helper()
	data, err := os.ReadFile(crdFile)
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, crd); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(crd)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(crd, internal, nil); err != nil {
		t.Fatal(err)
	}
	return crd, internal
}

// apiServer judges a GoHubCluster as a real API server does, with its code.
type apiServer struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func newAPIServer(t *testing.T) apiServer {
	t.Helper()
	_, crd := readCRD(t)
	props := crd.Spec.Validation
	if props == nil {
		props = crd.Spec.Versions[0].Schema
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	rules := cel.NewValidator(structural, true, apiservercel.PerCallLimit)
	return apiServer{structural: structural, schema: validator, rules: rules}
}

// create returns the object as it would be stored, and what is wrong with it.
func (s apiServer) create(object map[string]any) (map[string]any, field.ErrorList) {
	return s.admit(object, nil)
}

// update is create for an object that replaces old, a stored one.
func (s apiServer) update(old, object map[string]any) (map[string]any, field.ErrorList) {
	return s.admit(object, old)
}

func (s apiServer) admit(object, old map[string]any) (map[string]any, field.ErrorList) {
	var errs field.ErrorList
	stored := runtime.DeepCopyJSON(object)
	for _, path := range pruning.PruneWithOptions(stored, s.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		errs = append(errs, field.Forbidden(nil, fmt.Sprintf("unknown field %q", path)))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(stored, s.structural)
	defaulting.Default(stored, s.structural)
	if old == nil {
		errs = append(errs, validation.ValidateCustomResource(nil, stored, s.schema)...)
	} else {
		errs = append(errs, validation.ValidateCustomResourceUpdate(nil, stored, old, s.schema)...)
	}
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, stored)...)
	if slices.ContainsFunc(errs, blocksRules) {
		return stored, errs
	}
	var before any
	if old != nil {
		before = old
	}
	ruleErrs, _ := s.rules.Validate(context.Background(), nil, s.structural, stored, before, apiservercel.RuntimeCELCostBudget)
	return stored, append(errs, ruleErrs...)
}

// blocksRules reports whether the API server looks at no rule because of err,
// as hasBlockingErr of its registry/customresource does.
func blocksRules(err *field.Error) bool {
	blocking := []field.ErrorType{field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid}
	return slices.Contains(blocking, err.Type)
}

// fromYAML returns an object as the API server sees it.
func fromYAML(t *testing.T, data []byte) map[string]any {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, data)
	}
	return fromJSON(t, text)
}

// fromJSON keeps whole numbers whole, as the API server does.
func fromJSON(t *testing.T, data []byte) map[string]any {
	t.Helper()
	u := map[string]any{}
	if err := json.Unmarshal(data, &u); err != nil {
		t.Fatal(err)
	}
	return whole(u).(map[string]any)
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = whole(v[k])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

func TestCRDIsAccepted(t *testing.T) {
	crd, internal := readCRD(t)
	internal.Status.StoredVersions = []string{"v1alpha1"}
	for _, err := range crdvalidation.ValidateCustomResourceDefinition(t.Context(), internal) {
		t.Error(err)
	}
	version := crd.Spec.Versions[0]
	scale := version.Subresources.Scale
	if scale == nil || scale.SpecReplicasPath != ".spec.replicas" || scale.StatusReplicasPath != ".status.replicas" || *scale.LabelSelectorPath != ".status.selector" {
		t.Errorf("scale subresource: %+v", scale)
	}
	if version.Subresources.Status == nil {
		t.Error("no status subresource")
	}
	var columns []string
	for _, c := range version.AdditionalPrinterColumns {
		columns = append(columns, fmt.Sprintf("%s/%d", c.Name, c.Priority))
	}
	want := []string{"Ready/0", "Hubs/0", "Bus/0", "Connections/0", "Age/0", "Capacity/1", "Image/1"}
	if !slices.Equal(columns, want) {
		t.Errorf("columns %v, want %v", columns, want)
	}
	if names := crd.Spec.Names; !slices.Equal(names.ShortNames, []string{"ghc"}) || names.Plural != "gohubclusters" {
		t.Errorf("names: %+v", names)
	}
}

// kubectl apply keeps the whole object in an annotation, and all annotations
// together may have 262144 bytes.
func TestCRDFitsKubectlApply(t *testing.T) {
	crd, _ := readCRD(t)
	data, err := json.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	const most = 250_000
	if len(data) > most {
		t.Errorf("the CRD has %d bytes, at most %d fit into kubectl apply", len(data), most)
	}
}
