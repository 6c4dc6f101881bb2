package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// keepStorage makes the volumes of a managed bus as large as they are wanted, and
// owned by the cluster unless they are to outlive it. A
// StatefulSet takes no other size: the claims are enlarged, the set is deleted
// without its pods, and comes back with them as it is applied.
func (r *run) keepStorage(ctx context.Context) error {
	for _, claim := range resources.Claims(r.c) {
		if err := r.keepClaim(ctx, claim); err != nil {
			return err
		}
	}
	for _, set := range []*appsv1ac.StatefulSetApplyConfiguration{r.objects.NATS.StatefulSet, r.objects.Redis.StatefulSet} {
		if set == nil {
			continue
		}
		gone, err := r.replaceSet(ctx, set)
		if err != nil {
			return err
		}
		if !gone {
			r.waiting, r.expanding = set, true
		}
	}
	return nil
}

func (r *run) keepClaim(ctx context.Context, claim resources.Claim) error {
	have := &corev1.PersistentVolumeClaim{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: r.c.Namespace, Name: claim.Name}, have)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read volume claim %s: %w", claim.Name, err)
	}
	if metav1.IsControlledBy(have, r.c) == claim.Retain {
		if err := r.setOwner(ctx, have, !claim.Retain); err != nil {
			return err
		}
	}
	if capacity, ok := have.Status.Capacity[corev1.ResourceStorage]; ok && capacity.Cmp(claim.Size) < 0 {
		r.expanding = true
	}
	if requested := have.Spec.Resources.Requests[corev1.ResourceStorage]; requested.Cmp(claim.Size) >= 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"resources": map[string]any{
		"requests": map[string]any{string(corev1.ResourceStorage): claim.Size.String()},
	}}})
	if err != nil {
		return fmt.Errorf("write the size of volume claim %s: %w", claim.Name, err)
	}
	if err := r.client.Patch(ctx, have, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(Manager)); err != nil {
		return classify(fmt.Errorf("enlarge volume claim %s to %s (its storage class must allow it; else take the size back): %w",
			claim.Name, claim.Size.String(), err))
	}
	r.event(corev1.EventTypeNormal, "VolumeEnlarged", "Expand", "Volume claim %s is enlarged to %s", claim.Name, claim.Size.String())
	return nil
}

// setOwner makes the cluster the owner of a claim, or no longer so.
func (r *run) setOwner(ctx context.Context, claim *corev1.PersistentVolumeClaim, owned bool) error {
	next := claim.DeepCopy()
	next.OwnerReferences = slices.DeleteFunc(next.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == v1alpha1.Kind })
	if owned {
		next.OwnerReferences = append(next.OwnerReferences, *metav1.NewControllerRef(r.c, v1alpha1.GroupVersion().WithKind(v1alpha1.Kind)))
	}
	err := r.client.Patch(ctx, next, client.MergeFromWithOptions(claim, client.MergeFromWithOptimisticLock{}), client.FieldOwner(Manager))
	if err != nil {
		return fmt.Errorf("set the owner of volume claim %s: %w", claim.Name, err)
	}
	return nil
}

// replaceSet deletes a StatefulSet whose volumes have another size than is wanted,
// and tells whether the way is free for the new one.
func (r *run) replaceSet(ctx context.Context, want *appsv1ac.StatefulSetApplyConfiguration) (bool, error) {
	have := &appsv1.StatefulSet{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: r.c.Namespace, Name: *want.Name}, have)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read StatefulSet %s: %w", *want.Name, err)
	}
	switch {
	case have.DeletionTimestamp != nil:
		return false, nil
	case sameVolumes(have, want):
		return true, nil
	}
	if !metav1.IsControlledBy(have, r.c) {
		return true, nil // refused with its reason as it is applied
	}
	err = r.client.Delete(ctx, have, client.Preconditions{UID: &have.UID}, client.PropagationPolicy(metav1.DeletePropagationOrphan))
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("delete StatefulSet %s, to make it anew with larger volumes: %w", have.Name, err)
	}
	return false, nil
}

// sameVolumes tells whether the claims of a set have the size that is wanted.
func sameVolumes(have *appsv1.StatefulSet, want *appsv1ac.StatefulSetApplyConfiguration) bool {
	if len(have.Spec.VolumeClaimTemplates) != 1 || len(want.Spec.VolumeClaimTemplates) != 1 {
		return true // volumes are never added nor removed: the schema refuses it
	}
	wanted := (*want.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests)[corev1.ResourceStorage]
	size := have.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]
	return size.Cmp(wanted) == 0
}
