package scaling_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/chenxilol/gohub/controllers/scaling"
)

// hubPod returns a pod of a hub that is ready, changed by change.
func hubPod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "hub-1", ResourceVersion: "7", CreationTimestamp: metav1.NewTime(start),
			Labels: map[string]string{"pod-template-hash": "new", corev1.LabelTopologyZone: "z1"},
		},
		Spec: corev1.PodSpec{NodeName: "n1"},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "sidecar"}, {Name: "hub", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

func annotate(p *corev1.Pod, deadline, cost string) {
	p.Annotations = map[string]string{"gohub.io/drain-deadline": deadline, "controller.kubernetes.io/pod-deletion-cost": cost}
}

func TestPodOf(t *testing.T) {
	reading := &scaling.Reading{Connections: 3}
	plain := scaling.Pod{Name: "hub-1", ResourceVersion: "7", Node: "n1", Zone: "z1", Created: start, Running: true, Ready: true, Reading: reading}
	for _, c := range []struct {
		name   string
		change func(*corev1.Pod)
		want   func(*scaling.Pod)
	}{
		{"ready", nil, func(*scaling.Pod) {}},
		{"not ready", func(p *corev1.Pod) { p.Status.Conditions[1].Status = corev1.ConditionFalse }, func(p *scaling.Pod) { p.Ready = false }},
		{"nothing said of readiness", func(p *corev1.Pod) { p.Status.Conditions = nil }, func(p *scaling.Pod) { p.Ready = false }},
		{"pending", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, func(p *scaling.Pod) { p.Running = false }},
		{"waits to start again", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		}, func(p *scaling.Pod) { p.Running = false }},
		{"nothing said of the hub", func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }, func(*scaling.Pod) {}},
		{"terminating", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: start} }, func(p *scaling.Pod) { p.Terminating = true }},
		{"of an older revision", func(p *corev1.Pod) { p.Labels["pod-template-hash"] = "old" }, func(p *scaling.Pod) { p.Outdated = true }},
		{"marked", func(p *corev1.Pod) { annotate(p, "2026-01-02T03:04:55Z", "-1000") }, func(p *scaling.Pod) { p.Marked, p.Deadline = true, start.Add(50*time.Second) }},
		{"marked with no time", func(p *corev1.Pod) { annotate(p, "soon", "-1000") }, func(p *scaling.Pod) { p.Marked = true }},
		{"marked with another cost", func(p *corev1.Pod) { annotate(p, "2026-01-02T03:04:55Z", "5") }, func(p *scaling.Pod) { p.Marked = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := plain
			c.want(&want)
			got, ok := scaling.PodOf(hubPod(c.change), "new", reading)
			if !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
	for _, phase := range []corev1.PodPhase{corev1.PodFailed, corev1.PodSucceeded} {
		if _, ok := scaling.PodOf(hubPod(func(p *corev1.Pod) { p.Status.Phase = phase }), "new", nil); ok {
			t.Errorf("a pod that is %s counts", phase)
		}
	}
	if p, _ := scaling.PodOf(hubPod(nil), "", nil); p.Outdated {
		t.Error("outdated without a known revision")
	}
}

// TestPatches applies the patches. For maps of texts a strategic merge patch is
// what a JSON merge patch is.
func TestPatches(t *testing.T) {
	original := hubPod(func(p *corev1.Pod) { p.Annotations = map[string]string{"other": "stays"} })
	apply := func(to *corev1.Pod, patch []byte) *corev1.Pod {
		t.Helper()
		doc, err := json.Marshal(to)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err = strategicpatch.StrategicMergePatch(doc, patch, corev1.Pod{}); err != nil {
			t.Fatalf("apply %s: %v", patch, err)
		}
		var p corev1.Pod
		if err := json.Unmarshal(doc, &p); err != nil {
			t.Fatal(err)
		}
		return &p
	}
	pod, _ := scaling.PodOf(original, "new", nil)
	deadline := start.Add(90 * time.Second)
	patched := apply(original, scaling.MarkPatch(pod, deadline.In(time.FixedZone("east", 3600))))
	if p, _ := scaling.PodOf(patched, "new", nil); !p.Marked || !p.Deadline.Equal(deadline) || patched.Annotations["other"] != "stays" {
		t.Errorf("marked: %+v, annotations %v", p, patched.Annotations)
	}
	back := apply(patched, scaling.UnmarkPatch(pod))
	if !reflect.DeepEqual(back.ObjectMeta.Annotations, original.Annotations) {
		t.Errorf("unmarked: annotations %v, want %v", back.Annotations, original.Annotations)
	}
	for _, patch := range [][]byte{scaling.MarkPatch(pod, deadline), scaling.UnmarkPatch(pod)} {
		var p corev1.Pod
		if err := json.Unmarshal(patch, &p); err != nil || p.ResourceVersion != "7" {
			t.Errorf("%s is not bound to the version read (%v)", patch, err)
		}
	}
}
