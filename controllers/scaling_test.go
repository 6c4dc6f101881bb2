package controllers_test

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/controllers/scaling"
)

// patch changes a cluster by a JSON merge patch.
func (o *operator) patch(c client.Object, patch string) {
	o.t.Helper()
	if err := o.client.Patch(o.t.Context(), c, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) deployment(c *v1alpha1.GoHubCluster) *appsv1.Deployment {
	o.t.Helper()
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = c.Namespace, resources.HubName(c)
	o.get(d)
	return d
}

// hubPods returns the names of the hubs' pods that are not on their way out.
func (o *operator) hubPods(c *v1alpha1.GoHubCluster) []string {
	o.t.Helper()
	pods := &corev1.PodList{}
	if err := o.client.List(o.t.Context(), pods, client.InNamespace(c.Namespace), client.MatchingLabels(resources.Selector(c, resources.ComponentHub))); err != nil {
		o.t.Fatal(err)
	}
	var names []string
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			names = append(names, pods.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

func (o *operator) awaitPods(c *v1alpha1.GoHubCluster, want []string) {
	o.t.Helper()
	eventually(o.t, "the hubs", func() error {
		if got := o.hubPods(c); !slices.Equal(got, want) {
			return fmt.Errorf("%w: %v, want %v", errStillNot, got, want)
		}
		return nil
	})
}

// The emptiest hubs are drained, in steps, and exactly those go.
func TestScaleDownDrainsTheEmptiestFirst(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 4, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	pods := o.hubPods(c)
	o.hubs.change(func(f *fleet) {
		for i, name := range pods {
			f.hubs[name].clients = []int{30, 10, 40, 20}[i]
		}
	})
	o.patch(c, `{"spec": {"replicas": 2}}`)
	o.awaitPods(c, []string{pods[0], pods[2]})
	if got := o.hubs.order(); !slices.Equal(got, []string{pods[1], pods[3]}) {
		t.Errorf("drained %v, want first the one with 10 clients, then the one with 20", got)
	}
	o.awaitSettled(c)
	if c.Status.DrainingReplicas != 0 || c.Status.Replicas != 2 {
		t.Errorf("status %+v", c.Status)
	}
}

// While a hub drains the cluster is ready, says so, and takes it back when it is
// wanted again.
func TestScaleUpTakesDrainingHubsBack(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 2, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	pods := o.hubPods(c)
	o.kubelet.keepReady(true) // as within drain.delay
	o.patch(c, `{"spec": {"replicas": 1}}`)
	o.await(c, v1alpha1.ConditionDraining, "True", v1alpha1.ReasonScaleDown)
	o.await(c, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
	if c.Status.DrainingReplicas != 1 || c.Status.DesiredReplicas != 1 {
		t.Errorf("status %+v", c.Status)
	}
	o.patch(c, `{"spec": {"replicas": 2}}`)
	o.await(c, v1alpha1.ConditionDraining, "False", v1alpha1.ReasonNotDraining)
	o.kubelet.keepReady(false)
	o.awaitSettled(c)
	o.awaitPods(c, pods)
	eventually(t, "the marks are gone", func() error {
		for _, name := range pods {
			p := &corev1.Pod{}
			p.Namespace, p.Name = c.Namespace, name
			o.get(p)
			if p.Annotations[scaling.DrainDeadlineAnnotation] != "" || p.Annotations[scaling.DeletionCostAnnotation] != "" {
				return fmt.Errorf("%w: %v", errStillNot, p.Annotations)
			}
		}
		return nil
	})
}

// An operator that ends amid a scale-down finds what it began.
func TestScaleDownOutlivesTheOperator(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 3, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	o.kubelet.keepReady(true)
	o.patch(c, `{"spec": {"replicas": 2}}`)
	o.await(c, v1alpha1.ConditionDraining, "True", v1alpha1.ReasonScaleDown)
	drained := o.hubs.order()
	o.stop()
	left := slices.DeleteFunc(o.hubPods(c), func(name string) bool { return slices.Contains(drained, name) })
	o.run()
	o.kubelet.keepReady(false)
	o.awaitPods(c, left)
	if again := o.hubs.order(); !slices.Equal(again, drained) {
		t.Errorf("drained %v, and before the end %v", again, drained)
	}
}

// A hub that does not answer is stopped after its deadline.
func TestScaleDownDoesNotWaitForEver(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 2, drain: {delay: 0s, window: 0s}, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	o.hubs.change(func(f *fleet) { f.silent = true })
	o.patch(c, `{"spec": {"replicas": 1}}`)
	eventually(t, "one hub is left", func() error {
		if n := len(o.hubPods(c)); n != 1 {
			return fmt.Errorf("%w: %d", errStillNot, n)
		}
		return nil
	})
}

// The number of hubs follows their connections, and spec.replicas counts no more.
func TestAutoscaling(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 1, autoscaling: {min: 2, max: 4, connectionsPerPod: 100, scaleDownWindow: 1s}, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	if n := len(o.hubPods(c)); n != 2 {
		t.Errorf("%d hubs, want autoscaling.min", n)
	}
	set := func(clients int) {
		o.hubs.change(func(f *fleet) {
			for _, h := range f.hubs {
				h.clients = clients
			}
		})
	}
	set(180)
	eventually(t, "four hubs", func() error {
		if n := len(o.hubPods(c)); n != 4 {
			return fmt.Errorf("%w: %d", errStillNot, n)
		}
		return nil
	})
	set(10)
	eventually(t, "two hubs, drained", func() error {
		if n := len(o.hubPods(c)); n != 2 || len(o.hubs.order()) != 2 {
			return fmt.Errorf("%w: %d, drained %v", errStillNot, n, o.hubs.order())
		}
		return nil
	})
	o.get(c)
	if *c.Spec.Replicas != 1 {
		t.Errorf("spec.replicas is %d", *c.Spec.Replicas)
	}
	o.hubs.change(func(f *fleet) { f.silent = true })
	o.await(c, v1alpha1.ConditionProgressing, "False", v1alpha1.ReasonStatsUnreadable)
}
