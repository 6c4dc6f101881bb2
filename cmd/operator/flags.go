package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/chenxilol/gohub/controllers/resources"
)

// settings are the flags of run.
type settings struct {
	watch     []string // namespaces; none is all
	namespace string   // the operator's own
	podLabels map[string]string
	images    resources.Images
	workers   int

	elect   bool
	leaseID string

	metricsAddress string
	metricsAuth    bool
	metricsCerts   string
	healthAddress  string

	logLevel  slog.Level
	logFormat string
}

func parseSettings(args, environ []string, stdout io.Writer) (settings, error) {
	var s settings
	var watch, podLabels, level string
	env := func(name, otherwise string) string {
		for _, e := range environ {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return otherwise
	}
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.StringVar(&watch, "watch-namespaces", "", "namespaces to watch, by commas; empty: all")
	fs.StringVar(&s.namespace, "namespace", env("POD_NAMESPACE", ""), "the operator's own namespace (POD_NAMESPACE)")
	fs.StringVar(&podLabels, "pod-labels", env("GOHUB_OPERATOR_POD_LABELS", ""),
		"labels of the operator's pods, as k=v by commas, for the hubs' network policies (GOHUB_OPERATOR_POD_LABELS)")
	fs.StringVar(&s.images.Hub, "hub-image", env("GOHUB_HUB_IMAGE", ""), "image of hubs whose spec names none (GOHUB_HUB_IMAGE)")
	fs.StringVar(&s.images.NATS, "nats-image", env("GOHUB_NATS_IMAGE", ""), "image of managed NATS servers, likewise (GOHUB_NATS_IMAGE)")
	fs.StringVar(&s.images.Redis, "redis-image", env("GOHUB_REDIS_IMAGE", ""), "image of managed Redis servers, likewise (GOHUB_REDIS_IMAGE)")
	fs.IntVar(&s.workers, "max-concurrent-reconciles", 4, "clusters reconciled at the same time, 1 to 64")
	fs.BoolVar(&s.elect, "leader-elect", true, "have one of several operators work at a time")
	fs.StringVar(&s.leaseID, "leader-election-id", "gohub-operator", "name of the lease")
	fs.StringVar(&s.metricsAddress, "metrics-address", ":8443", "host:port of the metrics; 0: none")
	fs.BoolVar(&s.metricsAuth, "metrics-auth", true, "serve metrics over HTTPS, to whom the API server lets get /metrics; false: over HTTP, to all")
	fs.StringVar(&s.metricsCerts, "metrics-cert-dir", "", "folder with tls.crt and tls.key of the metrics; empty: a certificate signed by itself")
	fs.StringVar(&s.healthAddress, "health-address", ":8081", "host:port of /healthz and /readyz; 0: none")
	fs.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&s.logFormat, "log-format", "json", "json or text")
	if err := parse(fs, args, stdout); err != nil {
		return settings{}, err
	}
	if err := s.complete(watch, podLabels, level); err != nil {
		return settings{}, usageError{err}
	}
	return s, nil
}

// complete checks what flags say, and reads those that are lists.
func (s *settings) complete(watch, podLabels, level string) error {
	for name := range strings.SplitSeq(watch, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("--watch-namespaces: %q is no name of a namespace", name)
		}
		s.watch = append(s.watch, name)
	}
	var err error
	if s.podLabels, err = labels.ConvertSelectorToLabelsMap(podLabels); err != nil {
		return fmt.Errorf("--pod-labels: want k=v,k=v: %w", err)
	}
	if err := s.logLevel.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("--log-level: %q is none of debug, info, warn and error", level)
	}
	for name, address := range map[string]string{"--metrics-address": s.metricsAddress, "--health-address": s.healthAddress} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			return fmt.Errorf("%s: %q is neither host:port nor 0", name, address)
		}
	}
	images := []struct{ flag, image string }{
		{"--hub-image", s.images.Hub}, {"--nats-image", s.images.NATS}, {"--redis-image", s.images.Redis},
	}
	for _, i := range images {
		if i.image == "" {
			return fmt.Errorf("%s is missing: name the image of pods whose spec names none", i.flag)
		}
	}
	switch {
	case s.logFormat != "json" && s.logFormat != "text":
		return fmt.Errorf("--log-format: %q is neither json nor text", s.logFormat)
	case s.workers < 1 || s.workers > 64:
		return fmt.Errorf("--max-concurrent-reconciles: %d is not from 1 to 64", s.workers)
	case s.elect && s.namespace == "":
		return fmt.Errorf("--leader-elect needs --namespace, which has the lease; or turn it off with --leader-elect=false")
	case s.metricsCerts != "" && !s.metricsAuth:
		return fmt.Errorf("--metrics-cert-dir has no effect with --metrics-auth=false, which serves HTTP")
	}
	return nil
}
