package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	"github.com/chenxilol/gohub/controllers"
	"github.com/chenxilol/gohub/controllers/resources"
)

// patience is how long something may take on a busy machine.
const patience = time.Minute

// apiServer is an API server with the controllers of Kubernetes, and pods that a
// kubelet of the tests' own runs.
type apiServer struct {
	config *rest.Config
	client client.Client // reads from the API server

	kubeconfig string // the file
}

// shared is the one API server of all tests. Each has a namespace of its own.
var shared *apiServer

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return m.Run() // each test says what it lacks
	}
	k, stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	shared = k
	return m.Run()
}

// start starts an API server, and the controllers that make pods of Deployments
// and delete what belongs to nobody.
func start() (*apiServer, func(), error) {
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd"}, ErrorIfCRDPathMissing: true}
	cfg, err := env.Start()
	if err != nil {
		return nil, nil, fmt.Errorf("start the API server: %w", err)
	}
	stop := func() { _ = env.Stop() }
	cfg.QPS = -1
	user, err := env.AddUser(envtest.User{Name: "controllers", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return nil, stop, fmt.Errorf("add a user: %w", err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		return nil, stop, err
	}
	dir, err := os.MkdirTemp("", "controllers")
	if err != nil {
		return nil, stop, err
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, stop, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	wanted := []string{"deployment-controller", "replicaset-controller", "statefulset-controller", "garbage-collector-controller", "disruption-controller"}
	manager := exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager"),
		"--kubeconfig="+file, "--leader-elect=false", "--controllers="+strings.Join(wanted, ","), "--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000", "--concurrent-gc-syncs=20")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		cancel()
		return nil, stop, err
	}
	manager.Stdout, manager.Stderr = log, log
	if err := manager.Start(); err != nil {
		cancel()
		return nil, stop, fmt.Errorf("start the controllers of Kubernetes: %w", err)
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		cancel()
		return nil, stop, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		cancel()
		return nil, stop, err
	}
	return &apiServer{config: cfg, client: c, kubeconfig: file}, func() {
		cancel()
		_ = manager.Wait()
		stop()
		_ = os.RemoveAll(dir)
	}, nil
}

// needAPIServer skips a test where there is no API server, which CI must have.
func needAPIServer(t testing.TB) *apiServer {
	t.Helper()
	// Asked for here as well: what TestMain asks for is no part of the key under
	// which results are cached.
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		const missing = "KUBEBUILDER_ASSETS is not set: there is no API server to test on; make envtest prints what to set it to"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return shared
}

// operator is one that runs, and counts what it asks of the API server.
type operator struct {
	*apiServer
	t         testing.TB
	namespace string
	hubs      *fleet
	kubelet   *kubelet
	requests  *requestLog
	manager   manager.Manager
	registry  *prometheus.Registry
	stop      func()
}

// images are those of the operator.
var images = resources.Images{Hub: "hub:1", NATS: "nats:2", Redis: "redis:7"}

// operatorPods are those of the operator.
var operatorPods = resources.Operator{Namespace: "gohub-system", PodLabels: map[string]string{"app": "operator"}}

// startOperator starts an operator for a namespace that is made for the test.
func startOperator(t testing.TB, change ...func(*controllers.Options, *rest.Config)) *operator {
	t.Helper()
	k := needAPIServer(t)
	o := &operator{apiServer: k, t: t, namespace: k.makeNamespace(t), hubs: newFleet()}
	o.kubelet = startKubelet(t, k, o.namespace, o.hubs)
	o.run(change...)
	return o
}

func (k *apiServer) makeNamespace(t testing.TB) string {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := k.client.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n.Name
}

// run starts the operator; after stop it may be started again.
func (o *operator) run(change ...func(*controllers.Options, *rest.Config)) {
	o.t.Helper()
	cfg := rest.CopyConfig(o.config)
	o.requests = &requestLog{}
	cfg.Wrap(o.requests.wrap)
	o.registry = prometheus.NewRegistry()
	options := controllers.Options{
		Images: images, Hubs: o.hubs, HubURL: func(p *corev1.Pod) string { return p.Name }, PollEvery: time.Second, Registry: o.registry,
		Operator: operatorPods,
	}
	for _, f := range change {
		f(&options, cfg)
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		o.t.Fatal(err)
	}
	again := true // one process may have several in tests
	mgr, err := manager.New(cfg, manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions([]string{o.namespace}),
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Controller:             ctrlconfig.Controller{SkipNameValidation: &again},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := controllers.Setup(mgr, options); err != nil {
		o.t.Fatal(err)
	}
	o.manager = mgr
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var stopped atomic.Bool
	o.stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			o.t.Errorf("the operator ended with: %v", err)
		}
	}
	o.t.Cleanup(o.stop)
}

// requestLog counts the requests of a client that change something, and may have
// them sent another way.
type requestLog struct {
	changes atomic.Int64
	reads   atomic.Int64 // watches not counted
	last    atomic.Value // text of the last change
	via     atomic.Pointer[func(*http.Request, http.RoundTripper) (*http.Response, error)]
}

func (l *requestLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(q *http.Request) (*http.Response, error) {
		switch {
		case strings.Contains(q.URL.Path, "/events"):
		case q.Method != http.MethodGet:
			l.changes.Add(1)
			l.last.Store(q.Method + " " + q.URL.Path)
		case q.URL.Query().Get("watch") == "":
			l.reads.Add(1)
		}
		if do := l.via.Load(); do != nil {
			return (*do)(q, next)
		}
		return next.RoundTrip(q)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// errStillNot says that something has not come yet.
var errStillNot = errors.New("still not")

// eventually waits until is returns nil.
func eventually(t testing.TB, what string, is func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := is()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// reconciled returns how many reconciliations have ended.
func (o *operator) reconciled() uint64 {
	o.t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	var n uint64
	for _, f := range families {
		if f.GetName() == "controller_runtime_reconcile_time_seconds" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}
