//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/chenxilol/gohub/controllers/resources"
)

// testUpdate replaces all hubs three times, for a new secret, a new image and a
// new configuration. Nobody with a token is refused, and no connection ends but
// those of the hub that is drained.
func (h hubs) testUpdate(t *testing.T, a *app) {
	l := h.startLoad(t, a, "update")
	w := h.watch(t, l)
	h.roll(t, "secret", func() { h.setSecret(t, secondSecret) })
	// Tokens of the first secret are good; from now on new ones are of the second.
	h.checkService(t, a.identity(t))
	a.use(t, secondSecret)
	h.checkService(t, a.identity(t))
	h.roll(t, "image", func() { h.patch(t, `{"spec": {"image": "`+hubImage+":"+setting(t, "E2E_TAG")+`-next"}}`) })
	h.roll(t, "configuration", func() { h.patch(t, `{"spec": {"limits": {"messagesPerSecond": 900}}}`) })
	time.Sleep(3 * time.Second) // of publishing at rest
	w.end(t)
	r := judge(t, l, false)
	if w.least < 2 {
		t.Errorf("%d hubs were ready at a time, want 2 always", w.least)
	}
	// Each client moves once or twice in each update.
	h.checkPace(t, r.Reconnects/3, r.MostPerSecond)
}

// roll makes a change and waits until every hub is another.
func (h hubs) roll(t *testing.T, what string, change func()) {
	t.Helper()
	old := map[types.UID]bool{}
	for _, p := range h.readyPods(t, resources.ComponentHub) {
		old[p.UID] = true
	}
	change()
	took := await(t, "another "+what, patience, func() error {
		pods, err := h.hubPods()
		if err != nil {
			return err
		}
		for _, p := range pods {
			if old[p.UID] {
				return fmt.Errorf("%s is still there", p.Name)
			}
		}
		return h.settled()
	})
	t.Logf("another %s: all hubs replaced after %v: %s", what, since(took), where(h.readyPods(t, resources.ComponentHub)))
}
