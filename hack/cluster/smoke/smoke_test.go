//go:build e2e

package smoke

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

//go:embed hub.yaml
var manifest string

// How long pods may take on a busy machine.
const patience = 2 * time.Minute

func TestWebsocketThroughService(t *testing.T) {
	tag := os.Getenv("E2E_TAG")
	if tag == "" {
		t.Fatal("E2E_TAG is not set; hack/e2e.sh runs this")
	}
	objects := strings.ReplaceAll(manifest, "HUB_IMAGE", "ghcr.io/chenxilol/gohub-hub:"+tag)
	start := time.Now()
	kubectl(t, objects, "apply", "-f", "-")
	t.Cleanup(func() {
		if !t.Failed() { // else its logs are wanted
			kubectl(t, objects, "delete", "--wait=true", "-f", "-")
		}
	})
	kubectl(t, "", "rollout", "status", "deployment/hub", "-n", "smoke", "--timeout="+patience.String())
	t.Logf("hubs ready after %s", time.Since(start).Round(time.Millisecond))

	pods := kubectl(t, "", "get", "pods", "-n", "smoke", "-o", `jsonpath={range .items[*]}{.metadata.uid} {.spec.nodeName}{"\n"}{end}`)
	t.Logf("pods and nodes:\n%s", pods)
	for _, node := range []string{"node1", "node2"} {
		if strings.Count(pods, node) != 1 {
			t.Errorf("want one pod on %s", node)
		}
	}
	// The kernel chooses a pod for each connection, of those that kube-proxy has
	// told it of, which it does once a second.
	answered := map[string]int{}
	var refused error
	for end := time.Now().Add(20 * time.Second); len(answered) < 2 && time.Now().Before(end); {
		node, err := ping(t, "ws://hub.smoke.svc.cluster.local/ws")
		if err != nil {
			refused = err
			continue
		}
		answered[node]++
	}
	if len(answered) != 2 {
		t.Fatalf("want answers of both pods: %v; last refusal: %v", answered, refused)
	}
	t.Logf("answers by pod: %v", answered)
	checkPolicy(t)
	address := kubectl(t, "", "get", "service", "hub", "-n", "smoke", "-o", "jsonpath={.spec.clusterIP}")
	if _, err := ping(t, "ws://"+address+"/ws"); err != nil {
		t.Error(err)
	}
}

// checkPolicy takes the way to a pod of another node, and gives it back.
func checkPolicy(t *testing.T) {
	t.Helper()
	address := kubectl(t, "", "get", "pods", "-n", "smoke", "-o", `jsonpath={.items[?(@.spec.nodeName=="node2")].status.podIP}`)
	open := func() bool {
		conn, err := net.DialTimeout("tcp", address+":8080", 2*time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	// Every form of a rule, none for this port.
	const deny = `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": "smoke"},
		"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
			"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "client"}, {"protocol": "UDP"}]}, {"ports": [{"port": 1, "endPort": 9}]}],
			"egress": [{}, {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}}`
	kubectl(t, deny, "apply", "-f", "-")
	awaitThat(t, "the policy shuts the port", func() bool { return !open() })
	kubectl(t, deny, "delete", "-f", "-")
	awaitThat(t, "the port is open again", open)
}

func awaitThat(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatalf("not within 20s: %s", what)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// ping opens a websocket, has its ping answered, and returns the hub that did.
// An error is one of the dialing.
func ping(t *testing.T, url string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dialer := websocket.Dialer{Subprotocols: []string{"gohub.v1"}}
	conn, _, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return "", fmt.Errorf("dial %s: %w", url, err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"message_type":"ping","message_id":7,"data":{"ts":1}}`)); err != nil {
		t.Fatal(err)
	}
	for node := ""; ; {
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatalf("no pong from %s: %v", url, err)
		}
		var m struct {
			Type      string `json:"message_type"`
			RequestID int    `json:"request_id"`
			Data      struct{ Node string }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		switch {
		case m.Type == "connected":
			node = m.Data.Node
		case m.Type == "pong" && m.RequestID == 7:
			return node, nil
		}
	}
}

// kubectl runs kubectl, which has to succeed.
func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}
