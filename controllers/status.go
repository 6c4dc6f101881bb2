package controllers

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/conditions"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/controllers/scaling"
)

const (
	// connectionsEvery is how often status.connections is written at most.
	connectionsEvery = 30 * time.Second
	// connectionsPercent is the least change that is written.
	connectionsPercent = 5
	// mostMessage is the longest message of a condition.
	mostMessage = 32768
)

// writePaused writes the condition of a cluster that is left alone.
func (r *run) writePaused(ctx context.Context) error {
	status := r.c.Status.DeepCopy()
	r.setConditions(status, []metav1.Condition{conditions.Paused(true)})
	return r.patchStatus(ctx, status)
}

// writeStatus writes how the cluster is where that is new. failure is what went
// wrong now.
func (r *run) writeStatus(ctx context.Context, failure error) error {
	bus, err := r.bus(ctx)
	if err != nil {
		return err
	}
	o := conditions.Observation{
		Invalid: r.invalid, Hubs: r.hubs(), Bus: bus, Drain: r.draining(), Expanding: r.expanding, Unreadable: r.unreadable,
		Monitoring: conditions.Monitoring{
			Wanted:    r.c.Spec.Monitoring != nil && r.c.Spec.Monitoring.ServiceMonitor != nil,
			Installed: r.optional.hasKind(resources.ServiceMonitorKind),
		},
	}
	if failure != nil {
		o.Failure = failure.Error()
	}
	status := r.c.Status.DeepCopy()
	status.ObservedGeneration = r.c.Generation
	status.Replicas, status.ReadyReplicas = o.Hubs.Total, o.Hubs.Ready
	status.DrainingReplicas, status.DesiredReplicas = int32(len(o.Drain.Pods)), r.desired
	status.Selector = labels.SelectorFromSet(resources.Selector(r.c, resources.ComponentHub)).String()
	status.Bus, status.Image = o.Bus.Text(), resources.Facts{Images: r.options.Images}.HubImage(r.c)
	written := r.setConnections(status)
	r.setConditions(status, conditions.Of(o))
	if err := r.patchStatus(ctx, status); err != nil {
		return err
	}
	if written {
		r.memory.connectionsAt = r.now
	}
	return nil
}

// patchStatus writes a status where it differs, and tells of what has changed.
func (r *run) patchStatus(ctx context.Context, status *v1alpha1.GoHubClusterStatus) error {
	if equality.Semantic.DeepEqual(&r.c.Status, status) {
		return nil
	}
	next := r.c.DeepCopy()
	next.Status = *status
	if err := r.client.Status().Patch(ctx, next, client.MergeFrom(r.c), client.FieldOwner(Manager)); err != nil {
		return client.IgnoreNotFound(err) // deleted meanwhile
	}
	r.tellChanges(r.c.Status.Conditions, status.Conditions)
	return nil
}

func (r *run) setConditions(status *v1alpha1.GoHubClusterStatus, now []metav1.Condition) {
	for _, c := range now {
		c.ObservedGeneration = r.c.Generation
		c.LastTransitionTime = metav1.NewTime(r.now)
		if len(c.Message) > mostMessage {
			c.Message = c.Message[:mostMessage]
		}
		meta.SetStatusCondition(&status.Conditions, c)
	}
}

// setConnections writes the connections and the capacity where they have changed
// enough, and tells whether it did.
func (r *run) setConnections(status *v1alpha1.GoHubClusterStatus) bool {
	var connections, capacity *int64
	unlimited := false
	for _, s := range r.stats.Readings(r.key) {
		connections, capacity = add(connections, int64(s.Clients)), add(capacity, int64(s.Capacity))
		unlimited = unlimited || s.Capacity == 0
	}
	if unlimited {
		capacity = nil
	}
	if !differs(status.Connections, connections) && !differs(status.Capacity, capacity) {
		return false
	}
	if wait := connectionsEvery - r.now.Sub(r.memory.connectionsAt); wait > 0 {
		r.lookAfter(wait)
		return false
	}
	status.Connections, status.Capacity = connections, capacity
	return true
}

func add(sum *int64, n int64) *int64 {
	if sum != nil {
		n += *sum
	}
	return &n
}

// differs tells whether a figure has changed enough to be written.
func differs(have, now *int64) bool {
	if have == nil || now == nil {
		return have != now
	}
	change := max(*have-*now, *now-*have)
	return change*100 >= connectionsPercent*max(*have, 1) && change > 0
}

// hubs is the state of the hubs' Deployment and pods.
func (r *run) hubs() conditions.Hubs {
	h := conditions.Hubs{Desired: r.desired, Trouble: trouble(r.pods)}
	for _, p := range r.known {
		if p.Terminating {
			continue
		}
		h.Total++
		if p.Ready {
			h.Ready++
		}
	}
	d := r.deployment
	if d == nil {
		return h
	}
	h.Exists, h.Wanted = true, replicasOf(d)
	h.Current, h.Updated = d.Status.ObservedGeneration >= d.Generation, d.Status.UpdatedReplicas
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			h.Stuck = c.Message
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && h.Trouble == "":
			h.Trouble = c.Message
		}
	}
	return h
}

// trouble returns what Kubernetes says of the first pod that does not start.
func trouble(pods []corev1.Pod) string {
	for i := range pods {
		p := &pods[i]
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return fmt.Sprintf("pod %s: %s: %s", p.Name, c.Reason, c.Message)
			}
		}
		for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
				return fmt.Sprintf("pod %s: %s: %s", p.Name, w.Reason, w.Message)
			}
		}
	}
	return ""
}

// bus is the state of what connects the hubs.
func (r *run) bus(ctx context.Context) (conditions.Bus, error) {
	b := conditions.Bus{Type: r.c.Spec.Bus.Type}
	if name, wanted := resources.BusServers(r.c); name != "" {
		set := &appsv1.StatefulSet{}
		err := r.client.Get(ctx, types.NamespacedName{Namespace: r.c.Namespace, Name: name}, set)
		if client.IgnoreNotFound(err) != nil {
			return b, fmt.Errorf("read StatefulSet %s: %w", name, err)
		}
		b.Servers = &conditions.Servers{Wanted: wanted, Quorum: wanted/2 + 1}
		if set.Status.ObservedGeneration >= set.Generation {
			b.Servers.Ready = min(set.Status.ReadyReplicas, wanted)
		}
		return b, nil
	}
	for _, s := range r.stats.Readings(r.key) {
		switch s.Bus {
		case "ok":
			b.Reached++
		case "away":
			b.Away++
		}
	}
	return b, nil
}

func (r *run) draining() conditions.Drain {
	return conditions.Drain{Pods: podNames(r.plan.Draining), Overdue: podNames(r.plan.Overdue)}
}

func podNames(pods []scaling.Pod) []string {
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return names
}
