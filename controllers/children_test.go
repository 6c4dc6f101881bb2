package controllers_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// everything is a spec with most kinds of children.
const everything = `
replicas: 2
bus: {nats: {managed: {replicas: 3, jetStream: {storage: {size: 1Gi}}}}}
auth: {secretRef: {name: jwt, key: secret}}
ingress: {hosts: [chat.example.com]}
rooms: [{pattern: "h.*", historySize: 10}]
`

func (o *operator) createSecret(name string, data map[string]string) *corev1.Secret {
	o.t.Helper()
	s := secret(o.namespace, name, data)
	if err := o.client.Create(o.t.Context(), s); err != nil {
		o.t.Fatal(err)
	}
	return s
}

func secret(namespace, name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data}
}

// children returns all objects of a namespace that the operator made, by kind and
// name.
func (o *operator) children() map[string]*unstructured.Unstructured {
	o.t.Helper()
	return o.labelled(client.MatchingLabels{resources.LabelManagedBy: resources.ManagedBy})
}

// childrenOf returns those of one cluster.
func (o *operator) childrenOf(c *v1alpha1.GoHubCluster) map[string]*unstructured.Unstructured {
	o.t.Helper()
	return o.labelled(client.MatchingLabels(resources.ChildLabels(c)))
}

func (o *operator) labelled(these client.MatchingLabels) map[string]*unstructured.Unstructured {
	o.t.Helper()
	found := map[string]*unstructured.Unstructured{}
	for _, kind := range resources.Kinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersionKind)
		err := o.client.List(o.t.Context(), list, client.InNamespace(o.namespace), these)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // its CRD is not there
		}
		if err != nil {
			o.t.Fatal(err)
		}
		for i := range list.Items {
			found[kind.Kind+"/"+list.Items[i].GetName()] = &list.Items[i]
		}
	}
	return found
}

// touch has the cluster looked at, and waits until that is over: a change that is
// seen in the status comes after it.
func (o *operator) touch(c *v1alpha1.GoHubCluster, note string) {
	o.t.Helper()
	before := o.reconciled()
	o.patch(c, fmt.Sprintf(`{"metadata": {"annotations": {"note": %q}}}`, note))
	eventually(o.t, "the cluster is looked at", func() error {
		if o.reconciled() <= before {
			return errStillNot
		}
		return nil
	})
}

func TestSecondReconcileChangesNothing(t *testing.T) {
	o := startOperator(t)
	o.createSecret("jwt", map[string]string{"secret": strings.Repeat("s", 32)})
	c := o.create(everything)
	o.awaitSettled(c)
	versions := func() map[string]string {
		all := map[string]string{}
		for name, child := range o.children() {
			all[name] = child.GetResourceVersion()
		}
		return all
	}
	o.touch(c, "first") // whatever was still under way
	before, changes, reads := versions(), o.requests.changes.Load(), o.requests.reads.Load()
	if len(before) < 15 {
		t.Errorf("%d children: %v", len(before), slices.Sorted(maps.Keys(before)))
	}
	for i := range 5 {
		o.touch(c, fmt.Sprint(i))
	}
	if n := o.requests.changes.Load() - changes; n != 0 {
		t.Errorf("%d requests that change something, the last %v", n, o.requests.last.Load())
	}
	if n := o.requests.reads.Load() - reads; n != 0 {
		t.Errorf("%d reads", n)
	}
	if after := versions(); !maps.Equal(before, after) {
		t.Errorf("versions\n%v\nwere\n%v", after, before)
	}
}

