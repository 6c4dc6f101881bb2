package server_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// signalOptions are the servers that TestSignals runs, by name.
var signalOptions = map[string]server.Options{
	"drains":   {Drain: server.Drain{Delay: -1, Window: -1}},
	"disabled": {Drain: server.Drain{Delay: -1, Window: -1}, DisableSignals: true},
	"twice":    {Drain: server.Drain{Delay: time.Hour, Timeout: -1}},
}

// process is a server in a process of its own.
type process struct {
	*exec.Cmd
	addr   string
	client *websocket.Conn
}

// startProcess runs this test again in a process of its own, as the server of
// that name, and connects to it.
func startProcess(t *testing.T, name string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSignals$", "-engine="+*engine)
	cmd.Env = append(os.Environ(), "SIGNAL_TEST="+name, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p := &process{Cmd: cmd}
	for lines := bufio.NewScanner(out); p.addr == "" && lines.Scan(); { // until the line "hub listens"
		_, rest, _ := strings.Cut(lines.Text(), "address=")
		p.addr, _, _ = strings.Cut(rest, " ")
	}
	if p.client, _, err = websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.client.Close() })
	return p
}

// wantEnd waits for the end of the client and then of the process: by that
// signal, or properly where it is 0.
func (p *process) wantEnd(t *testing.T, code int, by syscall.Signal) {
	t.Helper()
	_ = p.client.SetReadDeadline(time.Now().Add(hubtest.Timeout))
	if _, _, err := p.client.ReadMessage(); !websocket.IsCloseError(err, code) {
		t.Errorf("client saw %v, want close code %d", err, code)
	}
	_ = p.client.Close()
	defer time.AfterFunc(hubtest.Timeout, func() { _ = p.Process.Kill() }).Stop()
	err := p.Wait()
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	if by == 0 && err != nil || by != 0 && (!status.Signaled() || status.Signal() != by) {
		t.Errorf("process: %v, want to be ended by signal %d (0: by itself)", err, by)
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestSignals sends signals to servers in processes of their own.
func TestSignals(t *testing.T) {
	if opts, child := signalOptions[os.Getenv("SIGNAL_TEST")]; child {
		opts.Address, opts.Engine = "127.0.0.1:0", server.Engine(*engine)
		s, err := server.NewServer(&opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, s := range map[string]syscall.Signal{"SIGTERM drains": syscall.SIGTERM, "SIGINT drains": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, "drains")
			p.signal(t, s)
			p.wantEnd(t, 1012, 0)
		})
	}
	t.Run("DisableSignals", func(t *testing.T) {
		t.Parallel()
		p := startProcess(t, "disabled")
		p.signal(t, syscall.SIGTERM)
		p.wantEnd(t, websocket.CloseAbnormalClosure, syscall.SIGTERM)
	})
	t.Run("the second one ends the process", func(t *testing.T) {
		t.Parallel()
		p := startProcess(t, "twice")
		p.signal(t, syscall.SIGTERM)
		eventually(t, "the first is heard", func() bool {
			status, _, _ := get(t, "http://"+p.addr+"/readyz")
			return status == http.StatusServiceUnavailable
		})
		p.signal(t, syscall.SIGTERM)
		p.wantEnd(t, websocket.CloseAbnormalClosure, syscall.SIGTERM)
	})
}
