package controllers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers"
)

// create makes the cluster x of a spec.
func (o *operator) create(spec string) *v1alpha1.GoHubCluster {
	o.t.Helper()
	return o.createNamed("x", spec)
}

func (o *operator) createNamed(name, spec string) *v1alpha1.GoHubCluster {
	o.t.Helper()
	c := &v1alpha1.GoHubCluster{}
	c.Name = name
	if err := yaml.UnmarshalStrict([]byte(spec), &c.Spec); err != nil {
		o.t.Fatalf("%v in:\n%s", err, spec)
	}
	return o.createCluster(c)
}

func (o *operator) createCluster(c *v1alpha1.GoHubCluster) *v1alpha1.GoHubCluster {
	o.t.Helper()
	c.Namespace = o.namespace
	if err := o.client.Create(o.t.Context(), c); err != nil {
		o.t.Fatal(err)
	}
	return c
}

// get reads an object anew.
func (o *operator) get(object client.Object) {
	o.t.Helper()
	if err := o.client.Get(o.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		o.t.Fatal(err)
	}
}

// await waits until a condition has a status and a reason, for the newest spec.
func (o *operator) await(c *v1alpha1.GoHubCluster, t v1alpha1.ConditionType, status string, reason v1alpha1.ConditionReason) {
	o.t.Helper()
	eventually(o.t, fmt.Sprintf("%s is %s, %s", t, status, reason), func() error {
		o.get(c)
		found := meta.FindStatusCondition(c.Status.Conditions, string(t))
		if found == nil || string(found.Status) != status || found.Reason != string(reason) || found.ObservedGeneration != c.Generation {
			return fmt.Errorf("%w: %+v", errStillNot, c.Status)
		}
		return nil
	})
}

func (o *operator) awaitSettled(c *v1alpha1.GoHubCluster) {
	o.t.Helper()
	o.await(c, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
	o.await(c, v1alpha1.ConditionProgressing, "False", v1alpha1.ReasonUpToDate)
}

func TestMinimal(t *testing.T) {
	o := startOperator(t)
	data, err := os.ReadFile(filepath.Join("..", "config", "samples", "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := &v1alpha1.GoHubCluster{}
	if err := yaml.UnmarshalStrict(data, c); err != nil {
		t.Fatal(err)
	}
	o.createCluster(c)
	o.awaitSettled(c)
	if s := c.Status; s.Replicas != 2 || s.ReadyReplicas != 2 || s.DesiredReplicas != 2 || s.Bus != "nats 3/3" || s.Image != images.Hub ||
		s.Connections == nil || s.Capacity == nil || s.ObservedGeneration != c.Generation {
		t.Errorf("status %+v", s)
	}
}

// Pods that do not start are told of in Kubernetes' own words, and hubs that run
// go on while an update does not get on.
func TestUpdateThatFails(t *testing.T) {
	o := startOperator(t)
	c := o.create("{bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	pods := o.hubPods(c)
	o.kubelet.breakPods(func(p *corev1.Pod) bool { return p.Spec.Containers[0].Image == "hub:nowhere" })
	o.patch(c, `{"spec": {"image": "hub:nowhere"}}`)
	o.await(c, v1alpha1.ConditionProgressing, "True", v1alpha1.ReasonRollingOut)
	o.await(c, v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady)
	if now := o.hubPods(c); len(now) != 3 || !slices.Contains(now, pods[0]) || !slices.Contains(now, pods[1]) {
		t.Errorf("hubs %v, were %v", now, pods)
	}
	broken := o.createNamed("y", "{image: hub:nowhere, bus: {nats: {managed: {replicas: 1}}}}")
	o.await(broken, v1alpha1.ConditionHubReady, "False", v1alpha1.ReasonHubsFailing)
	if message := meta.FindStatusCondition(broken.Status.Conditions, "HubReady").Message; !strings.Contains(message, "ImagePullBackOff: no such image") {
		t.Errorf("message %q", message)
	}
	o.patch(c, `{"spec": {"image": "hub:1"}}`)
	o.awaitSettled(c)
}

// status.connections is written at most every 30 seconds, and then when it has
// changed by a twentieth.
func TestConnectionsAreWrittenNowAndThen(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	o := startOperator(t, func(options *controllers.Options, _ *rest.Config) {
		options.Now = func() time.Time { return time.Unix(0, now.Load()) }
	})
	c := o.create("{replicas: 1, bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	set := func(clients int) {
		o.hubs.change(func(f *fleet) {
			for _, h := range f.hubs {
				h.clients = clients
			}
		})
		before := o.reconciled()
		eventually(t, "the change is seen", func() error {
			if o.reconciled() == before {
				return errStillNot
			}
			return nil
		})
	}
	written := func() int64 {
		o.get(c)
		return *c.Status.Connections
	}
	first := written()
	set(100)
	o.touch(c, "too soon")
	if n := written(); n != first {
		t.Errorf("%d, though it was written just now", n)
	}
	now.Add(int64(31 * time.Second))
	o.touch(c, "in time")
	eventually(t, "100 connections", func() error {
		if n := written(); n != 100 {
			return fmt.Errorf("%w: %d", errStillNot, n)
		}
		return nil
	})
	now.Add(int64(31 * time.Second))
	set(104)
	o.touch(c, "too little")
	if n := written(); n != 100 {
		t.Errorf("%d is less than a twentieth more", n)
	}
}
