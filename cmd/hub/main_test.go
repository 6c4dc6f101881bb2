package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/auth"
)

const testSecret = "a-secret-of-more-than-32-bytes-for-tests"

// TestMain lets the test binary be the hub, so that processes can be tested
// without building anything else.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_HUB") == "1" {
		os.Exit(run(os.Args[1:], withoutMarker(os.Environ()), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func withoutMarker(environ []string) []string {
	var out []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "RUN_AS_HUB=") {
			out = append(out, e)
		}
	}
	return out
}

// process is a running hub.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	logs chan string // closed at the end of its output
}

var listens = regexp.MustCompile(`msg="hub listens" address=(\S+)`)

// start runs a hub on a free port and waits until it listens.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"--address", "127.0.0.1:0", "--drain-delay", "-1ms"}, args...)...)
	cmd.Env = append(env, "RUN_AS_HUB=1")
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
	_ = p.cmd.Wait()
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

func TestServesAndDrains(t *testing.T) {
	p := start(t, nil)
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"message_type":"ping","message_id":1}`)); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := ws.ReadMessage(); err != nil || !strings.Contains(string(msg), `"message_type":"pong"`) {
		t.Fatalf("ping: %s %v", msg, err)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("client saw %v, want 1012", err)
	}
}

func TestPage(t *testing.T) {
	on := start(t, nil, "--page")
	resp, body := on.get("/")
	if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(body, "GoHub") {
		t.Errorf("page: %d, CSP %q", resp.StatusCode, resp.Header.Get("Content-Security-Policy"))
	}
	if _, body := on.get("/page/stats"); !strings.Contains(body, `"clients":0`) {
		t.Errorf("stats: %s", body)
	}
	off := start(t, nil)
	if resp, _ := off.get("/"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("without --page: %d", resp.StatusCode)
	}
}

func TestTokenIsAccepted(t *testing.T) {
	env := []string{"GOHUB_JWT_SECRET_KEY=" + testSecret, "GOHUB_JWT_ISSUER=me"}
	p := start(t, env, "--enable-auth")
	var out, errs bytes.Buffer
	if code := run([]string{"token", "--sub", "alice", "--permissions", "join:room,send:message:chat.*", "--username", "Alice", "--claim", "team=red"}, env, &out, &errs); code != exitOK {
		t.Fatalf("token: %d %s", code, errs.String())
	}
	token := strings.TrimSpace(out.String())
	v, err := auth.NewVerifier(context.Background(), auth.VerifierConfig{SecretKey: testSecret, Issuer: "me"})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := v.Verify(context.Background(), token)
	if err != nil || claims.Subject != "alice" || claims.Username != "Alice" || claims.Extra["team"] != "red" ||
		!claims.HasRoomPermission(auth.PermSendMessage, "chat.go") || claims.ExpiresAt.IsZero() {
		t.Errorf("claims %+v: %v", claims, err)
	}
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	ws.Close()
	if _, resp, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", nil); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %v", err)
	}
}

func TestTokenFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"token", "--sub", "bob", "--ttl", "0"}, []string{"GOHUB_JWT_SECRET_KEY_FILE=" + file}, &out, &errs); code != exitOK {
		t.Fatalf("%d %s", code, errs.String())
	}
	v, err := auth.NewVerifier(context.Background(), auth.VerifierConfig{SecretKey: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := v.Verify(context.Background(), strings.TrimSpace(out.String())); err != nil || !claims.ExpiresAt.IsZero() {
		t.Errorf("claims %+v: %v", claims, err)
	}
}

// TestPrecedence: defaults, file, environment, flags; the later ones win.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(file, []byte("maxMessageSize: 1\nmaxRooms: 1\nmaxConnections: 1\napiKey: hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run([]string{"--config", file, "--max-connections", "3", "--print-config"}, []string{"GOHUB_MAX_ROOMS=2", "GOHUB_MAX_CONNECTIONS=2"}, &out, &errs)
	if code != exitOK {
		t.Fatalf("%d %s", code, errs.String())
	}
	for _, want := range []string{"maxMessageSize: 1\n", "maxRooms: 2\n", "maxConnections: 3\n", "readTimeout: 1m0s\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hidden") {
		t.Error("print-config shows a secret")
	}
	// What it prints can be read again.
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if code := run([]string{"--config", file, "--print-config"}, nil, &again, &errs); code != exitOK || again.String() != out.String() {
		t.Errorf("read again: %d %s\n%s", code, errs.String(), again.String())
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		code int
		want []string
	}{
		{"unknown command", []string{"serve"}, nil, exitUsage, []string{`unknown command "serve"`}},
		{"unknown flag", []string{"--nonsense"}, nil, exitUsage, []string{"-nonsense"}},
		{"argument", []string{"--page", "x"}, nil, exitUsage, []string{`unexpected argument "x"`}},
		{"several problems", []string{"--check-config", "--duplicate-id", "maybe", "--enable-auth"}, nil, exitError, []string{"duplicateID", "replace", "jwtSecretKey"}},
		{"flag's form", []string{"--check-config", "--read-timeout", "5"}, nil, exitError, []string{"--read-timeout", `"25s"`}},
		{"variable's form", []string{"--check-config"}, []string{"GOHUB_MAX_ROOMS=many"}, exitError, []string{"GOHUB_MAX_ROOMS"}},
		{"no such file", []string{"--check-config", "--config", "/does/not/exist"}, nil, exitError, []string{"/does/not/exist"}},
		{"unknown variable", []string{"--check-config"}, []string{"GOHUB_MAX_ROMS=1"}, exitOK, []string{"GOHUB_MAX_ROMS"}},
		{"valid", []string{"--check-config"}, nil, exitOK, nil},
		{"version", []string{"--version"}, nil, exitOK, nil},
		{"help", []string{"--help"}, nil, exitOK, nil},
		{"help of token", []string{"token", "--help"}, nil, exitOK, []string{"-sub"}},
		{"token without a name", []string{"token", "--secret", testSecret}, nil, exitUsage, []string{"--sub"}},
		{"token without a secret", []string{"token", "--sub", "a"}, nil, exitError, []string{"secret"}},
		{"unknown permission", []string{"token", "--sub", "a", "--secret", testSecret, "--permissions", "fly"}, nil, exitUsage, []string{"--permissions"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(tt.args, tt.env, &out, &errs); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("no %q in %q", want, errs.String())
				}
			}
			if strings.Contains(errs.String(), testSecret) {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestAddressInUse: an address that is taken ends the hub at once.
func TestAddressInUse(t *testing.T) {
	p := start(t, nil)
	var out, errs bytes.Buffer
	if code := run([]string{"--address", p.addr}, nil, &out, &errs); code != exitError || !strings.Contains(errs.String(), "address already in use") {
		t.Errorf("%d %s", code, errs.String())
	}
}

// TestWithoutGo uses the hub as the README does: rules, the admin API, a client.
func TestWithoutGo(t *testing.T) {
	p := start(t, []string{"GOHUB_API_KEY=key", `GOHUB_ROOMS=[{"pattern":"*","historySize":10}]`})
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"message_type":"join_room","data":{"room_id":"lobby"},"message_id":1}`)); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := ws.ReadMessage(); err != nil || !strings.Contains(string(msg), `"room_joined"`) {
		t.Fatalf("join: %s %v", msg, err)
	}
	req, err := http.NewRequest("POST", fmt.Sprintf("http://%s/api/v1/publish", p.addr), strings.NewReader(`{"room":"lobby","content":{"text":"hello"}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var receipt struct{ Position, Scope string }
	if err := json.NewDecoder(resp.Body).Decode(&receipt); err != nil || resp.StatusCode != http.StatusOK || receipt.Position == "" {
		t.Errorf("publish: %d %+v %v", resp.StatusCode, receipt, err)
	}
	if _, msg, err := ws.ReadMessage(); err != nil || !strings.Contains(string(msg), `"content":{"text":"hello"}`) {
		t.Errorf("message: %s %v", msg, err)
	}
}
