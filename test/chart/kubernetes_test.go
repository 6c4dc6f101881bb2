package chart

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
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

// freeAddress returns one that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
