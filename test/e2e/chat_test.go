//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/pkg/hub"
)

// listener is a client that remembers what it hears.
type listener struct {
	*client.Client

	mu        sync.Mutex // guards all below
	heard     map[string]int
	connected int // how often
}

// identity returns the options of a client by its name.
type identity func(name string) client.Options

// anybody is the identity of clients without tokens.
func anybody(string) client.Options { return client.Options{} }

// listen connects a client. It waits for the rules by which a Service finds its
// pods, which a node has soon after they are ready.
func listen(t *testing.T, url string, options client.Options) *listener {
	t.Helper()
	l := &listener{heard: map[string]int{}}
	options.RetryDial = true
	options.OnRoomMessage = func(_ context.Context, m client.RoomMessage) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard[string(m.Content)]++
	}
	options.OnEvent = func(_ context.Context, e client.Event) {
		if _, ok := e.(client.Connected); ok {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.connected++
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var err error
	if l.Client, err = client.Dial(ctx, url, options); err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// connections tells how often the client has connected.
func (l *listener) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

// hears is an error while the client has not heard each text once.
func (l *listener) hears(texts ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range texts {
		if n := l.heard[`"`+text+`"`]; n != 1 {
			return fmt.Errorf("%s on %s has heard %q %d times", l.ID(), l.Node(), text, n)
		}
	}
	return nil
}

// checkService checks that a websocket through the Service is answered, and that
// what one client says another hears.
func (h hubs) checkService(t *testing.T, as identity) {
	t.Helper()
	a, b := listen(t, h.url(), as("a")), listen(t, h.url(), as("b"))
	for _, l := range []*listener{a, b} {
		if _, err := l.Request(t.Context(), "ping", map[string]int{"ts": 1}); err != nil {
			t.Errorf("ping through the Service: %v", err)
		}
		if _, err := l.Join(t.Context(), "through the Service", client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Publish(t.Context(), "through the Service", "hello"); err != nil {
		t.Fatal(err)
	}
	await(t, "a message through the Service", 10*time.Second, func() error { return b.hears("hello") })
	for _, l := range []*listener{a, b} { // their names may be used again
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// checkOneHub checks that all pods are one hub: what is said on one is heard on
// all, and rooms and members are the same wherever one asks.
func (h hubs) checkOneHub(t *testing.T, as identity) {
	t.Helper()
	pods := h.readyPods(t, resources.ComponentHub)
	if len(pods) < 2 {
		t.Fatalf("%d hubs are ready", len(pods))
	}
	all := h.listenOnEach(t, pods, as)
	const room, made = "on every pod", "made by one"
	var texts, ids []string
	for i, l := range all {
		if _, err := l.Join(t.Context(), room, client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("from %s", pods[i].Name))
		ids = append(ids, l.ID())
	}
	for i, l := range all {
		if _, err := l.Publish(t.Context(), room, texts[i]); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(ids)
	for i, l := range all {
		others := slices.Delete(slices.Clone(texts), i, i+1)
		await(t, "messages of the other pods", 10*time.Second, func() error { return l.hears(others...) })
		await(t, "members on "+l.Node(), 10*time.Second, func() error {
			page, err := l.Members(t.Context(), room, client.Page{})
			slices.Sort(page.IDs)
			if err == nil && (len(page.MissingNodes) > 0 || !slices.Equal(page.IDs, ids)) {
				return fmt.Errorf("members %v without %v, want %v", page.IDs, page.MissingNodes, ids)
			}
			return err
		})
	}
	if err := all[0].CreateRoom(t.Context(), made, client.RoomOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if err := l.CreateRoom(t.Context(), made, client.RoomOptions{}); !errors.Is(err, &hub.Error{Code: hub.CodeRoomExists}) {
			t.Errorf("%s: room %q made again: %v, want that it exists", l.Node(), made, err)
		}
	}
	t.Logf("%d messages crossed %s; members and rooms agree on all", len(all)*(len(all)-1), where(pods))
}

// listenOnEach connects a client to each pod by its address.
func (h hubs) listenOnEach(t *testing.T, pods []corev1.Pod, as identity) []*listener {
	t.Helper()
	var all []*listener
	for _, p := range pods {
		l := listen(t, fmt.Sprintf("ws://%s:%d/ws", p.Status.PodIP, resources.PortClients), as("on-"+p.Name))
		if l.Node() != p.Name {
			t.Errorf("the hub of pod %s calls itself %s", p.Name, l.Node())
		}
		all = append(all, l)
	}
	return all
}

// where names pods, their UIDs and nodes.
func where(pods []corev1.Pod) string {
	var all []string
	for _, p := range pods {
		all = append(all, fmt.Sprintf("%s (%s on %s)", p.Name, p.UID, p.Spec.NodeName))
	}
	return strings.Join(all, ", ")
}
