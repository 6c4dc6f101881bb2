//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// jetStream is NATS of three servers that keeps histories.
const jetStream = `
bus:
  type: nats
  nats:
    managed:
      replicas: 3
      jetStream:
        storage: {size: 1Gi}
      pod:
        resources: {requests: {cpu: 200m}}
`

// redis is the Redis that the operator runs.
const redis = `
bus:
  type: redis
  redis:
    managed:
      storage: {size: 1Gi}
      pod:
        resources: {requests: {cpu: 200m}}
`

// With two thousand clients on them that publish all the time, hubs come and go,
// are updated and fail, on JetStream.
func TestUnderLoadOnJetStream(t *testing.T) {
	h, a := startUnderLoad(t, "jetstream", jetStream)
	t.Run("one hub", func(t *testing.T) { h.checkOneHub(t, a.identity(t)) })
	t.Run("scale", func(t *testing.T) { h.testScale(t, a) })
	t.Run("update", func(t *testing.T) { h.testUpdate(t, a) })
	t.Run("faults", func(t *testing.T) { h.testFaults(t, a) })
}

// The same scaling and an update, on Redis.
func TestUnderLoadOnRedis(t *testing.T) {
	h, a := startUnderLoad(t, "redis-load", redis)
	t.Run("scale", func(t *testing.T) { h.testScale(t, a) })
}

func startUnderLoad(t *testing.T, name, bus string) (hubs, *app) {
	t.Helper()
	api := connect(t)
	installOperator(t, api)
	h := newHubs(t, api, name)
	h.setSecret(t, firstSecret)
	applied := time.Now()
	h.applySpec(t, loadSpec[1:]+bus[1:])
	h.awaitReady(t, applied)
	h.checkSpread(t)
	return h, newApp(t, firstSecret)
}

// testScale scales from two hubs to four and back. Those that go are the
// emptiest; their clients are told, paced, and miss nothing.
func (h hubs) testScale(t *testing.T, a *app) {
	l := h.startLoad(t, a, "scale")
	w := h.watch(t, l)
	kubectl(t, "scale", "ghc/"+h.name, "--namespace", h.namespace, "--replicas=4")
	t.Logf("4 hubs after %v", since(await(t, "four hubs", patience, func() error { return h.hubsAre(4) })))
	// Clients stay where they are; the new hubs get those that come.
	for range 4 {
		time.Sleep(time.Second) // in which nodes hear of new pods
		if err := l.Add(100); err != nil {
			t.Fatal(err)
		}
	}
	held := l.Held()
	t.Logf("clients by hub: %v", held)
	byClients := slices.SortedFunc(maps.Keys(held), func(a, b string) int { return cmp.Compare(held[a], held[b]) })
	if len(byClients) != 4 {
		t.Fatalf("%d hubs have clients, want 4", len(byClients))
	}
	kubectl(t, "scale", "ghc/"+h.name, "--namespace", h.namespace, "--replicas=2")
	t.Logf("2 hubs after %v", since(await(t, "two hubs", patience, func() error { return h.hubsAre(2) })))
	h.awaitSettled(t, "scaled down")
	time.Sleep(3 * time.Second) // of publishing at rest
	pods := w.end(t)
	r := judge(t, l, false)
	var left []string
	for _, p := range pods {
		if p.leaving > 0 {
			left = append(left, p.name)
			if !p.marked {
				t.Errorf("%s was stopped before it was drained", p.name)
			}
		}
	}
	slices.Sort(left)
	if want := slices.Sorted(slices.Values(byClients[:2])); !slices.Equal(left, want) {
		t.Errorf("%v were removed, the emptiest were %v: %v", left, want, held)
	}
	h.checkPace(t, r.Reconnects, r.MostPerSecond)
}

// checkPace checks that clients are sent away over the window. Slots are random,
// so a second has more than its share now and then.
func (h hubs) checkPace(t *testing.T, reconnects, mostPerSecond int) {
	t.Helper()
	const window = 10 // seconds, of loadSpec
	const few = 30
	if limit := 3*reconnects/window + few; mostPerSecond > limit {
		t.Errorf("%d of %d clients came back in one second, want %d at most", mostPerSecond, reconnects, limit)
	}
}

// hubsAre is an error unless there are n pods, and all are ready.
func (h hubs) hubsAre(n int) error {
	pods, err := h.hubPods()
	if err != nil {
		return err
	}
	count := 0
	for _, p := range pods {
		if ready(p) {
			count++
		}
	}
	if len(pods) != n || count != n {
		return fmt.Errorf("%d pods, %d ready", len(pods), count)
	}
	return h.ready()
}
