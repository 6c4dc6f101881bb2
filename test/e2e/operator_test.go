//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	operatorNamespace = "gohub-system"
	release           = "gohub"
	hubImage          = "ghcr.io/chenxilol/gohub-hub"
)

// operatorLabels select the operator's pods.
func operatorLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/instance": release, "app.kubernetes.io/component": "operator"}
}

// makeNamespace makes one in which the restricted pod security standard holds.
func makeNamespace(t *testing.T, name string) {
	t.Helper()
	kubectlWith(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+name+`",
		"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`, "apply", "-f", "-")
}

// chartValues are the flags of helm that name the images of this cluster.
func chartValues(t *testing.T, a api) []string {
	t.Helper()
	tag := setting(t, "E2E_TAG")
	return []string{
		"--set-string", "image.tag=" + tag,
		"--set-string", "images.hub.tag=" + tag,
		"--set-string", "images.nats.tag=" + imageTag(t, a, "docker.io/library/nats"),
		"--set-string", "images.redis.tag=" + imageTag(t, a, "docker.io/library/redis"),
	}
}

// installOperator has the chart installed with these flags, besides those of the
// images. It leaves a release that has them as it is.
func installOperator(t *testing.T, a api, flags ...string) {
	t.Helper()
	flags = append(chartValues(t, a), flags...)
	description := strings.Join(flags, " ")
	if installed(description) {
		return
	}
	makeNamespace(t, operatorNamespace)
	begin := time.Now()
	helm(t, append([]string{
		"upgrade", "--install", release, setting(t, "E2E_CHART"), "--namespace", operatorNamespace,
		"--wait", "--timeout", "3m", "--description", description,
	}, flags...)...)
	t.Logf("helm upgrade --install: the operator is ready after %v", since(time.Since(begin)))
}

// installed tells whether the release is there with this description.
func installed(description string) bool {
	out, err := run("", "helm", "status", release, "--namespace", operatorNamespace, "--output", "json")
	if err != nil {
		return false
	}
	var status struct {
		Info struct{ Status, Description string }
	}
	return json.Unmarshal([]byte(out), &status) == nil && status.Info.Status == "deployed" && status.Info.Description == description
}

// operatorPod returns the pod of the operator that is ready.
func operatorPod(t *testing.T, a api) corev1.Pod {
	t.Helper()
	pods, err := a.pods(operatorNamespace, operatorLabels())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		if ready(p) {
			return p
		}
	}
	t.Fatalf("none of %d pods of the operator is ready", len(pods))
	return corev1.Pod{}
}

// ready tells whether a pod takes clients.
func ready(p corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
