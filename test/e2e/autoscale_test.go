//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/e2e/load"
)

// autoscaling follows the connections soon, for a test; window is the one of its
// drains in seconds.
const autoscaling = `
auth:
  secretRef: {name: tokens}
bus:
  type: nats
  nats:
    managed:
      replicas: 1
      jetStream:
        storage: {size: 64Mi}
rooms:
  - pattern: "*"
    historySize: 1000
drain:
  delay: 3s
  window: 5s
autoscaling:
  min: 2
  max: 4
  connectionsPerPod: 50
  scaleDownWindow: 15s
`

// Clients come, and there are more hubs; they go, and there are fewer again, one
// by one, each drained.
func TestAutoscaling(t *testing.T) {
	api := connect(t)
	installOperator(t, api)
	h := newHubs(t, api, "autoscaling")
	h.setSecret(t, firstSecret)
	applied := time.Now()
	h.applySpec(t, autoscaling[1:])
	h.awaitReady(t, applied)
	a := newApp(t, firstSecret)
	l, err := load.Start(t.Context(), load.Options{
		Address: h.url(), Clients: 80, Members: loadMembers, Rate: 40, Name: "autoscaling", Token: a.token,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	w := h.watch(t, l)
	l.Publish()
	if err := l.Add(120); err != nil {
		t.Fatal(err)
	}
	came := time.Now()
	await(t, "four hubs for 200 clients", patience, func() error { return h.hubsAre(4) })
	t.Logf("4 hubs %v after 200 clients had come: %v", since(time.Since(came)), l.Held())
	// Those that come now come to all four; most that stay are of them.
	if err := l.Add(60); err != nil {
		t.Fatal(err)
	}
	l.Remove(180)
	went := time.Now()
	t.Logf("clients by hub, of 80: %v", l.Held())
	await(t, "two hubs for 80 clients", patience, func() error { return h.hubsAre(2) })
	took := time.Since(went)
	t.Logf("2 hubs %v after 180 clients had gone: %v", since(took), l.Held())
	if took < 30*time.Second {
		t.Errorf("two hubs went within %v, want a window of 15s before each", since(took))
	}
	h.awaitSettled(t, "scaled down")
	pods := w.end(t)
	r := stopLoad(t, l, false)
	if r.Told == 0 {
		t.Error("no client was on a hub that went")
	}
	if err := drained(pods, 2); err != nil {
		t.Error(err)
	}
	t.Logf("events:\n%s", kubectl(t, "get", "events", "--namespace", h.namespace, "--field-selector=involvedObject.kind=GoHubCluster",
		"-o", "custom-columns=REASON:.reason,NOTE:.message"))
}

// drained is an error unless n pods left, one after the other, and each was
// drained before.
func drained(pods []podLife, n int) error {
	left := 0
	for _, p := range pods {
		if p.leaving == 0 {
			continue
		}
		left++
		if !p.marked {
			return fmt.Errorf("%s was stopped before it was drained", p.name)
		}
		for _, other := range pods {
			if other.leaving > p.leaving && other.leaving < p.gone-time.Second {
				return fmt.Errorf("%s was drained while %s was", other.name, p.name)
			}
		}
	}
	if left != n {
		return fmt.Errorf("%d hubs left, want %d", left, n)
	}
	return nil
}