func TestChildrenComeBack(t *testing.T) {
	o := startOperator(t)
	o.createSecret("jwt", map[string]string{"secret": strings.Repeat("s", 32)})
	c := o.create(everything)
	o.awaitSettled(c)
	before := o.children()
	// Edited: what the operator set is as it was.
	edits := map[string]string{
		"Deployment/x-hub":     `{"spec": {"replicas": 3, "template": {"spec": {"terminationGracePeriodSeconds": 1}}}}`,
		"Service/x":            `{"spec": {"ports": [{"name": "ws", "port": 81, "targetPort": "ws", "protocol": "TCP"}]}}`,
		"ConfigMap/x-hub":      `{"data": {"hub.yaml": "address: nowhere"}}`,
		"Secret/x-hub":         `{"data": {"api-key": "c3RvbGVu"}}`,
		"NetworkPolicy/x-hub":  `{"spec": {"ingress": [{}]}}`,
		"StatefulSet/x-nats":   `{"spec": {"replicas": 1}}`,
		"Ingress/x":            `{"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}`,
		"ServiceAccount/x-hub": `{"automountServiceAccountToken": true}`,
	}
	for name, patch := range edits {
		child := before[name]
		if child == nil {
			t.Fatalf("no %s among %v", name, slices.Sorted(maps.Keys(before)))
		}
		o.patch(child.DeepCopy(), patch)
	}
	same := func(old, now *unstructured.Unstructured) error {
		if now == nil {
			return errStillNot
		}
		for _, part := range []string{"spec", "data", "automountServiceAccountToken"} {
			if part == "spec" && now.GetKind() == "Deployment" {
				a, _, _ := unstructured.NestedInt64(old.Object, "spec", "replicas")
				b, _, _ := unstructured.NestedInt64(now.Object, "spec", "replicas")
				if a != b {
					return fmt.Errorf("%w: %d replicas", errStillNot, b)
				}
			}
			if a, b := fmt.Sprint(old.Object[part]), fmt.Sprint(now.Object[part]); a != b {
				return fmt.Errorf("%w: %s %s:\n%s\nwant\n%s", errStillNot, now.GetName(), part, b, a)
			}
		}
		if !maps.Equal(old.GetLabels(), now.GetLabels()) {
			return fmt.Errorf("%w: labels %v, want %v", errStillNot, now.GetLabels(), old.GetLabels())
		}
		return nil
	}
	restored := func(all map[string]*unstructured.Unstructured) func() error {
		return func() error {
			now := o.children()
			for name := range all {
				if err := same(before[name], now[name]); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		}
	}
	eventually(t, "the edits are undone", restored(before))
	// Deleted: they are made anew. Credentials cannot come back as they were.
	lost := maps.Clone(before)
	for name, child := range before {
		if strings.HasPrefix(name, "Secret/") && name != "Secret/x-hub" {
			delete(lost, name)
			continue
		}
		if err := o.client.Delete(t.Context(), child.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "what was deleted is back", func() error {
		now := o.children()
		for name := range lost {
			switch {
			case now[name] == nil:
				return fmt.Errorf("%w: no %s", errStillNot, name)
			case now[name].GetUID() == before[name].GetUID():
				return fmt.Errorf("%w: the old %s", errStillNot, name)
			}
		}
		return nil
	})
	o.awaitSettled(c)
}

// What a spec no longer asks for goes.
func TestChildrenAreDeletedWhenUnwanted(t *testing.T) {
	o := startOperator(t)
	c := o.create("{replicas: 2, bus: {nats: {managed: {replicas: 1}}}, ingress: {hosts: [a.example.com]}}")
	o.awaitSettled(c)
	o.createSecret("own", map[string]string{"key": "an admin key of my own"})
	o.patch(c, `{"spec": {"replicas": 1, "ingress": null, "networkPolicy": {"enabled": false}, "adminKeyRef": {"name": "own", "key": "key"}}}`)
	o.awaitSettled(c)
	eventually(t, "they are gone", func() error {
		for _, object := range []client.Object{
			&networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "x"}},
			&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "x-hub"}},
			&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "x-nats"}},
			&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "x-hub"}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x-admin"}},
		} {
			object.SetNamespace(o.namespace)
			if err := o.client.Get(t.Context(), client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%w: %T %s, %v", errStillNot, object, object.GetName(), err)
			}
		}
		return nil
	})
}

