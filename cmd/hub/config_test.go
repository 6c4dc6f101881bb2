package main

import (
	"bytes"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/config"
)

// TestPrecedence: defaults, file, environment, flags; the later ones win.
func TestPrecedence(t *testing.T) {
	file := writeFile(t, "maxMessageSize: 1\nmaxRooms: 1\nmaxConnections: 1\nlogLevel: warn\nenableQueryClientID: true\n")
	other := writeFile(t, "logLevel: error\n")
	var out, errs bytes.Buffer
	code := run([]string{"--config", file, "--max-connections", "3", "--max-connections=4", "--enable-query-client-id=false", "--compression", "--print-config"},
		[]string{"GOHUB_MAX_ROOMS=2", "GOHUB_MAX_CONNECTIONS=2", "GOHUB_CONFIG=" + other}, &out, &errs)
	if code != exitOK {
		t.Fatalf("%d %s", code, errs.String())
	}
	for _, want := range []string{
		"readTimeout: 1m0s\n",          // default
		"maxMessageSize: 1\n",          // file over default
		"maxRooms: 2\n",                // environment over file
		"maxConnections: 4\n",          // flag over environment, the last one of two
		"enableQueryClientID: false\n", // flag over file, to a zero value
		"compression: true\n",          // a switch
		"logLevel: warn\n",             // --config over GOHUB_CONFIG
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestPrintConfigRoundTrip: what --print-config prints can be read again and
// means the same, and it shows no secret.
func TestPrintConfigRoundTrip(t *testing.T) {
	env := []string{"GOHUB_API_KEY=hidden-1", "GOHUB_JWT_PREVIOUS_SECRET_KEYS=hidden-2,hidden-3", "GOHUB_REDIS_PASSWORD=hidden-4", "GOHUB_NATS_URLS=nats://user:hidden-5@host:4222"}
	args := []string{"--jwt-secret-key", "hidden-6", "--jwt-leeway", "-1s", "--max-rooms", "-5", "--rooms", `[{"pattern":"a","historySize":3,"historyTTL":"5s"}]`}
	var first, again, errs bytes.Buffer
	if code := run(append(args, "--print-config"), env, &first, &errs); code != exitOK {
		t.Fatalf("%d %s", code, errs.String())
	}
	if strings.Contains(first.String(), "hidden-") {
		t.Errorf("a secret is shown:\n%s", first.String())
	}
	file := writeFile(t, first.String())
	if code := run([]string{"--config", file, "--print-config"}, nil, &again, &errs); code != exitOK || again.String() != first.String() {
		t.Errorf("read again: %d %s\n%s", code, errs.String(), again.String())
	}
}

// TestRedactedSecrets: nobody runs a hub whose secret is the word that
// --print-config shows; a real secret from elsewhere completes the file.
func TestRedactedSecrets(t *testing.T) {
	env := []string{"GOHUB_JWT_SECRET_KEY=" + testSecret, "GOHUB_API_KEY=key", "GOHUB_NATS_URLS=nats://user:password@host:4222"}
	var out, errs bytes.Buffer
	if code := run([]string{"--enable-auth", "--print-config"}, env, &out, &errs); code != exitOK {
		t.Fatalf("%d %s", code, errs.String())
	}
	file := writeFile(t, out.String())
	taken, err := net.Listen("tcp", "127.0.0.1:0") // a hub that did start would end at once
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{{"--config", file, "--check-config"}, {"--config", file, "--address", taken.Addr().String()}} {
		errs.Reset()
		if code := run(args, nil, &out, &errs); code != exitError {
			t.Errorf("%v: exit code %d", args, code)
		}
		for _, want := range []string{"hub: jwtSecretKey: ", "hub: apiKey: ", "hub: nats.urls: "} {
			if !strings.Contains(errs.String(), want) {
				t.Errorf("%v: no %q in %q", args, want, errs.String())
			}
		}
	}
	if code := run([]string{"--config", file, "--check-config"}, env, &out, &errs); code != exitOK {
		t.Errorf("with the secrets: exit code %d: %s", code, errs.String())
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		code int
		want []string // each at the beginning of a line after "hub: "
	}{
		{"values", []string{"--duplicate-id", "maybe", "--enable-auth", "--log-level", "loud"}, nil, exitError,
			[]string{"duplicateID: ", "logLevel: ", "enableAuth: "}},
		{"flags' forms", []string{"--read-timeout", "5", "--max-rooms", "many"}, nil, exitError,
			[]string{"flag --read-timeout: readTimeout: ", "flag --max-rooms: maxRooms: "}},
		{"a variable's and a flag's form", []string{"--read-timeout", "5"}, []string{"GOHUB_MAX_ROOMS=many"}, exitError,
			[]string{"environment variable GOHUB_MAX_ROOMS: maxRooms: ", "flag --read-timeout: readTimeout: "}},
		{"file", []string{"--config", writeFile(t, "maxRoms: 1\nreadTimeout: 5\n")}, nil, exitError,
			[]string{"read config ", "readTimeout: "}},
		{"no such file", []string{"--config", "/does/not/exist"}, nil, exitError, []string{`read config "/does/not/exist": `}},
		{"unknown variable", nil, []string{"GOHUB_MAX_ROMS=1"}, exitOK, []string{"warning: GOHUB_MAX_ROMS is no variable of the hub: did you mean GOHUB_MAX_ROOMS"}},
		{"unknown variable that explains a problem", []string{"--enable-auth"}, []string{"GOHUB_JWT_SECRET=" + testSecret}, exitError,
			[]string{"warning: GOHUB_JWT_SECRET is no variable of the hub: did you mean GOHUB_JWT_SECRET_KEY", "enableAuth: "}},
		{"valid", nil, nil, exitOK, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(append([]string{"--check-config"}, tt.args...), tt.env, &out, &errs); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if lines := strings.Count(errs.String(), "\n"); lines != len(tt.want) {
				t.Errorf("%d lines, want %d: %s", lines, len(tt.want), errs.String())
			}
			for _, want := range tt.want {
				if !strings.Contains("\n"+errs.String(), "\nhub: "+want) {
					t.Errorf("no line with %q in %q", want, errs.String())
				}
			}
			if strings.Contains(errs.String(), testSecret) {
				t.Error("a secret is shown")
			}
			if valid := out.String() == "configuration is valid\n"; valid != (tt.code == exitOK) {
				t.Errorf("stdout %q", out.String())
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"serve"}, `unknown command "serve"`},
		{"unknown flag", []string{"--nonsense"}, "unknown flag --nonsense (see"},
		{"misspelt flag", []string{"-max-roms=5"}, "unknown flag --max-roms: did you mean --max-rooms"},
		{"misspelt flag of its own", []string{"--print-conf"}, "unknown flag --print-conf: did you mean --print-config"},
		{"argument", []string{"--page", "x"}, `unexpected argument "x"`},
		{"switch with a space", []string{"--enable-auth", "false"}, `unexpected argument "false"`},
		{"no value", []string{"--config"}, "-config"},
		{"not a switch", []string{"--page=maybe"}, "-page"},
		{"print and check", []string{"--print-config", "--check-config"}, "--check-config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(tt.args, nil, &out, &errs); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(errs.String(), tt.want) || !strings.Contains(errs.String(), "hub --help") || out.Len() > 0 {
				t.Errorf("stdout %q, stderr %q; want %q", out.String(), errs.String(), tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}} {
		var out, errs bytes.Buffer
		if code := run(args, nil, &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%v: %d %s", args, code, errs.String())
		}
		for _, k := range config.Keys() {
			if k.Flag != "" && (!strings.Contains(out.String(), "\n  --"+k.Flag) || !strings.Contains(out.String(), "        "+k.Env)) {
				t.Errorf("%v: nothing about %s", args, k.Path)
			}
			if k.Secret && !strings.Contains(out.String(), "better "+k.Env+"_FILE than the flag") {
				t.Errorf("%v: no hint for the secret %s", args, k.Path)
			}
		}
	}
}

// TestSections: the help has the headings of the configuration, in their
// places.
func TestSections(t *testing.T) {
	source, err := os.ReadFile("../../pkg/config/config.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []section
	var title string
	for line := range strings.SplitSeq(string(source), "\n") {
		if text, ok := strings.CutPrefix(line, "\t// # "); ok {
			title = text
		}
		if _, tag, ok := strings.Cut(line, "`json:\""); ok && title != "" {
			key, _, _ := strings.Cut(tag, `"`)
			want = append(want, section{title, key})
			title = ""
		}
	}
	if got := sections(); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("sections %v, want %v", got, want)
	}
	var out bytes.Buffer
	writeHelp(&out)
	at := 0
	for _, s := range want {
		i := strings.Index(out.String()[at:], "\n\n"+s.title+":\n  --")
		if i < 0 {
			t.Fatalf("no heading %q in its place", s.title)
		}
		at += i
	}
}

func TestVersion(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"--version"}, nil, &out, &errs); code != exitOK || strings.TrimSpace(out.String()) == "" || errs.Len() > 0 {
		t.Errorf("%d %q %q", code, out.String(), errs.String())
	}
}
