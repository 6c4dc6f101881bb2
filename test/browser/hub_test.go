package browser

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildHub builds the hub's command.
func buildHub(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/chenxilol/gohub/cmd/hub").CombinedOutput()
	if err != nil {
		t.Fatalf("build the hub: %v: %s", err, out)
	}
	return path
}

// hubProcess is a running hub.
type hubProcess struct {
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	address string      // host:port
	log     chan string // what it logged, once it has ended
	stopped bool
}

var listens = regexp.MustCompile(`msg="hub listens" address=(\S+)`)

// startHub runs the hub with its page, as make run does, on an address: port 0
// is a free one. The settings are in its environment.
func startHub(ctx context.Context, t *testing.T, binary, address string, settings []string) *hubProcess {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	h := &hubProcess{cmd: exec.CommandContext(ctx, binary, "--page", "--address", address,
		"--enable-cluster", "--bus-type", "embedded", "--embedded-cluster-address", "127.0.0.1:0"), cancel: cancel, log: make(chan string, 1)}
	h.cmd.WaitDelay = time.Second // where killing does not end its output
	h.cmd.Env = environ(settings)
	stderr, err := h.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatalf("start the hub: %v", err)
	}
	t.Cleanup(func() { h.stop(t) })
	found := make(chan string, 1)
	go func() {
		defer close(found)
		var log strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
		h.log <- log.String()
	}()
	h.address = <-found
	if h.address == "" {
		t.Fatal("the hub has not told its address")
	}
	return h
}

// environ is the environment with no settings for a hub but these.
func environ(settings []string) []string {
	isSetting := func(entry string) bool { return strings.HasPrefix(entry, "GOHUB_") }
	return append(slices.DeleteFunc(os.Environ(), isSetting), settings...)
}

// stop ends the hub as an operator does, once; it must exit with 0.
func (h *hubProcess) stop(t *testing.T) {
	t.Helper()
	if h.stopped {
		return
	}
	h.stopped = true
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	log := <-h.log // all read, before Wait closes the pipe
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("the hub: %v: %s", err, log)
	}
	h.cancel()
}
