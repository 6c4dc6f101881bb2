package v1alpha1_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/api/v1alpha1/apitest"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func object(t *testing.T, c apitest.Case, spec json.RawMessage) map[string]any {
	t.Helper()
	gvk := v1alpha1.GroupVersion().WithKind(v1alpha1.Kind)
	u, err := c.Object(gvk, "default", "case", spec)
	if err != nil {
		t.Fatal(err)
	}
	return u.Object
}

// try gives a case to the API server, and returns what is wrong with its spec.
func (s apiServer) try(t *testing.T, c apitest.Case) field.ErrorList {
	t.Helper()
	if c.Before == nil {
		_, errs := s.create(object(t, c, c.Spec))
		return errs
	}
	old, errs := s.create(object(t, c, c.Before))
	if len(errs) > 0 {
		t.Fatalf("before: %v", errs.ToAggregate())
	}
	_, errs = s.update(old, object(t, c, c.Spec))
	return errs
}

func TestRefused(t *testing.T) {
	cases, err := apitest.Refused()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Errorf("%d cases", len(cases))
	}
	server, names := newAPIServer(t), map[string]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if names[c.Name] || c.Message == "" {
				t.Fatal("the case has the name of another, or no message")
			}
			names[c.Name] = true
			errs := server.try(t, c)
			if len(errs) == 0 {
				t.Fatal("taken")
			}
			if !strings.Contains(errs.ToAggregate().Error(), c.Message) {
				t.Errorf("refused with %v\nwant a part %q", errs.ToAggregate(), c.Message)
			}
			if strings.Contains(errs.ToAggregate().Error(), "evaluating rule") {
				t.Errorf("a rule failed where it should have judged: %v", errs.ToAggregate())
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	cases, err := apitest.Accepted()
	if err != nil {
		t.Fatal(err)
	}
	server := newAPIServer(t)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Message != "" {
				t.Fatal("the case has a message")
			}
			if errs := server.try(t, c); len(errs) > 0 {
				t.Error(errs.ToAggregate())
			}
		})
	}
}

// A rule that no case breaks could say anything.
func TestEveryRuleRefusesACase(t *testing.T) {
	cases, err := apitest.Refused()
	if err != nil {
		t.Fatal(err)
	}
	crd, _ := readCRD(t)
	rules := map[string]bool{}
	for _, props := range allProps(*crd.Spec.Versions[0].Schema.OpenAPIV3Schema) {
		for _, rule := range props.XValidations {
			rules[rule.Message] = true
		}
	}
	for _, message := range slices.Sorted(maps.Keys(rules)) {
		hit := slices.ContainsFunc(cases, func(c apitest.Case) bool { return strings.Contains(message, c.Message) })
		if !hit {
			t.Errorf("no case is refused with %q", message)
		}
	}
	if len(rules) < 30 {
		t.Errorf("%d rules found", len(rules))
	}
}

func samples(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d samples, %v", len(paths), err)
	}
	found := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".yaml")] = data
	}
	return found
}

func TestSamplesAreAccepted(t *testing.T) {
	server := newAPIServer(t)
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(string(data), "# ") {
				t.Error("the sample does not begin with what it is for")
			}
			stored, errs := server.create(fromYAML(t, data))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if _, errs := server.update(stored, stored); len(errs) > 0 {
				t.Errorf("unchanged: %v", errs.ToAggregate())
			}
			if got := stored["metadata"].(map[string]any)["name"]; got != name {
				t.Errorf("named %v", got)
			}
		})
	}
}
