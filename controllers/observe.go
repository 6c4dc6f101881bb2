package controllers

import (
	"context"
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/controllers/hubstats"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/controllers/scaling"
	"github.com/chenxilol/gohub/pkg/api"
)

// observe reads the Deployment of the hubs and then its pods: a plan relies on the
// pods being the newer.
func (r *run) observe(ctx context.Context, from client.Reader) error {
	r.deployment, r.pods = nil, nil
	d := &appsv1.Deployment{}
	err := from.Get(ctx, types.NamespacedName{Namespace: r.c.Namespace, Name: resources.HubName(r.c)}, d)
	switch {
	case err == nil:
		r.deployment = d
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read the hubs' Deployment: %w", err)
	}
	pods := &corev1.PodList{}
	hubs := client.MatchingLabels(resources.Selector(r.c, resources.ComponentHub))
	if err := from.List(ctx, pods, client.InNamespace(r.c.Namespace), hubs); err != nil {
		return fmt.Errorf("list the hubs' pods: %w", err)
	}
	r.pods = pods.Items
	if r.revision, err = r.newestRevision(ctx, from); err != nil {
		return err
	}
	r.learn(r.stats.Readings(r.key))
	return nil
}

// learn puts together what plans know of pods.
func (r *run) learn(readings map[types.UID]api.Stats) {
	r.known = nil
	for i := range r.pods {
		p := &r.pods[i]
		var reading *scaling.Reading
		if s, ok := readings[p.UID]; ok {
			reading = &scaling.Reading{Connections: s.Clients, Draining: s.Draining}
		}
		if known, ok := scaling.PodOf(p, r.revision, reading); ok {
			r.known = append(r.known, known)
		}
	}
}

// newestRevision returns the pod-template-hash of the newest ReplicaSet, and nothing
// where there is none.
func (r *run) newestRevision(ctx context.Context, from client.Reader) (string, error) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	hubs := client.MatchingLabels(resources.Selector(r.c, resources.ComponentHub))
	if err := from.List(ctx, sets, client.InNamespace(r.c.Namespace), hubs); err != nil {
		return "", fmt.Errorf("list the hubs' ReplicaSets: %w", err)
	}
	newest, hash := -1, ""
	for i := range sets.Items {
		set := &sets.Items[i]
		if r.deployment == nil || !metav1.IsControlledBy(set, r.deployment) {
			continue
		}
		if n, err := strconv.Atoi(set.Annotations["deployment.kubernetes.io/revision"]); err == nil && n > newest {
			newest, hash = n, set.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		}
	}
	return hash, nil
}

// ask has the hubs asked what they have to do, from now on.
func (r *run) ask() { r.stats.Set(r.key, r.targets(), r.pollInterval()) }

func (r *run) pollInterval() time.Duration {
	every := r.options.PollEvery
	for _, p := range r.known {
		if p.Marked {
			return every / 5
		}
	}
	if r.c.Spec.Autoscaling != nil {
		return every / 2
	}
	return every
}

// targets are the hubs that can be asked.
func (r *run) targets() []hubstats.Target {
	r.learnKey()
	var targets []hubstats.Target
	for i := range r.pods {
		p := &r.pods[i]
		if p.Status.Phase == corev1.PodRunning && p.Status.PodIP != "" {
			targets = append(targets, hubstats.Target{Pod: p.UID, URL: r.options.HubURL(p), Keys: r.memory.adminKeys})
		}
	}
	return targets
}

// learnKey keeps the admin key, and the one before it.
func (r *run) learnKey() {
	key := resources.AdminKeyOf(r.c, r.secretData)
	have := r.memory.adminKeys
	switch {
	case key == "" || len(have) > 0 && have[0] == key:
	case len(have) > 0:
		r.memory.adminKeys = []string{key, have[0]}
	default:
		r.memory.adminKeys = []string{key}
		// An operator that has just started finds in the hubs' own Secret what
		// they were given last.
		if given := resources.GivenAdminKey(r.c, r.secretData); given != "" && given != key {
			r.memory.adminKeys = append(r.memory.adminKeys, given)
		}
	}
}

func replicasOf(d *appsv1.Deployment) int32 {
	if d == nil || d.Spec.Replicas == nil {
		return 0
	}
	return *d.Spec.Replicas
}
