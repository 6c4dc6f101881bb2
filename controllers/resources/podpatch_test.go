package resources_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

func TestPodTemplate(t *testing.T) {
	before := withSpec(t, "{pod: {env: [{name: A, value: b}]}}")
	plain := text(t, build(t, before, facts(before)).Hub.Deployment)
	for _, c := range []struct{ name, patch, removes, adds string }{
		{"nothing", "{}", "", ""},
		{"a label", "{metadata: {labels: {a: b}}}", "", "a: b"},
		{"a mount", "{spec: {containers: [{name: hub, volumeMounts: [{name: v, mountPath: /v}]}]}}", "", "mountPath: /v"},
		{"a sidecar", "{spec: {containers: [{name: side, image: s}]}}", "", "image: s"},
		{"no user", "{spec: {securityContext: {runAsUser: null}}}", "runAsUser: 65532", ""},
		{"another probe", "{spec: {containers: [{name: hub, livenessProbe: {periodSeconds: 77}}]}}", "periodSeconds: 10", "periodSeconds: 77"},
		{"another variable", "{spec: {containers: [{name: hub, env: [{name: A, value: c}]}]}}", "value: b", "value: c"},
		{"a variable less", "{spec: {containers: [{name: hub, env: [{name: A, $patch: delete}]}]}}", "name: A", ""},
		{"a field of the pod", "{spec: {containers: [{name: hub, env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]}}", "", "apiVersion: v1\n              fieldPath: status.podIP"},
		{"a file of the pod", "{spec: {volumes: [{name: d, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}, {path: cpu, resourceFieldRef: {resource: limits.cpu}}]}}]}}", "", "divisor: \"0\""},
		{"a token", "{spec: {volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}}", "", "expirationSeconds: 3600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withSpec(t, "{pod: {env: [{name: A, value: b}]}, podTemplate: "+c.patch+"}")
			got := text(t, build(t, x, facts(x)).Hub.Deployment)
			if !strings.Contains(plain, c.removes) || c.removes != "" && strings.Contains(got, c.removes) || !strings.Contains(got, c.adds) {
				t.Errorf("want %q for %q in\n%s", c.adds, c.removes, got)
			}
			if c.removes == "" && c.adds == "" && got != plain {
				t.Error("an empty patch changes something")
			}
		})
	}
}

func TestPodTemplatesThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ name, patch, message string }{
		{"unknown field", "{spec: {containers: [{name: hub, volumes: []}]}}", `unknown field "spec.containers[0].volumes"`},
		{"unknown field on top", "{template: {}}", `unknown field "template"`},
		{"wrong type", "{spec: {nodeSelector: [a]}}", "spec.podTemplate: it"},
		{"wrong type of a number", "{spec: {terminationGracePeriodSeconds: soon}}", "terminationGracePeriodSeconds"},
		{"selector label", "{metadata: {labels: {app.kubernetes.io/name: mine}}}", "the label app.kubernetes.io/name, which selects the pods"},
		{"selector label removed", "{metadata: {labels: {app.kubernetes.io/component: null}}}", "app.kubernetes.io/component"},
		{"hash", "{metadata: {annotations: {gohub.io/config-hash: x}}}", "the annotation gohub.io/config-hash"},
		{"no hub", "{spec: {containers: [{name: hub, $patch: delete}]}}", `removes the container "hub"`},
		{"no metadata", "{metadata: null}", "removes metadata or spec"},
		{"name that is a list", "{spec: {volumes: [{name: []}]}}", "a value has the wrong type"},
		{"list without its key", "{spec: {containers: [{image: x}]}}", "no strategic merge patch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withSpec(t, "{podTemplate: "+c.patch+"}")
			reason, message := refused(t, x, facts(x))
			if reason != v1alpha1.ReasonPodTemplateInvalid || !strings.Contains(message, c.message) {
				t.Errorf("%s: %s", reason, message)
			}
		})
	}
}

// What a user writes there never makes the operator fail.
func FuzzPodTemplate(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spec":{"volumes":[{"name":[]}]}}`, `{"spec":{"containers":[{"name":"hub","$patch":"delete"}]}}`, `{"metadata":{"labels":null}}`, `{"$patch":"replace"}`,
		`{"spec":{"$setElementOrder/containers":[{"name":"hub"}],"containers":[null]}}`, `{"spec":{"volumes":[{"name":"a","$retainKeys":["name"]}]}}`,
		`{"spec":{"$deleteFromPrimitiveList/x":[1]}}`, `[]`, `{"spec":{"containers":[{"name":"hub","ports":[{"containerPort":8080,"$patch":"merge"}]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	c := withSpec(f, "{}")
	known := facts(c)
	f.Fuzz(func(t *testing.T, patch []byte) {
		x := c.DeepCopy()
		x.Spec.PodTemplate = &runtime.RawExtension{Raw: patch}
		o, err := resources.Build(x, known)
		var invalid *resources.InvalidError
		if err != nil && !errors.As(err, &invalid) {
			t.Errorf("%v", err)
		}
		if err == nil && o.Hub.Deployment.Spec.Template.Spec == nil {
			t.Error("a Deployment without pods")
		}
	})
}
