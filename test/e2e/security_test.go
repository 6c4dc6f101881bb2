//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/chenxilol/gohub/controllers/resources"
)

// The restricted pod security standard is enforced, and nothing had to be let
// off it.
func TestPodSecurity(t *testing.T) {
	a := connect(t)
	installOperator(t, a)
	h := newHubs(t, a, "security")
	_, err := run(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"},
		"spec": {"containers": [{"name": "root", "image": "`+hubImage+`:x"}]}}`, "kubectl", "apply", "--namespace", h.namespace, "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("a pod that is not restricted: %v, want a violation", err)
	}
	for _, namespace := range []string{h.namespace, operatorNamespace} {
		level := kubectl(t, "get", "namespace", namespace, "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`)
		if level != "restricted" {
			t.Errorf("namespace %s enforces %q", namespace, level)
		}
	}
	applied := time.Now()
	h.applySpec(t, "bus:\n  type: redis\n  redis: {managed: {storage: {size: 64Mi}}}\n")
	h.awaitReady(t, applied)
}

// The network lets in and out what the design says, and nothing else.
func TestNetworkPolicy(t *testing.T) {
	a := connect(t)
	installOperator(t, a)
	h := newHubs(t, a, "policy")
	applied := time.Now()
	h.applySpec(t, "bus:\n  type: nats\n  nats: {managed: {replicas: 3}}\n")
	h.awaitReady(t, applied) // the operator reaches the admin port: it says how many connections there are
	await(t, "the operator reads the hubs", time.Minute, func() error {
		c, err := h.cluster(h.namespace, h.name)
		if err == nil && c.Status.Connections == nil {
			return errors.New("no status.connections")
		}
		return err
	})
	hubPods, servers := h.readyPods(t, resources.ComponentHub), h.readyPods(t, resources.ComponentNATS)
	want := map[string]bool{}
	for _, p := range hubPods {
		want[address(p, resources.PortClients)] = true
		want[address(p, resources.PortAdmin)] = false
		want[address(p, resources.PortMesh)] = false
	}
	for _, p := range servers {
		want[address(p, resources.PortNATS)] = false
		want[address(p, resources.PortNATSRoutes)] = false
		want[address(p, resources.PortNATSMonitor)] = false
	}
	t.Run("a pod of another namespace", func(t *testing.T) {
		other := newHubs(t, a, "stranger")
		other.checkProbe(t, "stranger", nil, want)
	})
	t.Run("a pod of the same namespace", func(t *testing.T) { h.checkProbe(t, "neighbour", nil, want) })
	t.Run("another node", func(t *testing.T) {
		for address, open := range want {
			if i := slices.IndexFunc(slices.Concat(hubPods, servers), func(p corev1.Pod) bool {
				return strings.HasPrefix(address, p.Status.PodIP+":") && p.Spec.NodeName == "node2"
			}); i < 0 {
				continue // this test runs on node1, whose own pods it may reach
			}
			conn, err := net.DialTimeout("tcp", address, 3*time.Second)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != open {
				t.Errorf("%s is open: %v, want %v", address, err == nil, open)
			}
		}
	})
	t.Run("a hub", func(t *testing.T) {
		// A pod that is a hub by its labels is held to the hubs' policy, and opens
		// to nobody what it does not serve.
		out := map[string]bool{address(servers[0], resources.PortNATS): true, address(servers[0], resources.PortNATSMonitor): false}
		out[address(hubPods[0], resources.PortClients)] = false // which lets everybody in, but hubs have no business there
		out[kubectl(t, "get", "service", "kube-dns", "--namespace", "kube-system", "-o", "jsonpath={.spec.clusterIP}")+":53"] = true
		h.checkProbe(t, "hub-by-its-labels", hubPods[0].Labels, out)
	})
	h.checkService(t, anybody)
}

func address(p corev1.Pod, port int) string { return fmt.Sprintf("%s:%d", p.Status.PodIP, port) }

