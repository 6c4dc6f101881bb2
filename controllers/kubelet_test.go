package controllers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/pkg/api"
)

// kubelet runs the pods of a namespace: it says that they are ready, and lets them
// go. A hub that drains is not ready.
type kubelet struct {
	k         *apiServer
	namespace string
	hubs      *fleet
	address   string // of all pods

	mu     sync.Mutex
	broken func(*corev1.Pod) bool // pods that do not start
	ready  bool                   // hubs that drain still are
}

func startKubelet(t testing.TB, k *apiServer, namespace string, hubs *fleet) *kubelet {
	x := &kubelet{k: k, namespace: namespace, hubs: hubs, address: "10.0.0.1"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			x.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return x
}

func (x *kubelet) breakPods(which func(*corev1.Pod) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.broken = which
}

// everyPod is for breakPods.
func everyPod(*corev1.Pod) bool { return true }

// keepReady lets hubs that drain be ready still.
func (x *kubelet) keepReady(yes bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ready = yes
}

func (x *kubelet) look(ctx context.Context) {
	x.mu.Lock()
	broken, keep := x.broken, x.ready
	x.mu.Unlock()
	pods := &corev1.PodList{}
	if x.k.client.List(ctx, pods, client.InNamespace(x.namespace)) != nil {
		return
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp != nil {
			x.hubs.remove(p.Name)
			zero := int64(0)
			_ = x.k.client.Delete(ctx, p, &client.DeleteOptions{GracePeriodSeconds: &zero})
			continue
		}
		before := p.DeepCopy()
		if broken != nil && broken(p) {
			p.Status.Phase = corev1.PodPending
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
			}}}
		} else {
			ready := true
			if p.Labels[resources.LabelComponent] == resources.ComponentHub {
				ready = x.hubs.start(p.Name) || keep
			}
			setRunning(p, x.address, ready)
		}
		if !equality.Semantic.DeepEqual(before.Status, p.Status) {
			_ = x.k.client.Status().Patch(ctx, p, client.MergeFrom(before))
		}
	}
}

func setRunning(p *corev1.Pod, address string, ready bool) {
	p.Status.Phase, p.Status.PodIP = corev1.PodRunning, address
	p.Status.PodIPs = []corev1.PodIP{{IP: address}}
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	old := corev1.PodCondition{}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			old = c
		}
	}
	if old.Status != status {
		now := metav1.Now()
		if ready {
			now = metav1.NewTime(now.Add(-time.Hour)) // past minReadySeconds
		}
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodReady, Status: status, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: status, LastTransitionTime: now},
		}
	}
	started := true
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: p.Spec.Containers[0].Name, Ready: ready, Started: &started, Image: p.Spec.Containers[0].Image,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
}

// fleet is the hubs of all pods, by their names. It answers the operator as hubs
// do, whom controllers/hubclient is tested against.
type fleet struct {
	mu       sync.Mutex
	hubs     map[string]*hub
	drained  []string // in the order in which they were told
	silent   bool
	capacity int
	next     int // connections of the hubs that start
}

type hub struct {
	clients  int
	draining bool
}

func newFleet() *fleet { return &fleet{hubs: map[string]*hub{}, capacity: 1000} }

// start tells whether a hub is ready; one that is not there starts.
func (f *fleet) start(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hubs[name] == nil {
		f.hubs[name] = &hub{clients: f.next}
	}
	return !f.hubs[name].draining
}

func (f *fleet) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.hubs, name)
}

// change changes what hubs say.
func (f *fleet) change(do func(*fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f)
}

// order returns the hubs that were drained, the first one first.
func (f *fleet) order() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.drained...)
}

func (f *fleet) find(h hubclient.Hub) (*hub, error) {
	if f.silent || f.hubs[h.URL] == nil {
		return nil, &hubclient.Error{URL: h.URL, Kind: hubclient.ErrUnreachable}
	}
	if h.Key == "" {
		return nil, &hubclient.Error{URL: h.URL, Kind: hubclient.ErrUnauthorized}
	}
	return f.hubs[h.URL], nil
}

func (f *fleet) Stats(_ context.Context, h hubclient.Hub) (api.Stats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(h)
	if err != nil {
		return api.Stats{}, err
	}
	return api.Stats{Node: h.URL, Clients: x.clients, Draining: x.draining, Capacity: f.capacity, Bus: "ok"}, nil
}

func (f *fleet) Drain(_ context.Context, h hubclient.Hub, d hubclient.Drain) (api.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(h)
	if err != nil {
		return api.Node{}, err
	}
	if d.Timeout < d.Delay+d.Window {
		return api.Node{}, fmt.Errorf("a hub refuses %+v", d)
	}
	if !x.draining {
		f.drained = append(f.drained, h.URL)
	}
	x.draining = true
	return api.Node{ID: h.URL, Draining: true}, nil
}

func (f *fleet) Undrain(_ context.Context, h hubclient.Hub) (api.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(h)
	if err != nil {
		return api.Node{}, err
	}
	x.draining = false
	return api.Node{ID: h.URL}, nil
}
