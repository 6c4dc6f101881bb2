package main

import (
	"bytes"
	"strings"
	"testing"
)

// images are those that run must be told.
var images = []string{"--hub-image=h", "--nats-image=n", "--redis-image=r"}

func TestCommandLine(t *testing.T) {
	with := func(flags ...string) []string { return append(append([]string{"run"}, images...), flags...) }
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"version", []string{"version"}, exitOK, "devel"},
		{"help", []string{"help"}, exitOK, "operator crds apply"},
		{"help of run", []string{"run", "--help"}, exitOK, "-watch-namespaces"},
		{"help of crds apply", []string{"crds", "apply", "-h"}, exitOK, "-timeout"},
		{"unknown command", []string{"walk"}, exitUsage, `unknown command "walk": want run, crds or version`},
		{"crds alone", []string{"crds"}, exitUsage, "crds takes the command apply"},
		{"unknown flag", []string{"--fast"}, exitUsage, "-fast"},
		{"further argument", with("now"), exitUsage, `unknown argument "now"`},
		{"no image", []string{"run"}, exitUsage, "--hub-image is missing"},
		{"no namespace for the lease", with(), exitUsage, "--leader-elect needs --namespace"},
		{"namespace that is none", with("--watch-namespaces=a,B"), exitUsage, `--watch-namespaces: "B" is no name`},
		{"labels that are none", with("--pod-labels=a"), exitUsage, "--pod-labels: want k=v,k=v"},
		{"level that is none", with("--log-level=loud"), exitUsage, `--log-level: "loud" is none of debug`},
		{"format that is none", with("--log-format=xml"), exitUsage, `--log-format: "xml" is neither json nor text`},
		{"address that is none", with("--metrics-address=8443"), exitUsage, `--metrics-address: "8443" is neither host:port nor 0`},
		{"too many workers", with("--max-concurrent-reconciles=65"), exitUsage, "65 is not from 1 to 64"},
		{"certificate for HTTP", with("--leader-elect=false", "--metrics-auth=false", "--metrics-cert-dir=/c"), exitUsage, "--metrics-cert-dir has no effect"},
		{"no API server", with("--leader-elect=false"), exitError, "find the API server"},
	}
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	t.Setenv("HOME", t.TempDir())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), test.args, nil, &stdout, &stderr)
			if text := stdout.String() + stderr.String(); code != test.code || !strings.Contains(text, test.says) {
				t.Errorf("code %d, want %d with %q:\n%s", code, test.code, test.says, text)
			}
			if (code == exitOK) != (stderr.Len() == 0) {
				t.Errorf("on stderr: %s", stderr.String())
			}
		})
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	environ := []string{"POD_NAMESPACE=here", "GOHUB_OPERATOR_POD_LABELS=a=b,c=d", "GOHUB_HUB_IMAGE=h", "GOHUB_NATS_IMAGE=n", "GOHUB_REDIS_IMAGE=r"}
	s, err := parseSettings([]string{"--watch-namespaces=one, two", "--nats-image=flag"}, environ, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if s.namespace != "here" || s.podLabels["c"] != "d" || s.images.Hub != "h" || s.images.NATS != "flag" || strings.Join(s.watch, "/") != "one/two" || !s.elect {
		t.Errorf("got %+v", s)
	}
}
