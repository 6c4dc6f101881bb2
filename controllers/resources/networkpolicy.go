package resources

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

type (
	peer    = networkingv1ac.NetworkPolicyPeerApplyConfiguration
	ingress = networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration
	egress  = networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration
)

// hubNetworkPolicy opens the websocket port to clients, the admin port to the
// operator and adminFrom, and the mesh to other hubs; and the ways out that the
// hubs need. Probes come from the node, which is always let in.
func (b *builder) hubNetworkPolicy() *networkingv1ac.NetworkPolicyApplyConfiguration {
	n := b.c.Spec.NetworkPolicy
	clients := b.peers(n.ClientsFrom)
	admins := b.peers(n.AdminFrom)
	if operator := b.operatorPeer(); operator != nil {
		admins = append(admins, operator)
	}
	in := []*ingress{from(clients, PortClients)}
	if len(admins) > 0 { // none means everybody in a rule
		in = append(in, from(admins, PortAdmin))
	}
	out := append([]*egress{dns()}, b.busEgress()...)
	if b.c.Spec.Bus.Type == v1alpha1.BusEmbedded {
		in = append(in, from(b.pods(ComponentHub), PortMesh))
	}
	if auth := b.c.Spec.Auth; auth != nil && auth.JWKSURL != "" {
		out = append(out, to(nil, urlPort(auth.JWKSURL)))
	}
	own := convertAll[egress](b, n.Egress)
	fillPorts(own)
	out = append(out, own...)
	return b.networkPolicy(HubName(b.c), ComponentHub, in, out)
}

// busEgress is the way to the bus. Names cannot be written in a policy, so one
// that runs elsewhere is any address, at its ports.
func (b *builder) busEgress() []*egress {
	switch bus := b.c.Spec.Bus; {
	case managedNATS(b.c) != nil:
		return []*egress{to(b.pods(ComponentNATS), PortNATS)}
	case managedRedis(b.c) != nil:
		return []*egress{to(b.pods(ComponentRedis), PortRedis)}
	case bus.NATS != nil && bus.NATS.External != nil:
		return []*egress{to(nil, ports(bus.NATS.External.URLs)...)}
	case bus.Redis != nil && bus.Redis.External != nil:
		external := bus.Redis.External
		list := ports(external.Addresses)
		if external.MasterName != "" {
			// Sentinels tell where the master is; its usual port.
			list = slices.Compact(slices.Sorted(slices.Values(append(list, PortRedis))))
		}
		return []*egress{to(nil, list...)}
	default:
		return []*egress{to(b.pods(ComponentHub), PortMesh)}
	}
}

// networkPolicy denies all but the rules, both ways.
func (b *builder) networkPolicy(name, component string, in []*ingress, out []*egress) *networkingv1ac.NetworkPolicyApplyConfiguration {
	if enabled := b.c.Spec.NetworkPolicy.Enabled; enabled != nil && !*enabled {
		return nil
	}
	p := networkingv1ac.NetworkPolicy(name, b.c.Namespace).WithSpec(networkingv1ac.NetworkPolicySpec().
		WithPodSelector(b.selector(component)).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
		WithIngress(in...).
		WithEgress(out...))
	p.ObjectMetaApplyConfiguration = b.objectMeta(name, component)
	return p
}

func (b *builder) peers(of []networkingv1.NetworkPolicyPeer) []*peer { return convertAll[peer](b, of) }

// pods are those of one component of this cluster.
func (b *builder) pods(component string) []*peer {
	return []*peer{networkingv1ac.NetworkPolicyPeer().WithPodSelector(b.selector(component))}
}

func (b *builder) operatorPeer() *peer {
	o := b.f.Operator
	if o.Namespace == "" {
		return nil
	}
	p := networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(
		metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: o.Namespace}))
	if len(o.PodLabels) > 0 {
		p.WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(o.PodLabels))
	}
	return p
}

// from lets peers in, everybody where there are none.
func from(peers []*peer, ports ...int) *ingress {
	return networkingv1ac.NetworkPolicyIngressRule().WithFrom(peers...).WithPorts(policyPorts(corev1.ProtocolTCP, ports)...)
}

// to is the way to peers, to everywhere where there are none.
func to(peers []*peer, ports ...int) *egress {
	return networkingv1ac.NetworkPolicyEgressRule().WithTo(peers...).WithPorts(policyPorts(corev1.ProtocolTCP, ports)...)
}

// dns is the way to name servers, wherever they are: in pods, or on the node.
func dns() *egress {
	return to(nil, portDNS).WithPorts(policyPorts(corev1.ProtocolUDP, []int{portDNS})...)
}

func policyPorts(protocol corev1.Protocol, ports []int) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var all []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, port := range ports {
		all = append(all, networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt(port)))
	}
	return all
}

// ports returns those of addresses that end with one, sorted, each once.
func ports(addresses []string) []int {
	var all []int
	for _, a := range addresses {
		if port, err := strconv.Atoi(a[strings.LastIndexByte(a, ':')+1:]); err == nil {
			all = append(all, port)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// urlPort returns the port of an http or https address.
func urlPort(text string) int {
	u, err := url.Parse(text)
	if err != nil {
		return 443 // the hub's own check refuses it
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
