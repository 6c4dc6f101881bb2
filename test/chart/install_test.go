package chart

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// operatorArgs are those of the chart's Deployment, with metrics at an address
// that everybody may read.
func (k *kubernetes) operatorArgs(metrics string) []string {
	k.t.Helper()
	d := &appsv1.Deployment{}
	if err := k.Get(k.t.Context(), client.ObjectKey{Namespace: namespace, Name: "gohub-operator"}, d); err != nil {
		k.t.Fatal(err)
	}
	return append(slices.Clone(d.Spec.Template.Spec.Containers[0].Args), "--metrics-address="+metrics, "--metrics-auth=false", "--health-address=0")
}

// TestInstall installs the chart on a real API server, where the operator makes a
// cluster with the rights that the chart gives it and no others; upgrades it; and
// uninstalls it.
func TestInstall(t *testing.T) {
	for _, mode := range []struct{ name, set, in string }{
		{"cluster", "cluster.create=true", namespace},
		{"namespace", "rbac.scope=namespace,watchNamespaces={chat}", "chat"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			k := startKubernetes(t)
			k.namespace(namespace)
			if mode.in != namespace {
				k.namespace(mode.in)
			}
			before := k.leftovers()
			if err := k.helm("install", release, chartDir, "--set", mode.set); err != nil {
				t.Fatal(err)
			}
			c := &v1alpha1.GoHubCluster{ObjectMeta: metav1.ObjectMeta{Namespace: mode.in, Name: "gohub"}}
			if mode.in != namespace {
				if err := k.Create(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			metrics := freeAddress(t)
			log := k.run("gohub-operator", k.operatorArgs(metrics)...)
			k.reconciles(c, log)
			k.hasMetrics(metrics)
			k.upgrades(mode.set)
			if err := k.helm("uninstall", release, "--cascade", "background"); err != nil {
				t.Fatal(err)
			}
			if after := k.leftovers(); !slices.Equal(after, before) {
				t.Errorf("left behind: %v", without(after, before))
			}
		})
	}
}

// reconciles waits until the operator has made what there is to make, changed it,
// and told of it.
func (k *kubernetes) reconciles(c *v1alpha1.GoHubCluster, log func() string) {
	k.t.Helper()
	failed := func(err error) error {
		for line := range strings.Lines(log()) {
			if strings.Contains(line, "forbidden") || strings.Contains(line, "usage") {
				k.t.Fatalf("the operator says: %s", line)
			}
		}
		return err
	}
	in, name := c.Namespace, c.Name
	for what, o := range map[string]client.Object{
		"-hub": &appsv1.Deployment{}, "-nats": &appsv1.StatefulSet{}, "-admin": &corev1.Secret{}, "": &corev1.Service{},
	} {
		k.await("object "+name+what+"\n"+log(), func(ctx context.Context) error { return failed(k.exists(in, name+what, o)(ctx)) })
	}
	k.await("lease", k.exists(namespace, "gohub-operator", &coordinationv1.Lease{}))
	k.await("conditions", func(ctx context.Context) error {
		if err := k.exists(in, name, c)(ctx); err != nil {
			return err
		}
		if len(c.Status.Conditions) == 0 {
			return failed(fmt.Errorf("status %+v", c.Status))
		}
		return nil
	})
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"networkPolicy": {"enabled": false}}}`))
	if err := k.Patch(k.t.Context(), c, patch); err != nil {
		k.t.Fatal(err)
	}
	k.await("deletion of a network policy", func(ctx context.Context) error {
		err := k.exists(in, name+"-hub", &networkingv1.NetworkPolicy{})(ctx)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return failed(fmt.Errorf("it is there: %w", err))
	})
	if err := failed(nil); err != nil {
		k.t.Fatal(err)
	}
}

// hasMetrics asks the operator for those that the alerts and the dashboard use.
func (k *kubernetes) hasMetrics(address string) {
	k.t.Helper()
	var text []byte
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		data, err := os.ReadFile(filepath.Join(chartDir, "files", file))
		if err != nil {
			k.t.Fatal(err)
		}
		text = append(text, data...)
	}
	names := regexp.MustCompile(`\b(gohub_operator|controller_runtime|rest_client)_[a-z_]+`).FindAllString(string(text), -1)
	if len(names) < 8 {
		k.t.Fatalf("metrics %v", names)
	}
	k.await("metrics", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !bytes.Contains(page, []byte("\n"+name+"{")) {
				return fmt.Errorf("the operator has no %s", name)
			}
		}
		return nil
	})
}

// upgrades takes a field from the CRD, as an older one may lack it; the upgrade
// brings it back, by the Job, which this does in place of a kubelet.
func (k *kubernetes) upgrades(set string) {
	k.t.Helper()
	const field = "paused"
	crd := &apiextensionsv1.CustomResourceDefinition{}
	key := client.ObjectKey{Name: "gohubclusters.gohub.io"}
	k.await("CRD", func(ctx context.Context) error { return k.Get(ctx, key, crd) })
	spec := func() map[string]apiextensionsv1.JSONSchemaProps {
		return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties
	}
	if _, ok := spec()[field]; !ok {
		k.t.Fatalf("the CRD has no field %s", field)
	}
	delete(spec(), field)
	if err := k.Update(k.t.Context(), crd); err != nil {
		k.t.Fatal(err)
	}
	upgraded := make(chan error, 1)
	go func() {
		_, err := runHelm(k.t, "upgrade", release, chartDir, "--namespace", namespace, "--kubeconfig", k.admin, "--timeout", patience.String(), "--set", set)
		upgraded <- err
	}()
	job := &batchv1.Job{}
	k.await("the Job", k.exists(namespace, "gohub-operator-crds", job))
	log := k.run(job.Spec.Template.Spec.ServiceAccountName, job.Spec.Template.Spec.Containers[0].Args...)
	k.await("crds apply", func(context.Context) error {
		if text := log(); !strings.Contains(text, "gohubclusters.gohub.io is installed") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}, {Type: batchv1.JobComplete, Status: corev1.ConditionTrue},
	}}
	if err := k.Status().Update(k.t.Context(), job); err != nil {
		k.t.Fatal(err)
	}
	if err := <-upgraded; err != nil {
		k.t.Fatal(err)
	}
	if err := k.Get(k.t.Context(), key, crd); err != nil {
		k.t.Fatal(err)
	}
	if _, ok := spec()[field]; !ok {
		k.t.Errorf("the upgrade has not brought back field %s", field)
	}
}

// leftovers names what a release may leave: objects that no owner takes with it.
func (k *kubernetes) leftovers() []string {
	k.t.Helper()
	var found []string
	for _, list := range []client.ObjectList{
		&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{},
		&corev1.ServiceAccountList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.PodList{}, &corev1.SecretList{},
		&appsv1.DeploymentList{}, &batchv1.JobList{}, &networkingv1.NetworkPolicyList{},
	} {
		if err := k.List(k.t.Context(), list); err != nil {
			k.t.Fatal(err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			if o := item.(client.Object); len(o.GetOwnerReferences()) == 0 {
				found = append(found, fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName()))
			}
			return nil
		})
		if err != nil {
			k.t.Fatal(err)
		}
	}
	slices.Sort(found)
	return found
}
