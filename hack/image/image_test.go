package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/hack/image/oci"
)

// Two builds of one commit in different folders at different times give the same
// bytes. What is built is the hub, as a small program might hide a difference.
func TestTwoBuildsAreIdentical(t *testing.T) {
	checkouts := []string{checkout(t), checkout(t)}
	var archives [][]byte
	for _, dir := range checkouts {
		t.Chdir(dir)
		out := t.TempDir()
		var stdout bytes.Buffer
		err := run(t.Context(), []string{"-version", "v1.2.3+test", "-out", out, "-tags", "e2e,latest", "./cmd/hub"}, &stdout, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(out, "gohub-hub-v1.2.3+test.tar")
		if want := file + " ghcr.io/chenxilol/gohub-hub:e2e ghcr.io/chenxilol/gohub-hub:latest\n"; stdout.String() != want {
			t.Errorf("printed %q, want %q", stdout.String(), want)
		}
		archive, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, archive)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Errorf("two builds differ: %d and %d bytes", len(archives[0]), len(archives[1]))
	}
}

// checkout makes a repository of one commit, always the same, of the files as
// they are now.
func checkout(t *testing.T) string {
	t.Helper()
	top := git(t, ".", "rev-parse", "--show-toplevel")
	dir := t.TempDir()
	for name := range strings.SplitSeq(git(t, top, "ls-files", "-co", "--exclude-standard"), "\n") {
		content, err := os.ReadFile(filepath.Join(top, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	git(t, dir, "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "--no-gpg-sign", "-m", "test")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	const when = "2026-01-02T03:04:05Z"
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// An image from nothing has no loader and no libraries, so the program must need
// none. It says nothing of the folder it was built in.
func TestProgramIsStatic(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1") // which the build must not follow
	content, err := program{pkg: "github.com/chenxilol/gohub/cmd/hub", name: "hub"}.build(t.Context(), oci.Platform{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("libraries: %q, %v", libraries, err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("it needs a loader")
		}
	}
	if bytes.Contains(content, []byte(git(t, ".", "rev-parse", "--show-toplevel")+"/")) {
		t.Error("it names the folder of its sources")
	}
}

func TestAuthoritiesAreCertificates(t *testing.T) {
	text := authorities()
	count := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		count++
	}
	if count < 50 || !x509.NewCertPool().AppendCertsFromPEM(text) {
		t.Errorf("%d authorities", count)
	}
}

func TestBadArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-platforms", "linux"}, `-platforms: platform "linux": want OS/ARCH`},
		{[]string{"-version", "a/b"}, `-version "a/b": want no slash`},
		{[]string{"./oci"}, "no program in ./oci"},
	} {
		err := run(context.Background(), tt.args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
	}
}
