package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/chenxilol/gohub/controllers"
	"github.com/chenxilol/gohub/controllers/resources"
)

// Requests a second to the API server, and at once: a hundred clusters are made in
// seconds, and a fault does not become a flood.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 100
)

// gcPercent is the heap's growth between two collections. The operator has little
// to do, and its memory is that of the node's pods: collecting more often costs a
// thousandth of a core.
const gcPercent = 25

// stopWithin bounds the end: what is under way is finished.
const stopWithin = 20 * time.Second

func runOperator(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	s, err := parseSettings(args, environ, stdout)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, "GOGC=") }) {
		debug.SetGCPercent(gcPercent)
	}
	log := logr.FromSlogHandler(s.handler(stderr))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	cfg.QPS, cfg.Burst = requestsPerSecond, requestsAtOnce
	cfg.UserAgent = "gohub-operator/" + version()
	mgr, err := newManager(cfg, s)
	if err != nil {
		return err
	}
	log.Info("The operator starts", "version", version(), "watch", s.watch)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

func (s settings) handler(w io.Writer) slog.Handler {
	o := &slog.HandlerOptions{Level: s.logLevel}
	if s.logFormat == "text" {
		return slog.NewTextHandler(w, o)
	}
	return slog.NewJSONHandler(w, o)
}

func newManager(cfg *rest.Config, s settings) (manager.Manager, error) {
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	stop := stopWithin
	mgr, err := manager.New(cfg, manager.Options{
		Scheme:                  scheme,
		Cache:                   controllers.CacheOptions(s.watch),
		Client:                  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics:                 s.metrics(),
		HealthProbeBindAddress:  s.healthAddress,
		LeaderElection:          s.elect,
		LeaderElectionID:        s.leaseID,
		LeaderElectionNamespace: s.namespace,
		// The next one need not wait for the lease to end: this one ends with its
		// manager.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &stop,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	err = controllers.Setup(mgr, controllers.Options{
		Images: s.images, Workers: s.workers,
		Operator: resources.Operator{Namespace: s.namespace, PodLabels: s.podLabels},
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add a health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("alive", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add a readiness check: %w", err)
	}
	return mgr, nil
}

func (s settings) metrics() metricsserver.Options {
	o := metricsserver.Options{BindAddress: s.metricsAddress, SecureServing: s.metricsAuth, CertDir: s.metricsCerts}
	if s.metricsAuth {
		o.FilterProvider = newMetricsGuard
	}
	return o
}