// New data of a Secret roll the hubs; the old token secret still verifies.
func TestSecretDataRollTheHubs(t *testing.T) {
	o := startOperator(t)
	secret := o.createSecret("jwt", map[string]string{"secret": strings.Repeat("o", 32)})
	c := o.create("{bus: {nats: {managed: {replicas: 1}}}, auth: {secretRef: {name: jwt, key: secret}}}")
	o.awaitSettled(c)
	pods, hash := o.hubPods(c), o.deployment(c).Spec.Template.Annotations[resources.AnnotationSecretHash]
	o.patch(secret, fmt.Sprintf(`{"stringData": {"secret": %q}}`, strings.Repeat("n", 32)))
	eventually(t, "the hubs are replaced", func() error {
		now := o.hubPods(c)
		if len(now) != 2 || slices.ContainsFunc(now, func(name string) bool { return slices.Contains(pods, name) }) {
			return fmt.Errorf("%w: %v", errStillNot, now)
		}
		return nil
	})
	if now := o.deployment(c).Spec.Template.Annotations[resources.AnnotationSecretHash]; now == hash {
		t.Error("the hash of the secrets is as it was")
	}
	rendered := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: resources.HubName(c)}}
	o.get(rendered)
	if !bytes.Contains(rendered.Data["jwt-previous"], bytes.Repeat([]byte("o"), 32)) || string(rendered.Data["jwt-secret"]) != strings.Repeat("n", 32) {
		t.Error("the hubs do not have the new secret and the old one")
	}
	o.awaitSettled(c)
}

func TestMissingSecret(t *testing.T) {
	o := startOperator(t)
	c := o.create("{bus: {nats: {managed: {replicas: 1}}}, auth: {secretRef: {name: jwt, key: secret}}}")
	o.await(c, v1alpha1.ConditionConfigValid, "False", v1alpha1.ReasonSecretMissing)
	o.await(c, v1alpha1.ConditionReady, "False", v1alpha1.ReasonConfigInvalid)
	if message := meta.FindStatusCondition(c.Status.Conditions, "ConfigValid").Message; !strings.Contains(message, `Secret "jwt" does not exist`) {
		t.Errorf("message %q", message)
	}
	eventually(t, "an event tells it", func() error {
		list := &eventsv1.EventList{}
		clientset, err := kubernetes.NewForConfig(o.config)
		if err != nil {
			t.Fatal(err)
		}
		if list, err = clientset.EventsV1().Events(o.namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Items {
			if e.Reason == string(v1alpha1.ReasonSecretMissing) && e.Regarding.Name == c.Name {
				return nil
			}
		}
		return fmt.Errorf("%w: %d events", errStillNot, len(list.Items))
	})
	o.createSecret("jwt", map[string]string{"secret": strings.Repeat("s", 32)})
	o.awaitSettled(c)
}

func TestPausedIsLeftAlone(t *testing.T) {
	o := startOperator(t)
	c := o.create("{bus: {nats: {managed: {replicas: 1}}}}")
	o.awaitSettled(c)
	o.patch(c, `{"spec": {"paused": true}}`)
	o.await(c, v1alpha1.ConditionPaused, "True", v1alpha1.ReasonPaused)
	d := o.deployment(c)
	o.patch(d, `{"spec": {"paused": true}}`)
	o.patch(c, `{"spec": {"replicas": 5}}`)
	o.patch(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "x"}}, `{"metadata": {"labels": {"app.kubernetes.io/name": "other"}}}`)
	o.await(c, v1alpha1.ConditionPaused, "True", v1alpha1.ReasonPaused)
	changes := o.requests.changes.Load()
	o.touch(c, "paused")
	if n := o.requests.changes.Load() - changes; n != 0 {
		t.Errorf("%d requests that change something", n)
	}
	if d := o.deployment(c); *d.Spec.Replicas != 2 {
		t.Errorf("%d replicas", *d.Spec.Replicas)
	}
	o.patch(d, `{"spec": {"paused": false}}`)
	o.patch(c, `{"spec": {"paused": false}}`)
	o.await(c, v1alpha1.ConditionPaused, "False", v1alpha1.ReasonRunning)
	o.awaitSettled(c)
	if n := len(o.hubPods(c)); n != 5 {
		t.Errorf("%d hubs", n)
	}
}

