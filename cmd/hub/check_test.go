package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// checkHub runs hub check and returns its exit code and what it prints.
func checkHub(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"check"}, args...), nil, &out, &errs)
	return code, out.String(), errs.String()
}

func TestCheckHearsItsMessage(t *testing.T) {
	p := start(t, nil, "--node-id", "one")
	code, out, errs := checkHub("--url", "ws://"+p.addr+"/ws")
	if code != exitOK || errs != "" {
		t.Fatalf("%d %s", code, errs)
	}
	if !strings.HasPrefix(out, "a message from node one to node one through room gohub-check-") {
		t.Errorf("stdout %q", out)
	}
	if code, out, errs := checkHub("--url", "ws://"+p.addr+"/ws", "--room", "mine"); code != exitOK || !strings.Contains(out, " room mine ") {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

func TestCheckWithTokens(t *testing.T) {
	env := []string{"GOHUB_JWT_SECRET_KEY=" + testSecret}
	p := start(t, env, "--enable-auth")
	url := "ws://" + p.addr + "/ws"
	member := func(id, permissions string) string {
		return mint(t, env, "--sub", id, "--permissions", permissions)
	}
	const all = "create:room,join:room,send:message,read:message"
	file := writeFile(t, member("a", all)+"\n"+member("b", all)+"\n")
	if code, _, errs := checkHub("--url", url, "--token-file", file); code != exitOK {
		t.Errorf("%d %s", code, errs)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"no token":        {"", "first connection: dial: "},
		"one token":       {writeFile(t, member("a", all)), "has 1 tokens: want two"},
		"no such file":    {"/does/not/exist", "/does/not/exist"},
		"may not send":    {writeFile(t, member("a", all)+"\n"+member("b", "join:room")), "send to room gohub-check-"},
		"may not join":    {writeFile(t, member("a", "read:message")+"\n"+member("b", all)), "first connection: join room gohub-check-"},
		"the same id":     {writeFile(t, member("a", all)+"\n"+member("a", all)), "4009"},
		"of another hub":  {writeFile(t, "x.y.z\nx.y.z"), "401"},
		"may not hear it": {writeFile(t, member("a", "create:room,join:room")+"\n"+member("b", all)), "nothing was heard in room gohub-check-"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"--url", url, "--timeout", "2s"}
			if tt.file != "" {
				args = append(args, "--token-file", tt.file)
			}
			code, out, errs := checkHub(args...)
			if code != exitError || !strings.HasPrefix(errs, "hub check: ") || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("%d %q %q, want %q", code, out, errs, tt.want)
			}
			if strings.Contains(errs, "eyJ") {
				t.Error("a token is shown")
			}
		})
	}
}

// TestCheckWaitsForTheHub: it is asked while nobody listens yet.
func TestCheckWaitsForTheHub(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close() // a port that was free a moment ago
	done := make(chan string, 1)
	go func() {
		code, out, errs := checkHub("--url", "ws://"+addr+"/ws", "--timeout", "20s")
		if code == exitOK {
			errs = ""
		}
		done <- out + errs
	}()
	start(t, nil, "--address", addr)
	if got := <-done; !strings.Contains(got, "was heard") {
		t.Error(got)
	}
}

func TestCheckProblems(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no url":       {nil, exitUsage, "--url is required"},
		"no time":      {[]string{"--url", "ws://x/ws", "--timeout", "0s"}, exitUsage, "--timeout: 0s is not above 0"},
		"argument":     {[]string{"--url", "ws://x/ws", "y"}, exitUsage, `unexpected argument "y"`},
		"unknown flag": {[]string{"--token-fle", "x"}, exitUsage, "unknown flag --token-fle: did you mean --token-file?"},
		"scheme":       {[]string{"--url", "ftp://x/ws"}, exitError, "ftp"},
		"no hub":       {[]string{"--url", page.URL + "/ws"}, exitError, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := checkHub(tt.args...)
			if code != tt.code || !strings.HasPrefix(errs, "hub check: ") || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("%d %q %q, want %d %q", code, out, errs, tt.code, tt.want)
			}
		})
	}
	if code, out, errs := checkHub("--help"); code != exitOK || !strings.Contains(out, "-token-file") || errs != "" {
		t.Errorf("help: %d %q %q", code, out, errs)
	}
}
