//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// world is what NetworkPolicies speak about.
type world struct {
	policies   []networkingv1.NetworkPolicy
	pods       []corev1.Pod
	namespaces map[string]labels.Set
}

// newWorld leaves out pods that have no address of their own.
func newWorld(policies []networkingv1.NetworkPolicy, pods []corev1.Pod, namespaces []corev1.Namespace) world {
	w := world{policies: policies, namespaces: map[string]labels.Set{}}
	for _, p := range pods {
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if p.Status.PodIP != "" && !p.Spec.HostNetwork && !ended {
			w.pods = append(w.pods, p)
		}
	}
	for _, n := range namespaces {
		w.namespaces[n.Name] = n.Labels
	}
	return w
}

// The table of nftables that holds the policies.
const policyTable = "inet gohub-policy"

// script returns what nft makes the policies of: a chain for each direction of
// each pod that a policy selects, which drops what no rule lets return. What
// comes from the pod's own node is not forwarded, so probes always pass.
func (w world) script() (string, error) {
	var chains, jumps strings.Builder
	for _, pod := range w.pods {
		for _, d := range []direction{ingress, egress} {
			allowed, isolated, err := w.allowed(pod, d)
			if err != nil {
				return "", err
			}
			if !isolated {
				continue
			}
			chain := d.name + "-" + pod.Status.PodIP
			fmt.Fprintf(&chains, "chain %s {\n", chain)
			for _, match := range allowed {
				fmt.Fprintln(&chains, strings.TrimSpace(match+" return"))
			}
			fmt.Fprint(&chains, "drop\n}\n")
			fmt.Fprintf(&jumps, "ip %s %s jump %s\n", d.own, pod.Status.PodIP, chain)
		}
	}
	// The first two lines make it one change, whether there is a table or not.
	return fmt.Sprintf(`table %[1]s
delete table %[1]s
table %[1]s {
%[2]schain checks {
ct state established,related accept
%[3]s}
chain forward {
type filter hook forward priority -10
jump checks
}
chain input {
type filter hook input priority -10
jump checks
}
}
`, policyTable, chains.String(), jumps.String()), nil
}

// direction is one side of a policy, in the words of nftables.
type direction struct {
	name, own, peer string
	policyType      networkingv1.PolicyType
}

var (
	ingress = direction{"to", "daddr", "saddr", networkingv1.PolicyTypeIngress}
	egress  = direction{"from", "saddr", "daddr", networkingv1.PolicyTypeEgress}
)

// allowed returns what a pod may have in a direction, and whether any policy has
// a say in it.
func (w world) allowed(pod corev1.Pod, d direction) (matches []string, isolated bool, err error) {
	for _, policy := range w.policies {
		if policy.Namespace != pod.Namespace || !slices.Contains(policy.Spec.PolicyTypes, d.policyType) {
			continue
		}
		selected, err := matchesSelector(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, false, err
		}
		if !selected {
			continue
		}
		isolated = true
		for _, r := range rules(policy, d) {
			found, err := w.matches(policy, pod, d, r)
			if err != nil {
				return nil, false, err
			}
			matches = append(matches, found...)
		}
	}
	return matches, isolated, nil
}

// rule is a rule of either direction.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rules(policy networkingv1.NetworkPolicy, d direction) []rule {
	var all []rule
	if d == ingress {
		for _, r := range policy.Spec.Ingress {
			all = append(all, rule{r.From, r.Ports})
		}
		return all
	}
	for _, r := range policy.Spec.Egress {
		all = append(all, rule{r.To, r.Ports})
	}
	return all
}

// matches returns the packets that a rule lets pass.
func (w world) matches(policy networkingv1.NetworkPolicy, pod corev1.Pod, d direction, r rule) ([]string, error) {
	if len(r.peers) == 0 { // everybody
		return join("", portMatches(r.ports, pod)), nil
	}
	var all []string
	for _, peer := range r.peers {
		if block := peer.IPBlock; block != nil {
			match := fmt.Sprintf("ip %s %s", d.peer, block.CIDR)
			if len(block.Except) > 0 {
				match += fmt.Sprintf(" ip %s != { %s }", d.peer, strings.Join(block.Except, ", "))
			}
			all = append(all, join(match, portMatches(r.ports, pod))...)
			continue
		}
		for _, other := range w.pods {
			is, err := w.isPeer(policy.Namespace, peer, other)
			if err != nil {
				return nil, err
			}
			if is {
				target := pod // whose port it is
				if d == egress {
					target = other
				}
				all = append(all, join(fmt.Sprintf("ip %s %s", d.peer, other.Status.PodIP), portMatches(r.ports, target))...)
			}
		}
	}
	return all, nil
}

func (w world) isPeer(namespace string, peer networkingv1.NetworkPolicyPeer, pod corev1.Pod) (bool, error) {
	if peer.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false, nil
		}
	} else if ok, err := matchesSelector(peer.NamespaceSelector, w.namespaces[pod.Namespace]); err != nil || !ok {
		return false, err
	}
	if peer.PodSelector == nil {
		return true, nil
	}
	return matchesSelector(peer.PodSelector, pod.Labels)
}

func matchesSelector(selector *metav1.LabelSelector, set labels.Set) (bool, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, err
	}
	return s.Matches(set), nil
}

// portMatches returns a match for each port; one that is always true for none.
func portMatches(ports []networkingv1.NetworkPolicyPort, target corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var all []string
	for _, p := range ports {
		protocol := "tcp"
		if p.Protocol != nil {
			protocol = strings.ToLower(string(*p.Protocol))
		}
		switch {
		case p.Port == nil:
			all = append(all, "meta l4proto "+protocol)
		case p.Port.Type == intstr.String:
			for _, number := range namedPorts(target, p.Port.StrVal) {
				all = append(all, fmt.Sprintf("%s dport %d", protocol, number))
			}
		case p.EndPort != nil:
			all = append(all, fmt.Sprintf("%s dport %d-%d", protocol, p.Port.IntVal, *p.EndPort))
		default:
			all = append(all, fmt.Sprintf("%s dport %d", protocol, p.Port.IntVal))
		}
	}
	return all
}

func namedPorts(pod corev1.Pod, name string) []int32 {
	var numbers []int32
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				numbers = append(numbers, p.ContainerPort)
			}
		}
	}
	return numbers
}

func join(match string, ports []string) []string {
	var all []string
	for _, port := range ports {
		all = append(all, strings.TrimSpace(match+" "+port))
	}
	return all
}
