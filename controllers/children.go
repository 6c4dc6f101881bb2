package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/controllers/resources"
)

// children returns the objects of a kind that c controls, as the cache has them.
func (r *run) children(ctx context.Context, kind resources.Kind) ([]client.Object, error) {
	if !r.optional.has(kind) {
		return nil, nil
	}
	if kind.Kind == "Secret" {
		return r.childSecrets(ctx)
	}
	list, err := r.list(kind)
	if err != nil {
		return nil, err
	}
	if err := r.client.List(ctx, list, client.InNamespace(r.c.Namespace), client.MatchingLabels(resources.ChildLabels(r.c))); err != nil {
		return nil, fmt.Errorf("list the %s objects: %w", kind.Kind, err)
	}
	var all []client.Object
	err = meta.EachListItem(list, func(item runtime.Object) error {
		if o, ok := item.(client.Object); ok && metav1.IsControlledBy(o, r.c) {
			all = append(all, o)
		}
		return nil
	})
	return all, err
}

// childSecrets returns those of the Secrets that a cluster may have had which it
// controls. Their labels are not in the cache.
func (r *run) childSecrets(ctx context.Context) ([]client.Object, error) {
	var all []client.Object
	for _, name := range resources.ChildSecretNames(r.c) {
		secret, err := r.secrets.get(ctx, types.NamespacedName{Namespace: r.c.Namespace, Name: name})
		if err != nil {
			return nil, err
		}
		if secret != nil && metav1.IsControlledBy(secret, r.c) {
			all = append(all, secret)
		}
	}
	return all, nil
}

// list returns an empty list of a kind.
func (r *run) list(kind resources.Kind) (client.ObjectList, error) {
	if _, ok := kind.New().(*unstructured.Unstructured); ok {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersionKind)
		return list, nil
	}
	o, err := r.client.Scheme().New(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err != nil {
		return nil, fmt.Errorf("make a list of %s: %w", kind.Kind, err)
	}
	list, ok := o.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("make a list of %s: a %T is none", kind.Kind, o)
	}
	return list, nil
}
