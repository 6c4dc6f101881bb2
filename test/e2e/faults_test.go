//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/test/chaos/history"
	"github.com/chenxilol/gohub/test/e2e/load"
)

// testFaults has a hub and a NATS server crash, a node be drained, and the
// operator crash while it scales down. All comes back by itself, and nothing that
// was acknowledged is lost.
func (h hubs) testFaults(t *testing.T, a *app) {
	l := h.startLoad(t, a, "faults")
	w := h.watch(t, l)
	h.fault(t, l, "a hub crashes", func() []string { return h.crashHub(t) })
	h.fault(t, l, "a NATS server crashes", func() []string { return h.crashNATS(t) })
	h.fault(t, l, "a node is drained", func() []string { return h.drainNode(t, "node2") })
	h.fault(t, l, "the operator crashes amid a scale-down", func() []string { return h.crashOperator(t, l) })
	time.Sleep(3 * time.Second) // of publishing at rest
	w.end(t)
	judge(t, l, true)
}

// fault does something, waits until all is well again, and records it. What is
// done returns the hubs whose connections may end without a word.
func (h hubs) fault(t *testing.T, l *load.Load, what string, do func() (crashed []string)) {
	t.Helper()
	begin := l.Now()
	crashed := do()
	h.awaitSettled(t, what)
	await(t, "all servers of the bus", patience, func() error {
		c, err := h.cluster(h.namespace, h.name)
		if err == nil && c.Status.Bus != "nats 3/3" {
			return fmt.Errorf("status.bus is %s", c.Status.Bus)
		}
		return err
	})
	l.Fault(history.Fault{Kind: what, Begin: begin, End: l.Now(), Nodes: crashed, Killed: len(crashed) > 0})
	t.Logf("%s: from %v to %v of the load; clients by hub: %v", what, since(begin), since(l.Now()), l.Held())
}

// crash ends the processes of a pod and waits until it runs again.
func (h hubs) crash(t *testing.T, p corev1.Pod, pods func() ([]corev1.Pod, error)) {
	t.Helper()
	if _, err := run("", setting(t, "CLUSTER"), "kill", string(p.UID)); err != nil {
		t.Fatal(err)
	}
	took := await(t, p.Name+" runs again", patience, func() error {
		all, err := pods()
		for _, again := range all {
			if again.UID == p.UID && ready(again) && restarts(again) > restarts(p) {
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("it is not ready again")
		}
		return err
	})
	t.Logf("%s (%s on %s) was killed, and is ready again after %v", p.Name, p.UID, p.Spec.NodeName, since(took))
}

func restarts(p corev1.Pod) int32 {
	var n int32
	for _, c := range p.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

func (h hubs) crashHub(t *testing.T) []string {
	p := h.readyPods(t, resources.ComponentHub)[0]
	h.crash(t, p, h.hubPods)
	return []string{p.Name}
}

// crashNATS kills a server and then deletes another without a chance to say
// goodbye.
func (h hubs) crashNATS(t *testing.T) []string {
	servers := h.readyPods(t, resources.ComponentNATS)
	h.crash(t, servers[0], func() ([]corev1.Pod, error) { return h.componentPods(resources.ComponentNATS) })
	h.awaitSettled(t, "the NATS server is back")
	gone := servers[1]
	kubectl(t, "delete", "pod", gone.Name, "--namespace", h.namespace, "--grace-period=0", "--force", "--wait=false")
	took := await(t, "three NATS servers again", patience, func() error {
		ready := h.readyPods(t, resources.ComponentNATS)
		for _, p := range ready {
			if p.UID == gone.UID {
				return fmt.Errorf("%s is still there", p.Name)
			}
		}
		if len(ready) != len(servers) {
			return fmt.Errorf("%d are ready", len(ready))
		}
		return nil
	})
	t.Logf("%s (%s on %s) was deleted at once, and its next is ready after %v", gone.Name, gone.UID, gone.Spec.NodeName, since(took))
	return nil
}

// drainNode evicts all pods of a node, by their budgets, and gives it back.
func (h hubs) drainNode(t *testing.T, node string) []string {
	begin := time.Now()
	before := map[types.UID]bool{}
	for _, component := range []string{resources.ComponentHub, resources.ComponentNATS} {
		for _, p := range h.readyPods(t, component) {
			if p.Spec.NodeName == node {
				before[p.UID] = true
			}
		}
	}
	kubectl(t, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=4m")
	t.Logf("kubectl drain %s: %d pods of the cluster were evicted in %v", node, len(before), since(time.Since(begin)))
	h.logPods(t)
	kubectl(t, "uncordon", node)
	return nil
}

// crashOperator kills the operator while it drains a hub, and deletes its pod.
func (h hubs) crashOperator(t *testing.T, l *load.Load) []string {
	kubectl(t, "scale", "ghc/"+h.name, "--namespace", h.namespace, "--replicas=3")
	await(t, "three hubs", patience, func() error { return h.hubsAre(3) })
	if err := l.Add(300); err != nil { // a third of them on the one that will go
		t.Fatal(err)
	}
	kubectl(t, "scale", "ghc/"+h.name, "--namespace", h.namespace, "--replicas=2")
	await(t, "a hub is drained", patience, func() error {
		c, err := h.cluster(h.namespace, h.name)
		if err == nil && c.Status.DrainingReplicas == 0 {
			return fmt.Errorf("none is")
		}
		return err
	})
	operator := operatorPod(t, h.api)
	if _, err := run("", setting(t, "CLUSTER"), "kill", string(operator.UID)); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "delete", "pod", operator.Name, "--namespace", operatorNamespace, "--grace-period=0", "--force", "--wait=false")
	t.Logf("the operator (%s) was killed while a hub drained", operator.UID)
	t.Logf("2 hubs after %v", since(await(t, "two hubs", patience, func() error { return h.hubsAre(2) })))
	return nil
}
