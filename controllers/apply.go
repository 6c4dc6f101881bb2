package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/conditions"
	"github.com/chenxilol/gohub/controllers/resources"
)

// refusedError is an object that cannot be as it is wanted until somebody changes
// something.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// applyAll applies objects in their order, those that are as they are wanted left
// out. One that is refused does not keep the others from being applied.
func (r *run) applyAll(ctx context.Context, objects []resources.Object) error {
	var refused []error
	for _, o := range objects {
		if o == r.waiting {
			continue
		}
		err := r.apply(ctx, o)
		if e, ok := errors.AsType[*refusedError](err); ok {
			refused = append(refused, e.err)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		r.invalid = &conditions.Problem{Reason: v1alpha1.ReasonRefused, Message: errors.Join(refused...).Error()}
	}
	return nil
}

// apply makes one object as it is wanted.
func (r *run) apply(ctx context.Context, o resources.Object) error {
	kind, ok := resources.KindOf(o)
	if !ok {
		return fmt.Errorf("apply %s: its kind is not known", *o.GetKind())
	}
	live, err := r.live(ctx, kind, *o.GetName())
	if err != nil {
		return err
	}
	if live != nil {
		if done, err := r.isApplied(kind, live, o); done || err != nil {
			return err
		}
		if err := r.checkOwner(kind, live); err != nil {
			return err
		}
	}
	if d := r.objects.Hub.Deployment; o == resources.Object(d) && r.deployment != nil {
		// The number of hubs was planned from this version. A copy, since what
		// is owned does not include it.
		locked, meta := *d, *d.ObjectMetaApplyConfiguration
		locked.ObjectMetaApplyConfiguration = &meta
		o = locked.WithResourceVersion(r.deployment.ResourceVersion)
	}
	err = r.client.Apply(ctx, o, client.FieldOwner(Manager), client.ForceOwnership)
	if service, ok := live.(*corev1.Service); ok && apierrors.IsInvalid(err) {
		// Ports of somebody else's stay, and one may have the name of ours.
		if err := r.dropForeignPorts(ctx, service, o.(*corev1ac.ServiceApplyConfiguration)); err != nil {
			return err
		}
		err = r.client.Apply(ctx, o, client.FieldOwner(Manager), client.ForceOwnership)
	}
	if err != nil {
		return classify(fmt.Errorf("apply %s %s: %w", kind.Kind, *o.GetName(), err))
	}
	r.metrics.applied.WithLabelValues(kind.Kind).Inc()
	return nil
}

// dropForeignPorts takes away the ports of a Service that are not wanted. Those
// that are keep what Kubernetes gave them, the ports on the nodes.
func (r *run) dropForeignPorts(ctx context.Context, live *corev1.Service, want *corev1ac.ServiceApplyConfiguration) error {
	next := live.DeepCopy()
	next.Spec.Ports = nil
	for _, p := range want.Spec.Ports {
		port := corev1.ServicePort{Name: *p.Name, Port: *p.Port, TargetPort: *p.TargetPort}
		for _, have := range live.Spec.Ports {
			if have.Port == port.Port {
				port.NodePort = have.NodePort
			}
		}
		next.Spec.Ports = append(next.Spec.Ports, port)
	}
	err := r.client.Patch(ctx, next, client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{}), client.FieldOwner(Manager))
	if err != nil {
		return classify(fmt.Errorf("take foreign ports away from Service %s: %w", live.Name, err))
	}
	return nil
}

// classify tells errors that only a change ends from those that pass.
func classify(err error) error {
	switch {
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err), apierrors.IsRequestEntityTooLargeError(err):
		return &refusedError{err}
	}
	return err
}

// live returns an object as it is now, and nil where there is none.
func (r *run) live(ctx context.Context, kind resources.Kind, name string) (resources.Live, error) {
	key := types.NamespacedName{Namespace: r.c.Namespace, Name: name}
	if kind.Kind == "Secret" {
		secret, err := r.secrets.get(ctx, key)
		if secret == nil || err != nil {
			return nil, err
		}
		return secret, nil
	}
	live := kind.New()
	err := r.client.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		// The cache has only what bears the operator's label.
		err = r.direct.Get(ctx, key, live)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", kind.Kind, key, err)
	}
	return live, nil
}

// isApplied tells whether an object is as the operator applied it and wants it.
func (r *run) isApplied(kind resources.Kind, live resources.Live, want resources.Object) (bool, error) {
	have, err := kind.Extract(live, Manager)
	if err != nil {
		return false, err
	}
	return equality.Semantic.DeepEqual(have, want), nil
}

// checkOwner refuses to take an object over that belongs to somebody else.
func (r *run) checkOwner(kind resources.Kind, live resources.Live) error {
	owner := metav1.GetControllerOf(live)
	switch {
	case owner != nil && owner.UID == r.c.UID:
		return nil
	case owner != nil:
		return &refusedError{fmt.Errorf("%s %q belongs to %s %q: delete it, or choose another name for the GoHubCluster",
			kind.Kind, live.GetName(), owner.Kind, owner.Name)}
	case kind.Kind == "Secret" && r.generated(live.GetName()):
		return nil // of a cluster of this name that was deleted, or prepared by hand
	case live.GetLabels()[resources.LabelManagedBy] != resources.ManagedBy || live.GetLabels()[resources.LabelInstance] != r.c.Name:
		return &refusedError{fmt.Errorf("%s %q exists and is not the operator's: delete it, or choose another name for the GoHubCluster",
			kind.Kind, live.GetName())}
	}
	return nil
}

func (r *run) generated(name string) bool {
	for _, g := range resources.GeneratedSecrets(r.c) {
		if g.Name == name {
			return true
		}
	}
	return false
}

// prune deletes the children that are no longer wanted.
func (r *run) prune(ctx context.Context) error {
	wanted := map[string]bool{}
	for _, o := range r.objects.All() {
		wanted[*o.GetKind()+"/"+*o.GetName()] = true
	}
	for _, kind := range resources.Kinds() {
		children, err := r.children(ctx, kind)
		if err != nil {
			return err
		}
		for _, child := range children {
			if wanted[kind.Kind+"/"+child.GetName()] || child.GetDeletionTimestamp() != nil {
				continue
			}
			uid := child.GetUID()
			err := r.client.Delete(ctx, child, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete %s %s, which is no longer wanted: %w", kind.Kind, child.GetName(), err)
			}
		}
	}
	return nil
}
