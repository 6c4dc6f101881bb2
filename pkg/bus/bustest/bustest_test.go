package bustest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

// mutantKey is the environment variable that names the mutant which this binary is
// to test instead of a sound driver.
const mutantKey = "GOHUB_BUSTEST_MUTANT"

// TestDriver runs the suite against a driver that is sound, or is the mutant of the
// environment.
func TestDriver(t *testing.T) {
	name := os.Getenv(mutantKey)
	for _, m := range mutants() {
		if m.name == name {
			bustest.Run(t, harness(memory.NewBroker(), m.options, m.spoil))
			return
		}
	}
	bustest.Run(t, harness(memory.NewBroker(), nil, nil))
}

// TestMutants has this binary run itself with every mutant: the subtest that is
// made for its fault must fail. Most of the time they wait for what does not come,
// so many run at once.
func TestMutants(t *testing.T) {
	if os.Getenv(mutantKey) != "" {
		return
	}
	slots := make(chan struct{}, 8)
	runs := map[string]func() (string, error){}
	for _, m := range mutants() {
		runs[m.name] = start(t, m, slots)
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			out, err := runs[m.name]()
			if err == nil {
				t.Fatalf("was not caught:\n%s", out)
			}
			name := "TestDriver/" + strings.TrimSuffix(m.caught, "$")
			failed := strings.Contains(out, "FAIL: "+name)
			late := strings.Contains(out, "timed out") && strings.Contains(out, "=== RUN   "+name)
			if !failed && !late {
				t.Errorf("did not fail in %s:\n%.4000s", name, out)
			}
		})
	}
}

// start runs a mutant when there is a slot, and returns a function that waits for
// what it wrote and whether it failed.
func start(t *testing.T, m mutant, slots chan struct{}) func() (string, error) {
	run := "-test.run=^TestDriver$/" + strings.ReplaceAll("^"+m.caught, "/", "/^")
	cmd := exec.CommandContext(t.Context(), os.Args[0], run, "-test.timeout=8s", "-test.v")
	cmd.Env = append(os.Environ(), mutantKey+"="+m.name)
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		slots <- struct{}{}
		defer func() { <-slots }()
		out, err = cmd.CombinedOutput()
	}()
	return func() (string, error) {
		<-done
		return string(out), err
	}
}
