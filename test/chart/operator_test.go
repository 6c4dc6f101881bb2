package chart

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
)

func TestDeployment(t *testing.T) {
	s := scenarios()["everything"]
	d := find[*appsv1.Deployment](t, render(t, s.values, s.flags...), "Deployment", "-hubs-operator")
	c := d.Spec.Template.Spec.Containers[0]
	if want := "registry.example.com:5000/operator@sha256:" + strings.Repeat("a", 64); c.Image != want || c.ImagePullPolicy != corev1.PullAlways {
		t.Errorf("image %s, %s", c.Image, c.ImagePullPolicy)
	}
	want := []string{
		"run",
		"--leader-election-id=gohub-hubs-operator",
		"--pod-labels=app.kubernetes.io/component=operator,app.kubernetes.io/instance=gohub,app.kubernetes.io/name=gohub-operator",
		"--metrics-address=:9443", "--metrics-auth=true", "--metrics-cert-dir=/etc/metrics-tls", "--health-address=:8081",
		"--hub-image=registry.example.com/hub:v9",
		"--nats-image=registry.example.com/nats@sha256:" + strings.Repeat("b", 64),
		"--redis-image=registry.example.com/redis:8",
		"--max-concurrent-reconciles=16", "--log-level=debug", "--log-format=text",
	}
	if !slices.Equal(c.Args, want) {
		t.Errorf("args\n%s\nwant\n%s", strings.Join(c.Args, "\n"), strings.Join(want, "\n"))
	}
	p := d.Spec.Template
	if p.Labels["example.com/scrape"] != "true" || p.Annotations["example.com/note"] != "a" || p.Spec.NodeSelector["kubernetes.io/os"] != "linux" ||
		len(p.Spec.Tolerations) != 1 || p.Spec.Affinity.NodeAffinity == nil || p.Spec.TopologySpreadConstraints[0].TopologyKey != "zone" ||
		p.Spec.PriorityClassName != "high" || p.Spec.ImagePullSecrets[0].Name != "registry" || p.Spec.ServiceAccountName != "op" ||
		c.Resources.Requests.Cpu().Value() != 1 || *d.Spec.Replicas != 3 || p.Spec.Volumes[0].Secret.SecretName != "operator-tls" {
		t.Errorf("pod %+v", p)
	}

	own := find[*appsv1.Deployment](t, render(t, scenarios()["namespace mode"].values), "Deployment", "gohub-operator").Spec.Template.Spec.Containers[0]
	if !slices.Contains(own.Args, "--watch-namespaces=chat,games") {
		t.Errorf("args of namespace mode %v", own.Args)
	}
	own = find[*appsv1.Deployment](t, render(t, "rbac: {scope: namespace}\nmetrics: {enabled: false}"), "Deployment", "gohub-operator").Spec.Template.Spec.Containers[0]
	if !slices.Contains(own.Args, "--watch-namespaces="+namespace) || !slices.Contains(own.Args, "--metrics-address=0") || len(own.Ports) != 1 {
		t.Errorf("args without metrics %v", own.Args)
	}
	if env := own.Env[0]; env.Name != "POD_NAMESPACE" || env.ValueFrom.FieldRef.FieldPath != "metadata.namespace" {
		t.Errorf("env %v", own.Env)
	}
}

func TestDisruptionBudget(t *testing.T) {
	find[*policyv1.PodDisruptionBudget](t, render(t, "replicas: 2"), "PodDisruptionBudget", "gohub-operator")
	for _, o := range render(t, "") {
		if o.GetKind() == "PodDisruptionBudget" {
			t.Error("one operator alone has a budget, which would stop its node's drain")
		}
	}
}

