package browser

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/peer"
)

// TestCluster has two people talk on two of three hubs, before and after one
// of them loses its hub.
func TestCluster(t *testing.T) {
	peer.Module(t, ".", "playwright-core")
	node, chromium := peer.Program(t, "node"), peer.Program(t, "chromium")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	hubs := startCluster(ctx, t)
	b := startBrowser(ctx, t, node, chromium, hubs[0].origin, hubs[1].origin, hubs[2].origin)

	ann, bob := b.open(t, "ann", hubs[0].origin), b.open(t, "bob", hubs[1].origin)
	for i, p := range []*page{ann, bob} {
		p.sees(t, "node", "^"+hubs[i].name+"$")
		p.sees(t, "stats-node", "^"+hubs[i].name+"$")
		p.sees(t, "hub-count", "^3$")
		p.sees(t, "hub", hubs[i].name+`\s*you\s*1`)
		p.sees(t, "hub", hubs[1-i].name+`\s*1`)
		p.sees(t, "hub", hubs[2].name+`\s*0`)
		join(t, p, "lobby")
	}
	seeEachOther(t, ann, bob, ann.read(t, "client-id"), bob.read(t, "client-id"))
	talk(t, ann, bob, "hello from the first")
	talk(t, bob, ann, "and from the second")
	ann.sees(t, "message-state", "to all hubs$")
	for _, p := range []*page{ann, bob} {
		p.sees(t, "crossing-out", `^[0-9]+$`)
		p.sees(t, "crossing-in", `^[0-9]+$`)
	}
	if problems := b.problems(t); len(problems) > 0 {
		t.Errorf("problems:\n%s", strings.Join(problems, "\n"))
	}

	hubs[1].kill(t)
	bob.sees(t, "node", "^("+hubs[0].name+"|"+hubs[2].name+")$")
	bob.sees(t, "state", "^Connected$")
	bob.sees(t, "notice", "^Back after .*, now on "+bob.read(t, "node"))
	for _, p := range []*page{ann, bob} {
		p.sees(t, "hub", hubs[1].name+`\s*gone`)
		p.sees(t, "room-note", "^2 members$")
	}
	insist(t, bob, ann, "here again")
	insist(t, ann, bob, "welcome back")

	bob.choose(t, "hub", other(hubs, bob.read(t, "node")))
	bob.sees(t, "room-note", "^2 members$")
	talk(t, bob, ann, "moved by choice")
	for _, problem := range b.problems(t) {
		if !ofRestart.MatchString(problem) {
			t.Errorf("problem after the hub was killed: %s", problem)
		}
	}
}

// insist talks soon after a hub has died: until the others agree on who keeps
// the room's history, a message may be lost, of which the page must then tell.
// The next one arrives.
func insist(t *testing.T, from, to *page, text string) {
	t.Helper()
	from.fill(t, "message-input", text)
	from.click(t, "send-button")
	from.sees(t, "message", "You[^]*"+regexp.QuoteMeta(text)+"[^]*(sent|may have arrived)")
	to.sees(t, "messages", regexp.QuoteMeta(text)+"|began anew")
	talk(t, from, to, text+", once more")
}

// other is the hub that lives and is not the named one.
func other(hubs []clusterHub, name string) string {
	if name == hubs[0].name {
		return hubs[2].name
	}
	return hubs[0].name
}

// clusterHub is one hub of make run-cluster.
type clusterHub struct {
	name, origin string
	pid          int
}

// told is the line that tells of a hub.
var told = regexp.MustCompile(`^  (hub-[0-9]) +(http://localhost:[0-9]+)  kill ([0-9]+) `)

// startCluster runs make run-cluster on free ports, until the test ends.
func startCluster(ctx context.Context, t *testing.T) []clusterHub {
	t.Helper()
	args := "--log-level=warn --drain-delay=-1s --drain-window=100ms"
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "-C", "../..", "run-cluster", "ARGS="+freePorts(t, 3)+" "+args)
	cmd.Env = environ(nil)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	t.Cleanup(func() { stopCluster(t, cmd, lines) })
	var hubs []clusterHub
	for line := range lines {
		if m := told.FindStringSubmatch(line); m != nil {
			pid, _ := strconv.Atoi(m[3]) // digits
			hubs = append(hubs, clusterHub{m[1], m[2], pid})
		}
		if len(hubs) == 3 {
			return hubs
		}
		t.Log(line)
	}
	_ = cmd.Wait() // its output says why
	t.Fatalf("the cluster has ended: %s", errs.String())
	return nil
}

// stopCluster ends it as Ctrl-C does.
func stopCluster(t *testing.T, cmd *exec.Cmd, lines <-chan string) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
	for line := range lines { // their end is that of the last hub
		t.Log(line)
	}
	_ = cmd.Wait() // make has an opinion of signals
}

// kill ends the hub without a word.
func (h clusterHub) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(h.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// freePorts returns n ports in a row, of which those 1000 higher are free, too.
func freePorts(t *testing.T, n int) string {
	t.Helper()
	for first := 21000; first < 30000; first += n {
		var ports []string
		for port := first; port < first+n && isFree(port) && isFree(port+1000); port++ {
			ports = append(ports, strconv.Itoa(port))
		}
		if len(ports) == n {
			return strings.Join(ports, " ")
		}
	}
	t.Fatal("no free ports")
	return ""
}

func isFree(port int) bool {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}
