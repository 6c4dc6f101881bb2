// Package peer finds and runs the programs that tests talk to and that are no part of
// Go. At the desk a missing one skips its test by name; where CI=true it fails.
package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// How to get what is missing, in an error or a skip.
const install = "hack/test-deps.sh installs it"

// Program returns the path of an executable, by name or path.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// Module checks that a package of npm is installed in the folder dir.
func Module(t testing.TB, dir, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", name, "package.json")); err != nil {
		missing(t, "npm package "+name)
	}
}

// Python returns the path of the system's Python, which must have a module. A
// Python of the user's own does not see the distribution's modules.
func Python(t testing.TB, module string) string {
	t.Helper()
	path := Program(t, "/usr/bin/python3")
	if err := exec.CommandContext(t.Context(), path, "-c", "import "+module).Run(); err != nil {
		missing(t, "Python module "+module)
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing peer: %s; %s", what, install)
	}
	t.Skipf("missing peer: %s; %s", what, install)
}
