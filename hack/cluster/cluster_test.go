//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBadCommandLines(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "want build, up, load, exec, kill, logs, down or assets"},
		{[]string{"start"}, `command "start": want build, up`},
		{[]string{"up", "-nodes", "0"}, "-nodes 0: want 1 to 9"},
		{[]string{"exec"}, "exec: want a command"},
		{[]string{"exec", "true"}, "the cluster is not up; cluster up starts it"},
		{[]string{"load", "x.tar"}, "the cluster is not up; cluster up starts it"},
		{[]string{"kill"}, "kill: want one argument"},
		{[]string{"kill", "x"}, "the cluster is not up; cluster up starts it"},
		{[]string{"logs"}, "logs: want one argument"},
		{[]string{"logs", t.TempDir()}, "no logs"},
		{[]string{"inside-init"}, "inside-init is for the cluster itself"},
		{[]string{"inside-node", t.TempDir()}, "inside-node is for the cluster itself"},
	} {
		err := run(t.Context(), tt.args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestDownWithoutAClusterIsNoError(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := run(t.Context(), []string{"down"}, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
}

// A process that got the number of one that has ended is another.
func TestPidKnowsTheProcess(t *testing.T) {
	c := cluster{dir: t.TempDir()}
	started, err := startTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		err  error
	}{
		{pidText(os.Getpid(), started), nil},
		{pidText(os.Getpid(), started+"0"), errNotUp},
		{pidText(1<<30, started), errNotUp},
	} {
		if err := c.write(pidFile, tt.text); err != nil {
			t.Fatal(err)
		}
		if _, err := c.pid(); !errors.Is(err, tt.err) {
			t.Errorf("%q: %v, want %v", tt.text, err, tt.err)
		}
	}
}

func TestFingerprintFollowsWhatIsBuilt(t *testing.T) {
	b := builder{root: t.TempDir()}
	files := map[string]string{
		"go.mod":                     "require (\n\t" + natsModule + " v2.15.2 // indirect\n)\n",
		source + "/go.mod":           "require k8s.io/kubernetes v1.35.4\n",
		source + "/go.sum":           "x\n",
		source + "/pause/main.go":    "package main\n",
		source + "/pause/unread.txt": "\n",
	}
	fingerprint := func() string {
		t.Helper()
		for name, text := range files {
			name = filepath.Join(b.root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		key, err := b.fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	before := fingerprint()
	for name, changes := range map[string]bool{
		"go.mod": true, source + "/go.mod": true, source + "/go.sum": true, source + "/pause/main.go": true,
		source + "/pause/unread.txt": false,
	} {
		original := files[name]
		files[name] = strings.NewReplacer("v2.15.2", "v2.15.3", "v1.35.4", "v1.35.5").Replace(original) + "\n"
		if name == "go.mod" {
			files[name] = strings.TrimSpace(files[name])
		}
		if after := fingerprint(); (after != before) != changes {
			t.Errorf("%s changed: another fingerprint is %t, want %t", name, after != before, changes)
		}
		files[name] = original
	}
	// The rest of the framework's go.mod is nothing to the cluster.
	files["go.mod"] += "require example.org/other v1.0.0\n"
	if fingerprint() != before {
		t.Error("another requirement changed the fingerprint")
	}
}

func TestLinkFlagsTellKubernetesItsVersion(t *testing.T) {
	b := builder{root: "../.."}
	flags, err := b.linkFlags()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"version.gitVersion=v1.", "version.gitMajor=1 ", "version.gitMinor="} {
		if !strings.Contains(flags, want) {
			t.Errorf("%s: no %s", flags, want)
		}
	}
}

func TestAwait(t *testing.T) {
	asked := 0
	err := await(t.Context(), "it", time.Minute, func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Errorf("%v after %d times", err, asked)
	}
	err = await(t.Context(), "it", 0, func(context.Context) error { return errors.New("never there") })
	if err == nil || err.Error() != "it: not within 0s: never there" {
		t.Error(err)
	}
}

func TestLogsAreCopied(t *testing.T) {
	c, to := cluster{dir: t.TempDir()}, t.TempDir()
	for name, text := range map[string]string{
		"log/etcd.log":                           "from etcd",
		"node1/var/log/pods/default_a/hub/0.log": "from a",
		"node2/var/log/pods/default_b/hub/0.log": "from b",
		"pki/ca.key":                             "secret",
	} {
		name = filepath.Join(c.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.copyLogs(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"programs/etcd.log": "from etcd", "pods/default_a/hub/0.log": "from a", "pods/default_b/hub/0.log": "from b",
	} {
		if text, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(to, "*", "*.key")); len(found) > 0 {
		t.Errorf("copied too: %s", found)
	}
}

func TestTreesAreRemovedFromTheBottom(t *testing.T) {
	root := filepath.Join(t.TempDir(), "tree")
	if err := os.MkdirAll(filepath.Join(root, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing
		if err := removeTree(root); err != nil {
			t.Fatal(err)
		}
	}
	if exists(root) {
		t.Error("it is still there")
	}
}

func TestProcessesOfAPod(t *testing.T) {
	top := t.TempDir()
	for name, text := range map[string]string{
		"node1/kubepods/pod1-a/c1/cgroup.procs":           "12\n13\n",
		"node1/kubepods/burstable/pod1-a/c2/cgroup.procs": "14\n",
		"node1/kubepods/pod1-ab/c3/cgroup.procs":          "15\n",
		"node1/kubepods/pod1-a/c1/tasks":                  "16\n",
	} {
		name = filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	pids, err := podProcesses(top, "1-a")
	slices.Sort(pids)
	if err != nil || !slices.Equal(pids, []int{12, 13, 14}) {
		t.Errorf("%v, %v", pids, err)
	}
}
