package resources_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chenxilol/gohub/controllers/resources"
)

// rules writes what a policy allows, as "in hub: 4222" and "out *: 53 53".
func rules(p *networkingv1ac.NetworkPolicyApplyConfiguration) []string {
	var all []string
	for _, r := range p.Spec.Ingress {
		all = append(all, rule("in", r.From, r.Ports))
	}
	for _, r := range p.Spec.Egress {
		all = append(all, rule("out", r.To, r.Ports))
	}
	return all
}

func rule(way string, peers []networkingv1ac.NetworkPolicyPeerApplyConfiguration, ports []networkingv1ac.NetworkPolicyPortApplyConfiguration) string {
	var names, numbers []string
	for _, p := range peers {
		name := ""
		if p.NamespaceSelector != nil {
			name = p.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] + "/"
		}
		if p.PodSelector != nil {
			name += p.PodSelector.MatchLabels[resources.LabelComponent] + p.PodSelector.MatchLabels["app"]
			if p.PodSelector.MatchLabels[resources.LabelName] == "gohub-operator" {
				name += "operator"
			}
		}
		if p.IPBlock != nil {
			name += *p.IPBlock.CIDR
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		names = []string{"*"}
	}
	for _, p := range ports {
		numbers = append(numbers, fmt.Sprintf("%s%s", p.Port, strings.TrimPrefix(string(*p.Protocol), "TCP")))
	}
	return way + " " + strings.Join(names, ",") + ": " + strings.Join(numbers, " ")
}

func TestNetworkPolicies(t *testing.T) {
	const (
		clients  = "in *: 8080"
		operator = "in gohub-system/operator: 8081"
		names    = "out *: 53 53UDP"
	)
	for _, c := range []struct {
		spec string
		want []string
		bus  []string
	}{
		{"{}", []string{clients, operator, names, "out nats: 4222"}, []string{"in hub: 4222", "in nats: 6222", names, "out nats: 6222"}},
		{"{bus: {nats: {managed: {replicas: 1}}}}", []string{clients, operator, names, "out nats: 4222"}, []string{"in hub: 4222"}},
		{"{bus: {type: redis, redis: {managed: {}}}}", []string{clients, operator, names, "out redis: 6379"}, []string{"in hub: 6379"}},
		{"{bus: {type: embedded}}", []string{clients, operator, "in hub: 6222", names, "out hub: 6222"}, nil},
		{"{bus: {nats: {external: {urls: ['tls://a:4333', 'b:4222', 'wss://c:4333']}}}}", []string{clients, operator, names, "out *: 4222 4333"}, nil},
		{"{bus: {type: redis, redis: {external: {addresses: ['a:7000', 'b:7001']}}}}", []string{clients, operator, names, "out *: 7000 7001"}, nil},
		{"{bus: {type: redis, redis: {external: {addresses: ['a:26379'], masterName: m}}}}", []string{clients, operator, names, "out *: 6379 26379"}, nil},
		{"{auth: {jwksURL: 'https://a/k'}}", []string{clients, operator, names, "out nats: 4222", "out *: 443"}, nil},
		{"{auth: {jwksURL: 'http://a/k'}}", []string{clients, operator, names, "out nats: 4222", "out *: 80"}, nil},
		{"{auth: {jwksURL: 'https://a:8443/k'}}", []string{clients, operator, names, "out nats: 4222", "out *: 8443"}, nil},
		{"{networkPolicy: {clientsFrom: [{ipBlock: {cidr: 10.0.0.0/8}}], adminFrom: [{podSelector: {matchLabels: {app: prometheus}}}], egress: [{ports: [{port: 5432}]}]}}",
			[]string{"in 10.0.0.0/8: 8080", "in prometheus,gohub-system/operator: 8081", names, "out nats: 4222", "out *: 5432"}, nil},
	} {
		t.Run(c.spec, func(t *testing.T) {
			x := withSpec(t, c.spec)
			o := build(t, x, facts(x))
			if got := rules(o.Hub.NetworkPolicy); !slices.Equal(got, c.want) {
				t.Errorf("hubs: %q, want %q", got, c.want)
			}
			for _, server := range []resources.Server{o.NATS, o.Redis} {
				if server.NetworkPolicy == nil || c.bus == nil {
					continue
				}
				if got := rules(server.NetworkPolicy); !slices.Equal(got, c.bus) {
					t.Errorf("bus: %q, want %q", got, c.bus)
				}
			}
			for _, p := range []*networkingv1ac.NetworkPolicyApplyConfiguration{o.Hub.NetworkPolicy, o.NATS.NetworkPolicy, o.Redis.NetworkPolicy} {
				if p != nil && len(p.Spec.PolicyTypes) != 2 {
					t.Errorf("%s denies only %v", *p.Name, p.Spec.PolicyTypes)
				}
			}
		})
	}
}

// A rule without peers lets everybody in.
func TestAnUnknownOperatorOpensNothing(t *testing.T) {
	c := withSpec(t, "{}")
	f := facts(c)
	f.Operator = resources.Operator{}
	if got := rules(build(t, c, f).Hub.NetworkPolicy); slices.ContainsFunc(got, func(r string) bool { return strings.HasSuffix(r, "8081") }) {
		t.Errorf("%q", got)
	}
}

func TestNetworkPoliciesOff(t *testing.T) {
	c := withSpec(t, "{networkPolicy: {enabled: false}}")
	if o := build(t, c, facts(c)); o.Hub.NetworkPolicy != nil || o.NATS.NetworkPolicy != nil {
		t.Error("there are policies")
	}
}