// checkProbe checks what a pod with these labels can reach.
func (h hubs) checkProbe(t *testing.T, name string, labels map[string]string, want map[string]bool) {
	t.Helper()
	var args, pairs []string
	for address := range want {
		args = append(args, fmt.Sprintf("%q", address))
	}
	for key, value := range labels {
		if key != "pod-template-hash" { // a ReplicaSet would take it for its own
			pairs = append(pairs, fmt.Sprintf("%q: %q", key, value))
		}
	}
	manifest, err := os.ReadFile("testdata/probe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, expand(string(manifest), map[string]string{
		"NAME": name, "LABELS": strings.Join(pairs, ", "), "TAG": setting(t, "E2E_TAG"), "ADDRESSES": strings.Join(args, ", "),
	}))
	kubectl(t, "wait", "pod/"+name, "--namespace", h.namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
	out := kubectl(t, "logs", name, "--namespace", h.namespace)
	kubectl(t, "delete", "pod", name, "--namespace", h.namespace, "--wait=false")
	t.Logf("from a pod:\n%s", out)
	seen := map[string]bool{}
	for line := range strings.SplitSeq(out, "\n") {
		state, address, _ := strings.Cut(line, " ")
		seen[address] = state == "open"
	}
	for address, open := range want {
		if got, ok := seen[address]; !ok || got != open {
			t.Errorf("%s is open: %v, want %v", address, got, open)
		}
	}
}

// The operator may do what a list in this folder says, in the whole cluster or in
// the namespaces that it watches.
func TestPermissions(t *testing.T) {
	a := connect(t)
	t.Run("cluster", func(t *testing.T) {
		installOperator(t, a)
		checkRules(t, "testdata/rules-watched.txt", "kube-public") // any namespace
		if can(t, "list", "secrets", "--all-namespaces") != "yes" {
			t.Error("the operator may not list secrets everywhere")
		}
	})
	t.Run("namespace", func(t *testing.T) {
		h := newHubs(t, a, "watched")
		other := newHubs(t, a, "not-watched")
		installOperator(t, a, "--set", "rbac.scope=namespace,watchNamespaces={"+h.namespace+"}")
		checkRules(t, "testdata/rules-watched.txt", h.namespace)
		checkRules(t, "testdata/rules-elsewhere.txt", other.namespace)
		checkRules(t, "testdata/rules-own.txt", operatorNamespace)
		for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
			if got := can(t, verb, "secrets", "--all-namespaces"); got != "no" {
				t.Errorf("%s secrets in all namespaces: %s", verb, got)
			}
		}
		// It works there, and nowhere else.
		applied := time.Now()
		h.applySpec(t, "bus: {type: embedded}\n")
		other.applySpec(t, "bus: {type: embedded}\n")
		h.awaitReady(t, applied)
		h.checkService(t, anybody)
		if pods, err := other.hubPods(); err != nil || len(pods) > 0 {
			t.Errorf("in a namespace that is not watched: %d hubs, %v", len(pods), err)
		}
	})
}

const operatorAccount = "--as=system:serviceaccount:" + operatorNamespace + ":gohub-operator"

// can asks whether the operator may do something.
func can(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run("", "kubectl", append([]string{"auth", "can-i", operatorAccount}, args...)...)
	if err != nil && out == "" {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// checkRules compares all that the operator may do in a namespace with a file.
func checkRules(t *testing.T, file, namespace string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := kubectl(t, "auth", "can-i", "--list", "--no-headers", operatorAccount, "--namespace", namespace)
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		// Everybody may look around and ask what he may do.
		if line = strings.Join(strings.Fields(line), " "); !strings.HasPrefix(line, "[/") && !strings.HasPrefix(line, "selfsubject") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	if got := strings.Join(lines, "\n") + "\n"; got != string(want) {
		t.Errorf("in namespace %s the operator may, other than %s says:\n%s", namespace, file, got)
	}
	if text := strings.Join(lines, "\n"); strings.Contains(text, "*") {
		t.Errorf("a wildcard in:\n%s", text)
	}
}
