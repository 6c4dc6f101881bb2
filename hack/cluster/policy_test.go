//go:build linux

package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func pod(namespace, app, ip string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "client", ContainerPort: 8080}, {Name: "admin", ContainerPort: 8081},
		}}}},
		Status: corev1.PodStatus{PodIP: ip, Phase: corev1.PodRunning},
	}
}

func testWorld(t *testing.T, specs ...string) world {
	t.Helper()
	var policies []networkingv1.NetworkPolicy
	for _, spec := range specs {
		p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}}
		if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	ended := pod("a", "hub", "10.0.0.9")
	ended.Status.Phase = corev1.PodSucceeded
	host := pod("a", "hub", "10.0.0.8")
	host.Spec.HostNetwork = true
	pods := []corev1.Pod{
		pod("a", "hub", "10.0.0.1"), pod("a", "nats", "10.0.0.2"), pod("b", "operator", "10.0.0.3"), pod("b", "hub", "10.0.0.4"),
		ended, host, pod("a", "pending", ""),
	}
	return newWorld(policies, pods, []corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "a"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{"name": "b"}}},
	})
}

func TestPolicyRules(t *testing.T) {
	const hub = "podSelector: {matchLabels: {app: hub}}\n"
	for _, tt := range []struct {
		name  string
		specs []string
		want  []string // chains, their rules behind a colon
	}{
		{"none", nil, nil},
		{"deny all", []string{"podSelector: {}\npolicyTypes: [Ingress, Egress]"}, []string{
			"to-10.0.0.1: drop", "from-10.0.0.1: drop", "to-10.0.0.2: drop", "from-10.0.0.2: drop",
		}},
		{"a port for everybody", []string{hub + "policyTypes: [Ingress]\ningress: [{ports: [{port: client}]}]"}, []string{
			"to-10.0.0.1: tcp dport 8080 return; drop",
		}},
		{"everything", []string{hub + "policyTypes: [Ingress]\ningress: [{}]"}, []string{"to-10.0.0.1: return; drop"}},
		{"pods of the namespace", []string{hub + "policyTypes: [Ingress]\ningress: [{from: [{podSelector: {}}]}]"}, []string{
			"to-10.0.0.1: ip saddr 10.0.0.1 return; ip saddr 10.0.0.2 return; drop",
		}},
		{"a pod of another", []string{hub + `policyTypes: [Ingress]
ingress: [{from: [{namespaceSelector: {matchLabels: {name: b}}, podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [hub]}]}}], ports: [{port: 8081}]}]`}, []string{
			"to-10.0.0.1: ip saddr 10.0.0.3 tcp dport 8081 return; drop",
		}},
		{"nobody is selected", []string{hub + "policyTypes: [Ingress]\ningress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]"}, []string{
			"to-10.0.0.1: drop",
		}},
		{"addresses", []string{hub + `policyTypes: [Egress]
egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}], ports: [{protocol: UDP, port: 53}, {port: 1000, endPort: 2000}]}]`}, []string{
			"from-10.0.0.1: ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.0/16, 10.2.0.0/16 } udp dport 53 return; ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.0/16, 10.2.0.0/16 } tcp dport 1000-2000 return; drop",
		}},
		{"two policies add up", []string{
			hub + "policyTypes: [Ingress]",
			hub + "policyTypes: [Ingress]\ningress: [{ports: [{protocol: TCP}]}]",
		}, []string{"to-10.0.0.1: meta l4proto tcp return; drop"}},
		{"a port that has no such name", []string{hub + "policyTypes: [Ingress]\ningress: [{ports: [{port: metrics}]}]"}, []string{"to-10.0.0.1: drop"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script, err := testWorld(t, tt.specs...).script()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(chains(script), "\n"), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, chain := range tt.want {
				name, _, _ := strings.Cut(chain, ":")
				if !strings.Contains(script, " jump "+name+"\n") {
					t.Errorf("nothing jumps to %s:\n%s", name, script)
				}
			}
		})
	}
}

// chains returns the chains of pods, each with its rules on one line.
func chains(script string) []string {
	var all []string
	for block := range strings.SplitSeq(script, "chain ") {
		name, rest, _ := strings.Cut(block, " {\n")
		if strings.HasPrefix(name, "to-") || strings.HasPrefix(name, "from-") {
			rules, _, _ := strings.Cut(rest, "\n}")
			all = append(all, name+": "+strings.ReplaceAll(rules, "\n", "; "))
		}
	}
	return all
}
