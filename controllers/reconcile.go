package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/conditions"
	"github.com/chenxilol/gohub/controllers/hubstats"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/controllers/scaling"
)

const (
	// Manager is the field manager of all that is applied, and the reporter of
	// events.
	Manager = "gohub-operator"
	// generator is that of generated credentials, so that applying never takes
	// them away.
	generator = Manager + "-generate"

	// conflictDelay is when something is done again that met a change.
	conflictDelay = 100 * time.Millisecond
	// refusedDelay is when something is tried again that was refused, as a quota
	// may have grown.
	refusedDelay = time.Minute
)

// Reconciler makes clusters what they ask for. Clusters are reconciled side by
// side, each by one goroutine at a time.
type Reconciler struct {
	options  Options
	client   client.Client // reads from the cache
	direct   client.Reader // reads from the API server
	events   events.EventRecorder
	secrets  *secretStore
	stats    *hubstats.Poller
	optional *optionalKinds
	memories *memories
	metrics  *metrics
}

// run is one reconciliation.
type run struct {
	*Reconciler
	c      *v1alpha1.GoHubCluster
	key    types.NamespacedName
	memory *memory
	now    time.Time

	secretData map[string]map[string][]byte
	deployment *appsv1.Deployment // nil: there is none
	pods       []corev1.Pod       // of the hubs
	revision   string             // pod-template-hash of the newest ReplicaSet; empty: there is none
	known      []scaling.Pod      // pods as plans know them
	desired    int32
	plan       scaling.Plan
	objects    resources.Objects
	waiting    resources.Object // is applied when the one of before is gone

	invalid    *conditions.Problem
	unreadable bool // for the autoscaling
	expanding  bool
	after      time.Duration // when to look again; 0: when something changes
}

// Reconcile makes a cluster what it asks for, and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, q reconcile.Request) (reconcile.Result, error) {
	c := &v1alpha1.GoHubCluster{}
	err := r.client.Get(ctx, q.NamespacedName, c)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("read the GoHubCluster: %w", err)
	}
	if err != nil || !c.DeletionTimestamp.IsZero() { // what it owns goes with it
		r.stats.Set(q.NamespacedName, nil, 0)
		r.memories.forget(q.NamespacedName)
		return reconcile.Result{}, nil
	}
	x := &run{Reconciler: r, c: c, key: q.NamespacedName, memory: r.memories.of(c), now: r.options.Now()}
	if c.Spec.Paused {
		r.stats.Set(q.NamespacedName, nil, 0)
		return reconcile.Result{}, x.writePaused(ctx)
	}
	err = x.reconcile(ctx)
	if apierrors.IsConflict(err) {
		// Somebody was faster: nothing to tell anybody.
		return reconcile.Result{RequeueAfter: conflictDelay}, nil
	}
	if refused, ok := errors.AsType[*refusedError](err); ok {
		x.invalid, err = &conditions.Problem{Reason: v1alpha1.ReasonRefused, Message: refused.Error()}, nil
	}
	if x.invalid != nil && x.invalid.Reason == v1alpha1.ReasonRefused {
		x.lookAfter(refusedDelay)
	}
	if statusErr := x.writeStatus(ctx, err); statusErr != nil {
		if apierrors.IsConflict(statusErr) {
			x.lookAfter(conflictDelay)
		} else {
			err = errors.Join(err, statusErr)
		}
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: x.after}, nil
}

// lookAfter has the cluster looked at again after a time at the latest.
func (r *run) lookAfter(d time.Duration) {
	if d > 0 && (r.after == 0 || d < r.after) {
		r.after = d
	}
}

func (r *run) reconcile(ctx context.Context) error {
	var err error
	if r.secretData, err = r.readSecrets(ctx, r.c); err != nil {
		return err
	}
	if err := r.observe(ctx, r.client); err != nil {
		return err
	}
	r.ask()
	r.decide()
	if err := r.planScale(ctx); err != nil {
		return err
	}
	r.objects, err = resources.Build(r.c, r.facts())
	if r.noteInvalid(err) {
		return nil // what runs stays as it is
	}
	if err := r.keepStorage(ctx); err != nil {
		return err
	}
	// More hubs before others are taken back, fewer after they were drained.
	lower := r.deployment != nil && r.plan.Replicas < replicasOf(r.deployment)
	if lower {
		if err := r.doPlan(ctx); err != nil {
			return err
		}
	}
	if err := r.applyAll(ctx, r.objects.All()); err != nil {
		return err
	}
	if !lower {
		if err := r.doPlan(ctx); err != nil {
			return err
		}
	}
	return r.prune(ctx)
}

func (r *run) facts() resources.Facts {
	return resources.Facts{
		Images: r.options.Images, Operator: r.options.Operator, Replicas: r.plan.Replicas, Secrets: r.secretData,
		HTTPRoutes: r.optional.hasKind("HTTPRoute"), ServiceMonitors: r.optional.hasKind(resources.ServiceMonitorKind),
	}
}

// noteInvalid keeps why a spec cannot be used. A CRD that is missing is told and
// keeps nothing else from being made.
func (r *run) noteInvalid(err error) bool {
	if err != nil {
		r.invalid = &conditions.Problem{Reason: v1alpha1.ReasonRefused, Message: err.Error()}
		if e, ok := errors.AsType[*resources.InvalidError](err); ok {
			r.invalid.Reason = e.Reason
		}
		return true
	}
	if r.c.Spec.HTTPRoute != nil && r.objects.Hub.HTTPRoute == nil {
		r.invalid = &conditions.Problem{Reason: v1alpha1.ReasonCRDMissing, Message: "spec.httpRoute: the Gateway API's CRD " +
			"httproutes.gateway.networking.k8s.io is missing: install it, or use spec.ingress"}
	}
	return false
}
