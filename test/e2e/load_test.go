//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/test/chaos/history"
	"github.com/chenxilol/gohub/test/e2e/load"
)

// What is asked of the hubs while they change.
const (
	loadClients = 2000
	loadMembers = 8   // of a room
	loadRate    = 600 // publishes a second, of which at least leastRate must be acknowledged
	leastRate   = 500
)

// loadSpec is the spec of a cluster under load, without its bus: a hub is drained
// within a quarter of a minute, and nothing is forgotten meanwhile. Pods without a
// request get next to nothing of a processor that others want.
const loadSpec = `
replicas: 2
auth:
  secretRef: {name: tokens}
rooms:
  - pattern: "*"
    historySize: 1000
drain:
  delay: 3s
  window: 10s
pod:
  resources: {requests: {cpu: 300m}}
`

// app is who issues tokens to the clients, with the secret it has now.
type app struct{ issuer atomic.Pointer[auth.Issuer] }

// The secrets of the tokens, one after the other.
const (
	firstSecret  = "the first secret, of 32 bytes or more"
	secondSecret = "the second secret, of 32 bytes or more"
)

func newApp(t *testing.T, secret string) *app {
	t.Helper()
	a := &app{}
	a.use(t, secret)
	return a
}

func (a *app) use(t *testing.T, secret string) {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	a.issuer.Store(issuer)
}

// token is one that does not expire in a test.
func (a *app) token(id string) (string, error) {
	return a.issuer.Load().Issue(auth.TokenClaims{Subject: id, Permissions: auth.AllPermissions()}, time.Hour)
}

// identity is that of clients with tokens of now.
func (a *app) identity(t *testing.T) identity {
	return func(name string) client.Options {
		token, err := a.token(name)
		if err != nil {
			t.Fatal(err)
		}
		return client.Options{Token: client.StaticToken(token)}
	}
}

// setSecret writes the Secret that the hubs verify tokens with.
func (h hubs) setSecret(t *testing.T, secret string) {
	t.Helper()
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "tokens"}, "stringData": map[string]string{"key": secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, string(manifest))
}

// startLoad has all clients connect, and publish.
func (h hubs) startLoad(t *testing.T, a *app, name string) *load.Load {
	t.Helper()
	begin := time.Now()
	l, err := load.Start(t.Context(), load.Options{
		Address: h.url(), Clients: loadClients, Members: loadMembers, Rate: loadRate, Name: name, Token: a.token,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Logf("%d clients connected and in their rooms after %v: %v", loadClients, since(time.Since(begin)), l.Held())
	l.Publish()
	return l
}

// judge ends the load of startLoad and fails the test for what must not be.
// unannounced allows connections that end without a close frame, of hubs that were
// killed.
func judge(t *testing.T, l *load.Load, unannounced bool) *load.Report {
	t.Helper()
	r := stopLoad(t, l, unannounced)
	if r.Rate < leastRate {
		t.Errorf("%.0f publishes a second were acknowledged, want %d", r.Rate, leastRate)
	}
	if t.Failed() {
		keep(t, r.History)
	}
	return r
}

// stopLoad is judge for any load, whose rate is its own.
func stopLoad(t *testing.T, l *load.Load, unannounced bool) *load.Report {
	t.Helper()
	r, err := l.Stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("load:\n%v", r)
	for _, problem := range r.Problems() {
		t.Error(problem)
	}
	if n := r.Unannounced(); n > 0 && !unannounced {
		t.Errorf("%d connections ended without a notice and code 1012: closes by code %v", n, r.Closes)
	}
	return r
}

// keep writes the record of a load where hack/e2e.sh keeps logs.
func keep(t *testing.T, h *history.History) {
	t.Helper()
	file := filepath.Join(setting(t, "E2E_OUT"), strings.ReplaceAll(t.Name(), "/", "-")+".json")
	text, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
	t.Logf("the record is in %s", file)
}