// TestNames: two releases in one namespace, and in one cluster, do not meet.
func TestNames(t *testing.T) {
	for _, tt := range []struct{ release, set, want string }{
		{"gohub", "", "gohub-operator"},
		{"chat", "", "chat-gohub-operator"},
		{"chat", "nameOverride=hubs", "chat-hubs-operator"},
		{"chat", "fullnameOverride=x", "x-operator"},
		{strings.Repeat("long-", 10) + "x", "", "long-long-long-long-long-long-long-long-operator"},
	} {
		text, err := runHelm(t, "template", tt.release, chartDir, "--kube-version", kubeVersion, "--set", tt.set)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range parse(t, []byte(text)) {
			if name := o.GetName(); !strings.HasPrefix(strings.ReplaceAll(name, "--", "-"), tt.want) || len(name) > 63 {
				t.Errorf("%s %s: %s %s, want %s", tt.release, tt.set, o.GetKind(), name, tt.want)
			}
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	show := func(values string) string {
		p := find[*networkingv1.NetworkPolicy](t, render(t, values), "NetworkPolicy", "gohub-operator")
		if len(p.Spec.PolicyTypes) != 2 {
			t.Errorf("types %v", p.Spec.PolicyTypes)
		}
		var lines []string
		ports := func(all []networkingv1.NetworkPolicyPort) string {
			var names []string
			for _, p := range all {
				names = append(names, fmt.Sprintf("%s/%s", *p.Protocol, p.Port))
			}
			return strings.Join(names, ",")
		}
		peers := func(all []networkingv1.NetworkPolicyPeer) string {
			data, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		for _, r := range p.Spec.Ingress {
			lines = append(lines, "in "+ports(r.Ports)+" "+peers(r.From))
		}
		for _, r := range p.Spec.Egress {
			lines = append(lines, "out "+ports(r.Ports)+" "+peers(r.To))
		}
		return strings.Join(lines, "\n")
	}
	const hubs = `"podSelector":{"matchLabels":{"app.kubernetes.io/component":"hub","app.kubernetes.io/name":"gohub"}},"namespaceSelector":`
	for _, tt := range []struct{ values, want string }{
		{"", "in TCP/8443 null\nout TCP/443,TCP/6443 null\nout UDP/53,TCP/53 null\nout TCP/8081 [{" + hubs + "{}}]"},
		{"metrics: {enabled: false}\nnetworkPolicy: {apiServerPorts: [6443], apiServerCIDRs: [10.0.0.1/32]}",
			"out TCP/6443 [{\"ipBlock\":{\"cidr\":\"10.0.0.1/32\"}}]\nout UDP/53,TCP/53 null\nout TCP/8081 [{" + hubs + "{}}]"},
		{"rbac: {scope: namespace}\nwatchNamespaces: [b, a]\nnetworkPolicy: {metricsFrom: [{podSelector: {}}]}",
			"in TCP/8443 [{\"podSelector\":{}}]\nout TCP/443,TCP/6443 null\nout UDP/53,TCP/53 null\nout TCP/8081 [{" + hubs +
				`{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["a","b"]}]}}]`},
	} {
		if got := show(tt.values); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.values, got, tt.want)
		}
	}
}

// TestCRDHook: the Job runs the operator's own image before an upgrade, after
// what it may do has been made, and nothing of it stays.
func TestCRDHook(t *testing.T) {
	all := render(t, "")
	weights := map[string]string{}
	for _, o := range all {
		if a := o.GetAnnotations(); strings.HasSuffix(o.GetName(), "-crds") {
			weights[o.GetKind()] = a["helm.sh/hook-weight"]
			if a["helm.sh/hook"] != "pre-upgrade" || a["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded" {
				t.Errorf("%s: %v", o.GetKind(), a)
			}
		}
	}
	if fmt.Sprint(weights) != "map[ClusterRole:-20 ClusterRoleBinding:-19 Job:-10 ServiceAccount:-20]" {
		t.Errorf("weights %v", weights)
	}
	job := find[*batchv1.Job](t, all, "Job", "-crds").Spec.Template.Spec
	operator := find[*appsv1.Deployment](t, all, "Deployment", "-operator").Spec.Template.Spec
	if c := job.Containers[0]; c.Image != operator.Containers[0].Image || strings.Join(c.Args, " ") != "crds apply --timeout=60s" {
		t.Errorf("%s %v", c.Image, c.Args)
	}
	if job.ServiceAccountName == operator.ServiceAccountName {
		t.Error("the Job has the operator's account, or the operator the Job's")
	}
}

func TestMonitoring(t *testing.T) {
	s := scenarios()["everything"]
	all := render(t, s.values, s.flags...)
	m := find[*monitoringService](t, all, "ServiceMonitor", "-operator")
	e := m.Spec.Endpoints[0]
	if m.Labels["release"] != "prometheus" || e.Interval != "15s" || e.Scheme != "https" || !e.HonorLabels || fmt.Sprint(e.TLSConfig) != "map[serverName:operator]" {
		t.Errorf("monitor %+v", m)
	}
	service := find[*corev1.Service](t, all, "Service", "-metrics")
	for label, value := range m.Spec.Selector.MatchLabels {
		if service.Labels[label] != value {
			t.Errorf("the monitor does not select the Service: %s=%s", label, value)
		}
	}
	if e.Port != service.Spec.Ports[0].Name || service.Spec.Ports[0].Port != 9443 {
		t.Errorf("ports %+v", service.Spec.Ports)
	}

	r := find[*monitoringRule](t, all, "PrometheusRule", "gohub-hubs")
	if r.Namespace != "monitoring" || r.Labels["release"] != "prometheus" || len(r.Spec.Groups) != 2 {
		t.Errorf("rule %+v", r.ObjectMeta)
	}
	for _, group := range r.Spec.Groups {
		for _, a := range group.Rules {
			if a.Alert == "GoHubPanics" {
				t.Error("an alert that was left out is there")
			}
			if a.Labels["team"] != "chat" || a.Labels["severity"] == "" || a.Annotations["runbook_url"] != "https://wiki.example.com/"+strings.ToLower(a.Alert) {
				t.Errorf("%s: %v %v", a.Alert, a.Labels, a.Annotations)
			}
			if !strings.Contains(a.Annotations["summary"]+a.Annotations["description"], "{{ $") && a.Labels["severity"] == "critical" {
				t.Errorf("%s does not say whom it is about", a.Alert)
			}
		}
	}

	d := find[*corev1.ConfigMap](t, all, "ConfigMap", "-dashboard")
	if d.Namespace != "monitoring" || d.Labels["grafana_dashboard"] != "1" || d.Labels["sidecar"] != "2" || d.Annotations["folder"] != "GoHub" || !json.Valid([]byte(d.Data["gohub.json"])) {
		t.Errorf("dashboard %+v", d.ObjectMeta)
	}

	plain := find[*monitoringService](t, render(t, "metrics: {auth: false, serviceMonitor: {enabled: true}}", s.flags...), "ServiceMonitor", "-operator").Spec.Endpoints[0]
	if plain.Scheme != "" || plain.BearerTokenFile != "" || plain.TLSConfig != nil {
		t.Errorf("without authentication: %+v", plain)
	}
	for _, o := range render(t, "metrics: {serviceMonitor: {enabled: true}}\nprometheusRule: {enabled: true}") {
		if strings.HasPrefix(o.GetAPIVersion(), "monitoring.coreos.com") {
			t.Errorf("%s without its CRD", o.GetKind())
		}
	}
}
