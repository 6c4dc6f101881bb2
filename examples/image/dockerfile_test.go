package main

import (
	"bufio"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestDockerfile runs the Dockerfile's own build command, and what it builds,
// without a container: an image from scratch has no loader and no libraries.
func TestDockerfile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux")
	}
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := find(t, text, `(?m)^RUN (.*go build.*)$`)
	user, err := strconv.Atoi(find(t, text, `(?m)^USER (\d+):\d+$`))
	if err != nil || user == 0 {
		t.Errorf("USER %d: %v; want a number that is not root", user, err)
	}
	if from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllSubmatch(text, -1); string(from[len(from)-1][1]) != "scratch" {
		t.Errorf("the image is built from %s", from[len(from)-1][1])
	}

	binary := filepath.Join(t.TempDir(), "hub")
	cmd := exec.Command("sh", "-c", strings.Replace(build, "-o /hub", "-buildvcs=false -o "+binary, 1))
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static: it asks for a loader")
		}
	}
	runImage(t, binary)
}

// find returns what the pattern's group matches in the Dockerfile.
func find(t *testing.T, text []byte, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		t.Fatalf("the Dockerfile has no line like %s", pattern)
	}
	return string(m[1])
}

// runImage starts the program with nothing in its environment but settings of
// the hub, as a container does, until it listens.
func runImage(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = []string{"GOHUB_ADDRESS=127.0.0.1:0"}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var log strings.Builder
	for scan := bufio.NewScanner(out); scan.Scan(); {
		log.WriteString(scan.Text() + "\n")
		if strings.Contains(scan.Text(), "hub listens") {
			return
		}
	}
	t.Errorf("the program did not listen:\n%s", log.String())
}
