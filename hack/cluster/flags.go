//go:build linux

package main

import "path/filepath"

// etcdFlags: nothing has to survive the machine, so nothing is synced to disk.
func etcdFlags(c cluster) []string {
	return []string{
		"--data-dir=" + c.file("etcd"),
		"--listen-client-urls=http://127.0.0.1:2379",
		"--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func apiServerFlags(c cluster) []string {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address=" + nodeAddress(1),
		"--secure-port=6443",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + pki("ca.crt"),
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("sa.pub"),
		"--service-account-signing-key-file=" + pki("sa.key"),
		"--kubelet-certificate-authority=" + pki("ca.crt"),
		"--kubelet-client-certificate=" + pki("kubelet-client.crt"),
		"--kubelet-client-key=" + pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// clientFlags are those of the programs beside the API server: each is alone, so
// none has to be elected.
func clientFlags(c cluster, name string) []string {
	kubeconfig := filepath.Join(c.pki(), name+".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	}
}

func controllerFlags(c cluster) []string {
	return append(clientFlags(c, "kube-controller-manager"),
		"--use-service-account-credentials",
		"--service-account-private-key-file="+filepath.Join(c.pki(), "sa.key"),
		"--root-ca-file="+filepath.Join(c.pki(), "ca.crt"),
	)
}
