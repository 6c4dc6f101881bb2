package natsserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const module = "github.com/nats-io/nats-server/v2"

// build builds the server of the version in go.mod. It is kept among the user's
// cached files, as linking it takes seconds.
func build() (string, error) {
	version, err := output("go", "list", "-m", "-f", "{{.Version}}", module)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "gohub-test")
	program := filepath.Join(dir, fmt.Sprintf("nats-server-%s-%s", version, runtime.Version()))
	if _, err := os.Stat(program); !errors.Is(err, fs.ErrNotExist) {
		return program, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	own, err := os.MkdirTemp(dir, "build")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(own) }()
	built := filepath.Join(own, "nats-server")
	if _, err := output("go", "build", "-o", built, module); err != nil {
		return "", err
	}
	// At once, as other test binaries may do the same.
	return program, os.Rename(built, program)
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// Program returns the path of a nats-server of the version in go.mod.
func Program(t testing.TB) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatalf("build nats-server: %v", err)
	}
	return program
}
