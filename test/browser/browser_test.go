package browser

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/test/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long the whole test may take.
const patience = 3 * time.Minute

// settings are the hub's. Its pages may be anonymous, and are told who comes
// and goes.
var settings = []string{
	"GOHUB_ENABLE_AUTH=true",
	"GOHUB_JWT_SECRET_KEY=a secret of this test, over 32 bytes",
	"GOHUB_ALLOW_ANONYMOUS=true",
	"GOHUB_ANONYMOUS_PERMISSIONS=join:room,create:room,leave:room,read:message,send:message",
	`GOHUB_ROOMS=[{"pattern":"*","presence":true}]`,
	"GOHUB_DRAIN_DELAY=-1s",
	"GOHUB_DRAIN_WINDOW=100ms",
}

// TestChat has two people talk on the page, one with a token and one without,
// before and after the hub is restarted.
func TestChat(t *testing.T) {
	peer.Module(t, ".", "playwright-core")
	node, chromium := peer.Program(t, "node"), peer.Program(t, "chromium")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	binary := buildHub(t)
	hub := startHub(ctx, t, binary, "127.0.0.1:0", settings)
	origin := "http://" + hub.address
	b := startBrowser(ctx, t, node, chromium, origin)

	ann, bob := b.open(t, "ann", origin), b.open(t, "bob", origin)
	signIn(t, ann, "ann", mint(t, binary, "ann"))
	bob.sees(t, "client-id", "^guest-")
	guest := bob.read(t, "client-id")
	for _, p := range []*page{ann, bob} {
		join(t, p, "lobby")
	}
	seeEachOther(t, ann, bob, "ann", guest)
	talk(t, ann, bob, "hello, 世界 👋")
	talk(t, bob, ann, `<img src="x" onerror="alert(1)">`)
	for _, p := range []*page{ann, bob} {
		seeFigures(t, p)
	}
	if problems := b.problems(t); len(problems) > 0 {
		t.Errorf("problems:\n%s", strings.Join(problems, "\n"))
	}

	hub.stop(t)
	for _, p := range []*page{ann, bob} {
		p.sees(t, "banner", "Trying again|cannot be reached")
	}
	startHub(ctx, t, binary, hub.address, settings)
	for _, p := range []*page{ann, bob} {
		p.sees(t, "state", "^Connected$")
		p.sees(t, "room-note", "^2 members$")
	}
	bob.sees(t, "client-id", "^guest-")
	seeEachOther(t, ann, bob, "ann", bob.read(t, "client-id"))
	talk(t, ann, bob, "back again")
	talk(t, bob, ann, "me too")
	for _, problem := range b.problems(t) {
		if !ofRestart.MatchString(problem) {
			t.Errorf("problem after the restart: %s", problem)
		}
	}
}

// ofRestart is what a browser says about a hub that is not there, or on its
// way out.
var ofRestart = regexp.MustCompile(`: error: (Failed to load resource: net::ERR_|WebSocket connection to '[^']*' failed: )`)

// mint makes a token as the README tells to.
func mint(t *testing.T, binary, id string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "token", "--sub", id, "--permissions", "join:room,create:room,leave:room,send:message,read:message")
	cmd.Env = environ(settings)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("hub token: %v: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// signIn gives the page a token, which it sends in the subprotocol: browsers
// can set no header on a websocket.
func signIn(t *testing.T, p *page, id, token string) {
	t.Helper()
	p.sees(t, "state", "^Connected$")
	p.fill(t, "token-input", token)
	p.click(t, "connect-button")
	p.sees(t, "client-id", "^"+id+"$")
	p.sees(t, "state", "^Connected$")
}

func join(t *testing.T, p *page, room string) {
	t.Helper()
	p.fill(t, "room-input", room)
	p.click(t, "join-button")
	p.sees(t, "room-name", "^"+room+"$")
	p.sees(t, "room", room)
}

// seeEachOther checks that both pages list both members.
func seeEachOther(t *testing.T, one, other *page, oneID, otherID string) {
	t.Helper()
	for _, p := range []*page{one, other} {
		p.sees(t, "member-count", "^2$")
		p.sees(t, "member", regexp.QuoteMeta(oneID))
		p.sees(t, "member", regexp.QuoteMeta(otherID))
	}
	one.sees(t, "member", regexp.QuoteMeta(oneID)+`\s*you`)
	other.sees(t, "member", regexp.QuoteMeta(otherID)+`\s*you`)
}

// talk sends a message, which both see once: the sender as sent.
func talk(t *testing.T, from, to *page, text string) {
	t.Helper()
	from.fill(t, "message-input", text)
	from.click(t, "send-button")
	pattern := "^" + regexp.QuoteMeta(text) + "$"
	to.sees(t, "message-text", pattern)
	from.sees(t, "message-text", pattern)
	from.sees(t, "message", "You[^]*"+regexp.QuoteMeta(text)+"[^]*sent")
}

// seeFigures checks that the page shows live numbers.
func seeFigures(t *testing.T, p *page) {
	t.Helper()
	p.sees(t, "stats-clients", "^2$")
	p.sees(t, "stats-rooms", "^1$")
	for _, id := range []string{"latency", "latency-p50", "latency-max"} {
		p.sees(t, id, `^[0-9.]+ ms$`)
	}
	for _, id := range []string{"stats-in", "stats-out"} {
		p.sees(t, id, `^[0-9]+$`)
	}
}
