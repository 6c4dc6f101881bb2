package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	hub "github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/test/chaos/history"
)

const (
	apiKey = "the API key of these tests, of more than 32 bytes"
	secret = "the secret of these tests, of more than 32 bytes"
)

// buildHub builds cmd/hub once for this process, for each set of tags.
func buildHub(t testing.TB, tags string) string {
	t.Helper()
	b, _ := builds.LoadOrStore(tags, &build{})
	x := b.(*build)
	x.once.Do(func() { x.run(tags) })
	if x.err != nil {
		t.Fatal(x.err)
	}
	return x.program
}

var (
	builds    sync.Map // by tags
	buildsDir string   // set by TestMain
)

type build struct {
	once    sync.Once
	program string
	err     error
}

func (b *build) run(tags string) {
	b.program = filepath.Join(buildsDir, "hub-"+tags)
	cmd := exec.Command("go", "build", "-tags", tags, "-o", b.program, "github.com/chenxilol/gohub/cmd/hub")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.err = fmt.Errorf("build the hub: %w\n%s", err, out)
	}
}

// hubProcess is a node: a process that may be killed and started again.
type hubProcess struct {
	name    string
	address string
	program string
	environ []string
	log     string

	mu      sync.Mutex // guards process, exited
	process *exec.Cmd
	exited  chan struct{}
	up      atomic.Bool  // clients may try it
	runs    atomic.Int64 // of the process
}

func newHub(t testing.TB, name, program, dir string, environ []string) *hubProcess {
	t.Helper()
	h := &hubProcess{name: name, address: ownAddress(t), program: program, log: filepath.Join(dir, name+".log")}
	h.environ = append(append(os.Environ(),
		"GOHUB_ADDRESS="+h.address, "GOHUB_NODE_ID="+name, "GOHUB_API_KEY="+apiKey,
		"GOHUB_ENABLE_CLUSTER=true", "GOHUB_ENABLE_AUTH=true", "GOHUB_JWT_SECRET_KEY="+secret, "GOHUB_JWT_LEEWAY=-1s",
		"GOHUB_DRAIN_DELAY=500ms", "GOHUB_DRAIN_WINDOW=2s", "GOHUB_DRAIN_TIMEOUT=10s",
	), environ...)
	t.Cleanup(func() { h.kill() })
	return h
}

// ownAddress returns an address for one hub alone: a hub that is away must find
// its port free when it comes back, and others must not find another hub there.
func ownAddress(t testing.TB) string {
	t.Helper()
	n := addresses.Add(1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 128+os.Getpid()%100, n/250%250, 1+n%250))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var addresses atomic.Int64 // given out

// from is where the tests connect from: their ports are nobody else's.
var from = &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 98, 0, 1)}}

var caller = &http.Client{Transport: &http.Transport{DialContext: from.DialContext, MaxIdleConnsPerHost: 8}}

// start starts the process.
func (h *hubProcess) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(h.program)
	cmd.Env, cmd.Stdout, cmd.Stderr = h.environ, log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a hub: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(exited)
	}()
	h.mu.Lock()
	h.process, h.exited = cmd, exited
	h.mu.Unlock()
	h.runs.Add(1)
}

// await waits until the hub takes connections.
func (h *hubProcess) await(t testing.TB) {
	t.Helper()
	eventually(t, h.name+" is ready", h.ready)
	h.up.Store(true)
}

func (h *hubProcess) ready() bool {
	status, err := h.get("/readyz", nil)
	return err == nil && status == http.StatusOK
}

// kill ends the process at once, if it runs, paused or not.
func (h *hubProcess) kill() {
	h.up.Store(false)
	if cmd, exited := h.running(); cmd != nil {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	}
}

// terminate has the hub drain and end, and waits for it.
func (h *hubProcess) terminate(t testing.TB) {
	t.Helper()
	h.up.Store(false)
	h.signal(t, syscall.SIGTERM)
	_, exited := h.running()
	select {
	case <-exited:
	case <-time.After(patience):
		t.Errorf("%s has not ended %v after SIGTERM", h.name, patience)
		h.kill()
	}
}

func (h *hubProcess) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	cmd, _ := h.running()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Errorf("%v to %s: %v", sig, h.name, err)
	}
}

func (h *hubProcess) running() (*exec.Cmd, chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process, h.exited
}

// get asks the hub for a path, and reads JSON into answer unless it is nil.
func (h *hubProcess) get(path string, answer any) (status int, err error) {
	return h.call(http.MethodGet, path, nil, answer)
}

// call makes one request of the admin API.
func (h *hubProcess) call(method, path string, body, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), callWithin)
	defer cancel()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		reader = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+h.address+path, reader)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+apiKey)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := caller.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode >= 300 {
		var e api.Error
		if json.Unmarshal(b, &e) == nil && e.Code != 0 {
			return response.StatusCode, &e
		}
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(b)))
	}
	if answer != nil {
		if err := json.Unmarshal(b, answer); err != nil {
			return response.StatusCode, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	return response.StatusCode, nil
}

// outcomeOf is what the answer to a publish says.
func outcomeOf(err error) history.Outcome {
	var e *api.Error
	switch {
	case err == nil:
		return history.Sent
	case errors.As(err, &e) && e.Code != hub.CodeTimeout:
		return history.Refused
	}
	return history.Unknown
}

// eventually waits until done is true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !done() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

const (
	patience   = 30 * time.Second // for what must happen at all
	callWithin = 12 * time.Second // for an answer
)
