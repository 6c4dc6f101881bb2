package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

const testSecret = "a-secret-of-more-than-32-bytes-for-tests"

// binary is the path of the hub that TestMain builds.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "hub")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the hub: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// command is the hub with exactly these variables.
func command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{}, env...) // nil would be the test's own
	return cmd
}

// process is a running hub.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	logs chan string // closed at the end of its output
}

var listens = regexp.MustCompile(`msg="hub listens" address=(\S+)`)

// start runs a hub on a free port, without pauses in its drain, and waits until
// it listens.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	cmd := command(env, append([]string{"--address", "127.0.0.1:0", "--drain-delay", "-1ms", "--drain-window", "-1ms"}, args...)...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, logs: make(chan string, 1000)}
	go func() {
		defer close(p.logs)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.logs <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		for range p.logs {
		}
		_ = cmd.Wait()
	})
	for line := range p.logs {
		if m := listens.FindStringSubmatch(line); m != nil {
			p.addr = m[1]
			return p
		}
		t.Log(line)
	}
	t.Fatal("the hub ended without listening")
	return nil
}

// stop sends SIGTERM and returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	for range p.logs {
	}
	_ = p.cmd.Wait() // the exit code says it
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) get(path string) (*http.Response, string) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.addr + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

// writeFile returns the path of a new file with this content.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
