package controllers

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/controllers/scaling"
	"github.com/chenxilol/gohub/pkg/api"
)

// drainer sends hubs' clients away; *hubclient.Client does.
type drainer interface {
	Drain(context.Context, hubclient.Hub, hubclient.Drain) (api.Node, error)
	Undrain(context.Context, hubclient.Hub) (api.Node, error)
}

// decide finds how many hubs there should be.
func (r *run) decide() {
	spec := r.c.Spec
	if spec.Autoscaling == nil {
		r.memory.desired, r.memory.history = 0, scaling.History{}
		r.desired = 2
		if spec.Replicas != nil {
			r.desired = *spec.Replicas
		}
		return
	}
	last := r.memory.desired
	if last == 0 {
		last = r.c.Status.DesiredReplicas
	}
	d := scaling.AutoscalingOf(*spec.Autoscaling, spec.Limits).Decide(r.memory.history, scaling.Load{
		Now: r.now, Desired: last, Replicas: replicasOf(r.deployment), Pods: r.known,
	})
	r.memory.desired, r.memory.history = d.Desired, d.History
	r.desired, r.unreadable = d.Desired, d.Verdict == scaling.Unreadable
	r.lookAfter(d.After)
	if last != 0 && d.Desired != last {
		r.event(corev1.EventTypeNormal, "Autoscaled", "Scale", "%d hubs instead of %d: %s", d.Desired, last, d.Verdict)
	}
}

// planScale plans the next step to the number of hubs, from the API server itself
// where there is something to do.
func (r *run) planScale(ctx context.Context) error {
	r.plan = r.scalePlan(false)
	if r.plan.Refresh {
		if err := r.observe(ctx, r.direct); err != nil {
			return err
		}
		if r.deployment != nil && replicasOf(r.deployment) > r.desired {
			// The emptiest go first, as they are now.
			r.learn(r.stats.Ask(ctx, r.targets()))
		}
		r.plan = r.scalePlan(true)
	}
	r.lookAfter(r.plan.After)
	return nil
}

func (r *run) scalePlan(fresh bool) scaling.Plan {
	goal := scaling.Goal{
		Replicas: r.desired, MaxStep: scaling.MaxStep(replicasOf(r.deployment)), Timing: scaling.TimingOf(r.c.Spec.Drain),
	}
	return scaling.Scale(goal, scaling.Observation{Now: r.now, Replicas: replicasOf(r.deployment), Pods: r.known, Fresh: fresh})
}

// doPlan takes hubs back that are wanted again, and drains those that are not. A
// hub that gives no answer is asked again by a later plan.
func (r *run) doPlan(ctx context.Context) error {
	taken := append(r.undrain(ctx, r.plan.Undrain), r.plan.Unmark...)
	for _, p := range taken {
		if err := r.patchPod(ctx, p, scaling.UnmarkPatch(p)); err != nil {
			return err
		}
	}
	for _, p := range r.plan.Mark {
		if err := r.patchPod(ctx, p, scaling.MarkPatch(p, p.Deadline)); err != nil {
			return err
		}
		r.event(corev1.EventTypeNormal, "DrainStarted", "Drain", "Hub %s is drained until %s at the latest, as fewer hubs are wanted",
			p.Name, p.Deadline.UTC().Format("15:04:05"))
	}
	r.drain(ctx, r.plan.Drain)
	return nil
}

func (r *run) patchPod(ctx context.Context, p scaling.Pod, patch []byte) error {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = r.c.Namespace, p.Name
	err := r.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(Manager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("note the drain on pod %s: %w", p.Name, err)
	}
	return nil
}

// undrain tells hubs to take clients again, and returns those that do.
func (r *run) undrain(ctx context.Context, pods []scaling.Pod) []scaling.Pod {
	var mu sync.Mutex
	var taken []scaling.Pod
	r.eachHub(ctx, "undrain", pods, func(ctx context.Context, p scaling.Pod, h hubclient.Hub) error {
		_, err := r.options.Hubs.Undrain(ctx, h)
		if err == nil {
			mu.Lock()
			taken = append(taken, p)
			mu.Unlock()
		}
		return err
	})
	for _, p := range taken {
		r.event(corev1.EventTypeNormal, "DrainCanceled", "Undrain", "Hub %s takes clients again, as it is wanted", p.Name)
	}
	return taken
}

func (r *run) drain(ctx context.Context, pods []scaling.Pod) {
	t := scaling.TimingOf(r.c.Spec.Drain)
	settings := hubclient.Drain{Delay: t.Delay, Window: t.Window, Timeout: t.Timeout()}
	r.eachHub(ctx, "drain", pods, func(ctx context.Context, _ scaling.Pod, h hubclient.Hub) error {
		_, err := r.options.Hubs.Drain(ctx, h, settings)
		return err
	})
}

// eachHub calls the hubs of pods side by side. Failures are counted and logged:
// the plan says what becomes of the hub.
func (r *run) eachHub(ctx context.Context, call string, pods []scaling.Pod, do func(context.Context, scaling.Pod, hubclient.Hub) error) {
	var wait sync.WaitGroup
	for _, p := range pods {
		pod := r.pod(p.Name)
		if pod == nil || pod.Status.PodIP == "" {
			continue
		}
		wait.Go(func() {
			err := hubclient.WithKeys(r.options.HubURL(pod), r.memory.adminKeys, func(h hubclient.Hub) error { return do(ctx, p, h) })
			if err != nil {
				r.metrics.failed.WithLabelValues(call).Inc()
				logf.FromContext(ctx).Info("A hub did not do as it was told", "call", call, "pod", p.Name, "error", err.Error())
			}
		})
	}
	wait.Wait()
}

func (r *run) pod(name string) *corev1.Pod {
	for i := range r.pods {
		if r.pods[i].Name == name {
			return &r.pods[i]
		}
	}
	return nil
}
