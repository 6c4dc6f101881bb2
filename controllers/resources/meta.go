package resources

import (
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// owner makes an object a child of c: it goes with it, and its changes are c's
// reconciler's business.
func (b *builder) owner() *metav1.OwnerReferenceApplyConfiguration {
	return metav1.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion().String()).
		WithKind(v1alpha1.Kind).
		WithName(b.c.Name).
		WithUID(b.c.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

// selector selects the pods of one component.
func (b *builder) selector(component string) *metav1.LabelSelectorApplyConfiguration {
	return metav1.LabelSelector().WithMatchLabels(Selector(b.c, component))
}

// merged lays maps over each other. A nil map stays nil, so that no empty one is
// owned.
func merged(parts ...map[string]string) map[string]string {
	var all map[string]string
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, part)
	}
	return all
}

// convert turns a value of the API's types, from the spec, into its apply
// configuration. What is empty there is not set here.
func convert[T any](b *builder, from any) *T {
	to := new(T)
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		b.invalid(v1alpha1.ReasonRefused, fmt.Sprintf("read a %T of the spec: %v", from, err))
	}
	return to
}

func convertAll[T, F any](b *builder, from []F) []*T {
	var all []*T
	for i := range from {
		all = append(all, convert[T](b, from[i]))
	}
	return all
}
