//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// The addresses of a cluster lie in 198.18.0.0/15, which RFC 2544 keeps for
// tests, so that they meet nobody's network. Node n is 198.18.0.n, its pods are
// 198.18.n.0/24. The control plane lives with the first node, and that is where
// commands run too.
const (
	apiURL              = "https://198.18.0.1:6443"
	clusterCIDR         = "198.18.0.0/16"
	serviceCIDR         = "198.19.0.0/16"
	firstServiceAddress = "198.19.0.1"
	dnsAddress          = "198.19.0.10"
)

func nodeName(n int) string    { return "node" + strconv.Itoa(n) }
func nodeAddress(n int) string { return "198.18.0." + strconv.Itoa(n) }
func podCIDR(n int) string     { return "198.18." + strconv.Itoa(n) + ".0/24" }

// setUpFabric makes the network that joins the nodes, in the first one's
// namespace. Services have a route so that the kernel gets as far as kube-proxy's
// rules; no packet takes it.
func setUpFabric(ctx context.Context) error {
	if err := forward(); err != nil {
		return err
	}
	return runAll(ctx,
		"ip link set lo up",
		"ip link add fabric type bridge",
		"ip address add "+nodeAddress(1)+"/24 dev fabric",
		"ip link set fabric up",
		"ip route add "+serviceCIDR+" dev fabric",
	)
}

// forward lets this network namespace pass on packets of others, its pods.
func forward() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }

// plugIn gives a further node, whose namespace the process pid is in, its cable.
func plugIn(ctx context.Context, n, pid int) error {
	return runAll(ctx,
		fmt.Sprintf("ip link add %s type veth peer name eth0 netns %d", nodeName(n), pid),
		"ip link set "+nodeName(n)+" master fabric up",
		"ip route add "+podCIDR(n)+" via "+nodeAddress(n),
	)
}

// setUpNode is the other end of plugIn.
func setUpNode(ctx context.Context, n, nodes int) error {
	err := await(ctx, "network of "+nodeName(n), 20*time.Second, func(ctx context.Context) error {
		return runAll(ctx, "ip link show eth0")
	})
	if err != nil {
		return err
	}
	if err := forward(); err != nil {
		return err
	}
	lines := []string{
		"ip link set lo up",
		"ip address add " + nodeAddress(n) + "/24 dev eth0",
		"ip link set eth0 up",
		"ip route add " + serviceCIDR + " dev eth0",
	}
	for other := 1; other <= nodes; other++ {
		if other != n {
			lines = append(lines, "ip route add "+podCIDR(other)+" via "+nodeAddress(other))
		}
	}
	return runAll(ctx, lines...)
}