func TestDeletionLeavesNothing(t *testing.T) {
	for _, retain := range []bool{false, true} {
		t.Run(fmt.Sprintf("retain=%v", retain), func(t *testing.T) {
			o := startOperator(t)
			c := o.create(fmt.Sprintf("{bus: {nats: {managed: {replicas: 3, retain: %v, jetStream: {storage: {size: 1Gi}}}}}}", retain))
			o.awaitSettled(c)
			if err := o.client.Delete(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			var want []string
			if retain {
				want = []string{"PersistentVolumeClaim/data-x-nats-0", "PersistentVolumeClaim/data-x-nats-1", "PersistentVolumeClaim/data-x-nats-2", "Secret/x-nats-credentials"}
			}
			eventually(t, "what is left", func() error {
				left := slices.Sorted(maps.Keys(o.children()))
				claims := &corev1.PersistentVolumeClaimList{}
				if err := o.client.List(t.Context(), claims, client.InNamespace(o.namespace)); err != nil {
					t.Fatal(err)
				}
				for i := range claims.Items {
					// Nobody else lifts the protection of claims that no pod uses.
					if claim := &claims.Items[i]; claim.DeletionTimestamp != nil {
						o.patch(claim, `{"metadata": {"finalizers": null}}`)
						continue
					}
					left = append(left, "PersistentVolumeClaim/"+claims.Items[i].Name)
				}
				slices.Sort(left)
				if pods := o.hubPods(c); len(pods) > 0 || !slices.Equal(left, want) {
					return fmt.Errorf("%w: %v %v, want %v", errStillNot, left, pods, want)
				}
				return nil
			})
		})
	}
}

// A cluster does not take over what is not its own.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	o := startOperator(t)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "x"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}}
	if err := o.client.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	c := o.create("{bus: {nats: {managed: {replicas: 1}}}}")
	o.await(c, v1alpha1.ConditionConfigValid, "False", v1alpha1.ReasonRefused)
	if message := meta.FindStatusCondition(c.Status.Conditions, "ConfigValid").Message; !strings.Contains(message, `Service "x" exists`) {
		t.Errorf("message %q", message)
	}
	o.get(service)
	if service.Spec.Ports[0].Port != 1 || len(service.Labels) > 0 {
		t.Errorf("changed to %+v", service)
	}
	if err := o.client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	o.touch(c, "again")
	o.awaitSettled(c)
}

// Larger volumes: the claims grow, and the StatefulSet is made anew over its pods.
func TestVolumesGrow(t *testing.T) {
	o := startOperator(t)
	c := o.create("{bus: {nats: {managed: {replicas: 3, jetStream: {storage: {size: 1Gi, storageClassName: fast}}}}}}")
	o.awaitSettled(c)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: resources.NATSName(c)}}
	o.get(set)
	uid := set.UID
	o.makeExpandable("fast")
	o.patch(c, `{"spec": {"bus": {"nats": {"managed": {"jetStream": {"storage": {"size": "2Gi"}}}}}}}`)
	eventually(t, "the set is made anew", func() error {
		if err := o.client.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
			return err
		}
		size := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]
		if set.UID == uid || size.String() != "2Gi" {
			return fmt.Errorf("%w: %s", errStillNot, size.String())
		}
		return nil
	})
	for i := range 3 {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: fmt.Sprintf("data-x-nats-%d", i)}}
		o.get(claim)
		if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.String() != "2Gi" {
			t.Errorf("%s has %s", claim.Name, size.String())
		}
		o.await(c, v1alpha1.ConditionProgressing, "True", v1alpha1.ReasonExpandingStorage)
		claim.Status.Capacity = claim.Spec.Resources.Requests // as a provisioner does
		if err := o.client.Status().Update(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
	}
	o.awaitSettled(c)
}
