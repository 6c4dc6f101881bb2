package chart

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	chartDir  = "../../charts/gohub"
	release   = "gohub"
	namespace = "gohub-system"
	// kubeVersion is the least that the chart takes.
	kubeVersion = "1.30.0"
	// prometheusOperator is the API without which there are no ServiceMonitors.
	prometheusOperator = "monitoring.coreos.com/v1"
)

var (
	update = flag.Bool("update", false, "write config/rbac and the chart's README.md")
	helm   string // the program's path
)

func TestMain(m *testing.M) {
	flag.Parse()
	// go tool builds it once and keeps it.
	cmd := exec.Command("go", "tool", "-modfile=hack/tools/go.mod", "-n", "helm")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build helm: %v\n", err)
		os.Exit(1)
	}
	helm = strings.TrimSpace(string(out))
	os.Exit(m.Run())
}

// runHelm returns what helm prints.
func runHelm(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), helm, args...)
	cmd.Stderr = &errs
	// Nothing of the user's own.
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+os.DevNull)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("helm %s: %w\n%s", args[0], err, errs.String())
	}
	return string(out), nil
}

// template renders the chart with values, YAML, and further flags.
func template(t *testing.T, values string, flags ...string) (string, error) {
	t.Helper()
	file := t.TempDir() + "/values.yaml"
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"template", release, chartDir, "--namespace", namespace, "--kube-version", kubeVersion, "--values", file}, flags...)
	return runHelm(t, args...)
}

// render returns the objects that the chart makes of values.
func render(t *testing.T, values string, flags ...string) []*unstructured.Unstructured {
	t.Helper()
	text, err := template(t, values, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, []byte(text))
}

// parse reads the objects of a YAML stream.
func parse(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for dec := yaml.NewYAMLToJSONDecoder(bytes.NewReader(text)); ; {
		o := &unstructured.Unstructured{}
		err := dec.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// scenarios are values that between them make every object and every field.
func scenarios() map[string]struct {
	values string
	flags  []string
} {
	type scenario = struct {
		values string
		flags  []string
	}
	return map[string]scenario{
		"minimal": {},
		"cluster": {values: "cluster: {create: true}"},
		"namespace mode": {values: `
rbac: {scope: namespace}
watchNamespaces: [chat, games]`},
		"own namespace": {values: `
rbac: {scope: namespace, aggregate: false}
metrics: {auth: false}
fullnameOverride: mine
cluster: {create: true, name: mine}`},
		"nothing optional": {values: `
rbac: {create: false}
serviceAccount: {create: false, name: theirs}
images: {hub: {digest: "sha256:` + strings.Repeat("c", 64) + `"}, redis: {digest: "sha256:` + strings.Repeat("d", 64) + `"}}
crds: {upgradeHook: false}
metrics: {enabled: false}
networkPolicy: {enabled: false}
resources: null
cluster: {create: true}
test: {enabled: false}`},
		"everything": {flags: []string{"--api-versions", prometheusOperator}, values: `
nameOverride: hubs
commonLabels: {team: chat}
replicas: 3
image: {repository: "registry.example.com:5000/operator", tag: v9.9.9, digest: "sha256:` + strings.Repeat("a", 64) + `", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
images:
  hub: {repository: registry.example.com/hub, tag: v9}
  nats: {repository: registry.example.com/nats, tag: v2, digest: "sha256:` + strings.Repeat("b", 64) + `"}
  redis: {repository: registry.example.com/redis, tag: "8"}
serviceAccount: {name: op, annotations: {example.com/role: chat}}
maxConcurrentReconciles: 16
log: {level: debug, format: text}
resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
podLabels: {example.com/scrape: "true"}
podAnnotations: {example.com/note: a}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: ops, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
priorityClassName: high
metrics:
  port: 9443
  certSecret: operator-tls
  serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}, tlsConfig: {serverName: operator}}
prometheusRule: {enabled: true, namespace: monitoring, labels: {release: prometheus}, alertLabels: {team: chat}, disabled: [GoHubPanics], runbookURL: "https://wiki.example.com/"}
dashboard: {enabled: true, namespace: monitoring, labels: {sidecar: "2"}, annotations: {folder: GoHub}}
networkPolicy:
  apiServerPorts: [6443]
  apiServerCIDRs: [10.0.0.1/32, "fd00::/64"]
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
cluster:
  create: true
  name: chat
  labels: {example.com/a: b}
  annotations: {example.com/c: d}
  spec:
    replicas: 3
    bus: {type: nats, nats: {managed: {replicas: 3, jetStream: {storage: {size: 10Gi}}}}}
    auth: {secretRef: {name: jwt}}
    service: {port: 8000}
    monitoring: {serviceMonitor: {}}
test: {url: "wss://chat.example.com/ws", timeout: 10s, tokenSecret: tokens, podLabels: {role: client}}`},
	}
}
