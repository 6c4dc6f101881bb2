//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
)

// What is in config/samples becomes ready as it is, and is one hub.
func TestSamples(t *testing.T) {
	a := connect(t)
	installOperator(t, a)
	for _, name := range []string{"minimal", "redis", "embedded"} {
		t.Run(name, func(t *testing.T) {
			h := newHubs(t, a, name)
			applied := time.Now()
			kubectl(t, "apply", "--namespace", h.namespace, "-f", filepath.Join("../../config/samples", name+".yaml"))
			h.check(t, applied)
		})
	}
}

// check checks a new cluster.
func (h hubs) check(t *testing.T, applied time.Time) {
	t.Helper()
	h.awaitReady(t, applied)
	h.checkSpread(t)
	h.checkService(t, anybody)
	h.checkOneHub(t, anybody)
	t.Logf("kubectl get ghc -o wide:\n%s", kubectl(t, "get", "ghc", h.name, "--namespace", h.namespace, "-o", "wide"))
}

// A NATS that somebody else runs is used with the login of a Secret.
func TestExternal(t *testing.T) {
	a := connect(t)
	installOperator(t, a)
	h := newHubs(t, a, "external")
	manifest, err := os.ReadFile("testdata/nats.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, expand(string(manifest), map[string]string{"NATS_IMAGE": "docker.io/library/nats:" + imageTag(t, a, "docker.io/library/nats")}))
	kubectl(t, "rollout", "status", "deployment/their-nats", "--namespace", h.namespace, "--timeout=2m")
	applied := time.Now()
	h.applySpec(t, `
bus:
  type: nats
  nats:
    external:
      urls: [nats://their-nats:4222]
      secretRef: {name: their-nats}
`)
	h.check(t, applied)
}

// A program of the user's own, built on server.LoadOptions, is run as the stock
// hub is.
func TestOwnImage(t *testing.T) {
	a := connect(t)
	installOperator(t, a)
	h := newHubs(t, a, "own-image")
	applied := time.Now()
	h.applySpec(t, "image: ghcr.io/chenxilol/gohub-image:"+setting(t, "E2E_TAG")+"\nbus: {type: embedded}\n")
	h.check(t, applied)
	m, err := listen(t, h.url(), client.Options{}).Request(t.Context(), "echo", "hello")
	if err != nil || m.Type != "echo" || string(m.Data) != `"hello"` {
		t.Errorf("echo: %s %s %v", m.Type, m.Data, err)
	}
}

// expand replaces names in a manifest by values.
func expand(manifest string, values map[string]string) string {
	return os.Expand(manifest, func(name string) string { return values[name] })
}
