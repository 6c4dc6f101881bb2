package chart

import (
	"strings"
	"testing"
)

// TestRefused: values that make no sense are refused with words that say why.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, values, want string }{
		{"unknown key", "replica: 2", "additional properties 'replica' not allowed"},
		{"unknown key below", "metrics: {ports: 1}", "at '/metrics': additional properties 'ports' not allowed"},
		{"text for a number", "replicas: two", "at '/replicas': got string, want integer"},
		{"negative", "replicas: -1", "at '/replicas': minimum: got -1, want 0"},
		{"scope", "rbac: {scope: all}", "at '/rbac/scope': value must be one of 'cluster', 'namespace'"},
		{"pull policy", "image: {pullPolicy: Sometimes}", "value must be one of 'Always', 'IfNotPresent', 'Never'"},
		{"tag as a number", "image: {tag: 1.2}", "at '/image/tag': got number, want string"},
		{"tag in the repository", "image: {repository: 'ghcr.io/x/y:v1'}", "at '/image/repository': 'ghcr.io/x/y:v1' does not match pattern"},
		{"digest", "images: {hub: {digest: 'md5:1'}}", "at '/images/hub/digest': 'md5:1' does not match pattern"},
		{"port", "metrics: {port: 70000}", "at '/metrics/port': maximum: got 70,000, want 65,535"},
		{"log level", "log: {level: trace}", "at '/log/level': value must be one of 'debug', 'info', 'warn', 'error'"},
		{"too many workers", "maxConcurrentReconciles: 65", "at '/maxConcurrentReconciles': maximum: got 65, want 64"},
		{"namespace", "rbac: {scope: namespace}\nwatchNamespaces: [Chat]", "at '/watchNamespaces/0': 'Chat' does not match pattern"},
		{"label", "podLabels: {a: true}", "at '/podLabels/a': got boolean, want string"},
		{"interval", "metrics: {serviceMonitor: {interval: 30}}", "at '/metrics/serviceMonitor/interval': got number, want string"},
		{"alert", "prometheusRule: {disabled: [GoHubAll]}", "at '/prometheusRule/disabled/0': value must be one of 'GoHubBusAway'"},
		{"address range", "networkPolicy: {apiServerCIDRs: [10.0.0.1]}", "at '/networkPolicy/apiServerCIDRs/0': '10.0.0.1' does not match pattern"},
		{"no ports", "networkPolicy: {apiServerPorts: []}", "at '/networkPolicy/apiServerPorts': minItems: got 0, want 1"},
		{"name of the cluster", "cluster: {create: true, name: My-Hub}", "at '/cluster/name': 'My-Hub' does not match pattern"},
		{"spec as text", "cluster: {spec: x}", "at '/cluster/spec': got string, want object"},
		{"url of the test", "test: {url: localhost}", "at '/test/url': 'localhost' does not match pattern"},
		{"watched without the scope", "watchNamespaces: [a]", "watchNamespaces needs rbac.scope=namespace"},
		{"cluster where nobody watches", "rbac: {scope: namespace}\nwatchNamespaces: [a]\ncluster: {create: true}", "namespace gohub-system, which is not in watchNamespaces"},
		{"monitor without metrics", "metrics: {enabled: false, serviceMonitor: {enabled: true}}", "metrics.serviceMonitor.enabled needs metrics.enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := template(t, tt.values)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := runHelm(t, "template", release, chartDir, "--kube-version", "1.29.9"); err == nil || !strings.Contains(err.Error(), "requires kubeVersion: >=1.30.0-0") {
		t.Errorf("an old Kubernetes: %v", err)
	}
	long := strings.Repeat("x", 41)
	if _, err := runHelm(t, "template", long, chartDir, "--kube-version", kubeVersion, "--set", "cluster.create=true"); err == nil || !strings.Contains(err.Error(), "set cluster.name") {
		t.Errorf("a long name: %v", err)
	}
	// As a part of another chart it is given what is global there.
	if _, err := template(t, "global: {registry: example.com}"); err != nil {
		t.Error(err)
	}
}
