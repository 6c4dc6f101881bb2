//go:build linux

package main

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

type object = map[string]any

// containerdConfig is for containerd 1.6 and later, which read this version.
func (c cluster) containerdConfig(n int, cni string) string {
	return fmt.Sprintf(`version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without CAP_SYS_RESOURCE a process cannot be kept from the kernel's hands
  # better than its parent is.
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true # as Docker has it: port 53 without root
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = %q
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
`, filepath.Join(c.node(n), "opt"), pauseImage, cni, filepath.Join(c.node(n), "net"), c.snapshotter())
}

// snapshotter is overlayfs but where the folder lies on one already, as inside a
// container: there is none on another.
func (c cluster) snapshotter() string {
	var fs unix.Statfs_t
	if err := unix.Statfs(c.dir, &fs); err == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

// networkConfig joins the pods of a node by a bridge. A pod may reach itself by
// its Service (hairpin). Pods of other nodes are routed to, never translated.
func networkConfig(n int) object {
	return object{
		"cniVersion": "0.4.0",
		"name":       "gohub",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
				"ipam": object{
					"type":   "host-local",
					"ranges": [][]object{{{"subnet": podCIDR(n)}}},
					"routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}, "snat": false},
		},
	}
}

func (c cluster) kubeletConfig(n int) object {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	return object{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"address":                  nodeAddress(n),
		"healthzBindAddress":       nodeAddress(n),
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + cgroupName + "/" + nodeName(n),
		"failCgroupV1":             false, // some machines have no other
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": pki("ca.crt")},
		},
		"authorization":     object{"mode": "Webhook"},
		"tlsCertFile":       pki(nodeName(n) + "-serving.crt"),
		"tlsPrivateKeyFile": pki(nodeName(n) + "-serving.key"),
		"clusterDNS":        []string{dnsAddress},
		"clusterDomain":     "cluster.local",
		"resolvConf":        filepath.Join(c.node(n), "resolv.conf"),
		// Images cannot be had again, so none is removed; and a disk that others
		// fill is no reason to evict a pod.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": map[string]string{
			"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "0%",
			"imagefs.available": "1%", "imagefs.inodesFree": "0%",
		},
		"nodeStatusUpdateFrequency": "5s",
	}
}

func (c cluster) proxyConfig(n int) object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clusterCIDR":        clusterCIDR,
		"bindAddress":        nodeAddress(n),
		"healthzBindAddress": nodeAddress(n) + ":10256",
		"metricsBindAddress": nodeAddress(n) + ":10249",
		"hostnameOverride":   nodeName(n),
		"clientConnection":   object{"kubeconfig": filepath.Join(c.pki(), "kube-proxy.kubeconfig")},
		// Those are settings of the whole machine.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}
