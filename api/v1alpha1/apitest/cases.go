// Package apitest holds GoHubClusters that the API server must refuse or take,
// as data, so that the same table runs against the schema in process and
// against a real API server.
package apitest

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// Case is one GoHubCluster, or the change of one, and what is to become of it.
type Case struct {
	// Name says what is tried. It is unique.
	Name string `json:"name"`

	// ObjectName is the object's metadata.name where that is what is tried.
	// Empty leaves it to the caller.
	ObjectName string `json:"objectName,omitempty"`

	// Before is a spec the API server takes, which Spec then replaces. Empty
	// tries Spec on an object that does not exist.
	Before json.RawMessage `json:"before,omitempty"`

	// Spec is the spec that is tried.
	Spec json.RawMessage `json:"spec"`

	// Message is a part of the refusal. Empty where Spec is taken.
	Message string `json:"message,omitempty"`
}

//go:embed refused.yaml
var refused []byte

//go:embed accepted.yaml
var accepted []byte

// Refused returns the cases the API server must refuse, each with its Message.
func Refused() ([]Case, error) { return parse("refused.yaml", refused) }

// Accepted returns the cases the API server must take.
func Accepted() ([]Case, error) { return parse("accepted.yaml", accepted) }

func parse(file string, data []byte) ([]Case, error) {
	var cases []Case
	if err := yaml.UnmarshalStrict(data, &cases); err != nil {
		return nil, fmt.Errorf("read the cases of %s: %w", file, err)
	}
	return cases, nil
}

// Object returns a GoHubCluster with the spec, one of the case's. The name is
// that of the case where it has one.
func (c Case) Object(gvk schema.GroupVersionKind, namespace, name string, spec json.RawMessage) (*unstructured.Unstructured, error) {
	if c.ObjectName != "" {
		name = c.ObjectName
	}
	object := &unstructured.Unstructured{}
	text, err := json.Marshal(map[string]any{
		"apiVersion": gvk.GroupVersion().String(),
		"kind":       gvk.Kind,
		"metadata":   map[string]any{"name": name, "namespace": namespace},
		"spec":       spec,
	})
	if err == nil {
		err = object.UnmarshalJSON(text)
	}
	if err != nil {
		return nil, fmt.Errorf("make the object of case %q: %w", c.Name, err)
	}
	return object, nil
}
