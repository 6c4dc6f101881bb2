package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dial connects a client.
func (p *process) dial(header http.Header) *websocket.Conn {
	p.t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", header)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// ask sends a message and returns the next one that comes.
func ask(t *testing.T, ws *websocket.Conn, message string) string {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, answer, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestServesAndDrains(t *testing.T) {
	p := start(t, nil)
	ws := p.dial(nil)
	if answer := ask(t, ws, `{"message_type":"ping","message_id":1}`); !strings.Contains(answer, `"message_type":"pong"`) {
		t.Fatalf("ping: %s", answer)
	}
	closed := make(chan error, 1)
	go func() { // reading answers the close frame, for which the hub waits
		_, _, err := ws.ReadMessage()
		closed <- err
	}()
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if err := <-closed; !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("client saw %v, want 1012", err)
	}
}

func TestPage(t *testing.T) {
	on := start(t, nil, "--page")
	on.dial(nil)
	resp, body := on.get("/")
	csp := resp.Header.Get("Content-Security-Policy")
	if resp.StatusCode != http.StatusOK || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(body, "GoHub") {
		t.Errorf("page: %d, CSP %q", resp.StatusCode, csp)
	}
	if _, body := on.get("/page/stats"); !strings.Contains(body, `"clients":1,`) {
		t.Errorf("stats: %s", body)
	}
	for _, args := range [][]string{nil, {"--page=false"}} {
		off := start(t, nil, args...)
		for _, path := range []string{"/", "/page/stats"} {
			if resp, _ := off.get(path); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s with %v: %d", path, args, resp.StatusCode)
			}
		}
	}
}

// TestWithoutGo uses the hub as somebody without Go does: rooms by rule from a
// YAML file, a key in a file, the admin API, a client.
func TestWithoutGo(t *testing.T) {
	rules := writeFile(t, "rooms:\n- pattern: news.*\n  historySize: 10\n  create: true\n")
	p := start(t, []string{"GOHUB_API_KEY_FILE=" + writeFile(t, "key\n"), "GOHUB_CONFIG=" + rules})
	ws := p.dial(nil)
	if answer := ask(t, ws, `{"message_type":"join_room","data":{"room_id":"news.go"},"message_id":1}`); !strings.Contains(answer, `"room_joined"`) {
		t.Fatalf("join: %s", answer)
	}
	publish := func(key string) *http.Response {
		req, err := http.NewRequest("POST", "http://"+p.addr+"/api/v1/publish", strings.NewReader(`{"room":"news.go","content":{"text":"hello"}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	if resp := publish("other"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("publish with another key: %d", resp.StatusCode)
	}
	resp := publish("key")
	var receipt struct{ Position, Scope string }
	if err := json.NewDecoder(resp.Body).Decode(&receipt); err != nil || resp.StatusCode != http.StatusOK || receipt.Position == "" {
		t.Errorf("publish: %d %+v %v", resp.StatusCode, receipt, err)
	}
	if _, msg, err := ws.ReadMessage(); err != nil || !strings.Contains(string(msg), `"content":{"text":"hello"}`) {
		t.Errorf("message: %s %v", msg, err)
	}
	// The rule keeps history.
	if answer := ask(t, ws, `{"message_type":"room_history","data":{"room_id":"news.go"},"message_id":2}`); !strings.Contains(answer, `"text":"hello"`) {
		t.Errorf("history: %s", answer)
	}
}

// TestAddressInUse: an address that is taken ends the hub at once.
func TestAddressInUse(t *testing.T) {
	p := start(t, nil)
	cmd := command(nil, "--address", p.addr)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	_ = cmd.Run() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != exitError || !strings.Contains(errs.String(), "hub: listen tcp "+p.addr) {
		t.Errorf("%d %s", code, errs.String())
	}
}

// TestProcessExitCodes: main hands on what run returns.
func TestProcessExitCodes(t *testing.T) {
	for want, args := range map[int][]string{
		exitOK:    {"--version"},
		exitError: {"--check-config", "--max-rooms", "many"},
		exitUsage: {"--nonsense"},
	} {
		cmd := command(nil, args...)
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: exit code %d, want %d", args, code, want)
		}
	}
}

// TestPageOfACluster: the page is told of both hubs, where they are, and what
// goes between them.
func TestPageOfACluster(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mesh := ln.Addr().String()
	_ = ln.Close() // a port that was free a moment ago
	common := []string{"--page", "--enable-cluster", "--bus-type", "embedded"}
	one := start(t, nil, append(common, "--node-id", "one", "--embedded-cluster-address", mesh)...)
	two := start(t, nil, append(common, "--node-id", "two", "--embedded-cluster-address", "127.0.0.1:0", "--embedded-routes", mesh)...)
	for _, p := range []*process{one, two} {
		want := regexp.MustCompile(`"nodes":\[\{"id":"one",.*"host":"` + one.addr + `"\},\{"id":"two",.*"host":"` + two.addr + `"\}\],"degraded":false,"bus_sent":[1-9][0-9]*,"bus_received":[1-9]`)
		p.eventually("/page/stats", want)
	}
	alone := start(t, nil, "--page")
	if _, body := alone.get("/page/stats"); strings.Contains(body, `"nodes"`) {
		t.Errorf("a hub that is alone: %s", body)
	}
}

// eventually asks until the answer matches.
func (p *process) eventually(path string, want *regexp.Regexp) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var body string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		if _, body = p.get(path); want.MatchString(body) {
			return
		}
	}
	p.t.Errorf("%s: %s, want %s", path, body, want)
}
