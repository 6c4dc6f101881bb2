package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// patience is how long something may take on a busy machine.
const patience = 2 * time.Minute

// kubernetes is an API server without anything that runs what it is told, and the
// operator's program.
type kubernetes struct {
	client.Client
	t        *testing.T
	env      *envtest.Environment
	operator string
	admin    string // path of a kubeconfig
}

func startKubernetes(t *testing.T) *kubernetes {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		const missing = "KUBEBUILDER_ASSETS is not set: there is no API server to test on; make envtest prints what to set it to"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	ctrl.SetLogger(logr.Discard())
	k := &kubernetes{t: t, env: &envtest.Environment{}, operator: filepath.Join(t.TempDir(), "operator")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", k.operator, "../../cmd/operator").CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	cfg, err := k.env.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() { _ = k.env.Stop() })
	k.admin = k.kubeconfig("admin", "system:masters")
	if k.Client, err = client.New(cfg, client.Options{Scheme: knownTypes(t)}); err != nil {
		t.Fatal(err)
	}
	return k
}

// kubeconfig makes a user and returns the path of its kubeconfig.
func (k *kubernetes) kubeconfig(name string, groups ...string) string {
	k.t.Helper()
	user, err := k.env.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		k.t.Fatal(err)
	}
	file := filepath.Join(k.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		k.t.Fatal(err)
	}
	return file
}

// account is the kubeconfig of one who is let do what a ServiceAccount is.
func (k *kubernetes) account(name string) string {
	return k.kubeconfig("system:serviceaccount:"+namespace+":"+name, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
}

func (k *kubernetes) namespace(name string) {
	k.t.Helper()
	if err := k.Create(k.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kubernetes) helm(args ...string) error {
	k.t.Helper()
	_, err := runHelm(k.t, append(args, "--namespace", namespace, "--kubeconfig", k.admin)...)
	return err
}

// run starts the operator's program as a ServiceAccount, and returns what it has
// written so far.
func (k *kubernetes) run(account string, args ...string) (output func() string) {
	k.t.Helper()
	var log logBuffer
	cmd := exec.CommandContext(k.t.Context(), k.operator, args...)
	cmd.Env = []string{"KUBECONFIG=" + k.account(account), "POD_NAMESPACE=" + namespace}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return log.String
}

// logBuffer is written by a program and read by the test.
type logBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// await asks until the answer is nil.
func (k *kubernetes) await(what string, ask func(ctx context.Context) error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			k.t.Fatalf("%s: %v", what, err)
		}
	}
}

// exists asks for an object.
func (k *kubernetes) exists(in, name string, o client.Object) func(context.Context) error {
	return func(ctx context.Context) error { return k.Get(ctx, client.ObjectKey{Namespace: in, Name: name}, o) }
}

// operatorArgs are those of the chart's Deployment, without fixed ports.
func (k *kubernetes) operatorArgs() []string {
	k.t.Helper()
	d := &appsv1.Deployment{}
	if err := k.Get(k.t.Context(), client.ObjectKey{Namespace: namespace, Name: "gohub-operator"}, d); err != nil {
		k.t.Fatal(err)
	}
	return append(slices.Clone(d.Spec.Template.Spec.Containers[0].Args), "--metrics-address=127.0.0.1:0", "--health-address=0")
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
			log := k.run("gohub-operator", k.operatorArgs()...)
			k.reconciles(c, log)
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
