package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Process is a running program that answers each line of JSON on its standard
// input with one on its standard output, and ends with its input. Its methods
// are called one at a time; what goes wrong ends the test.
type Process struct {
	name   string
	in     io.Writer
	out    *json.Decoder
	stderr bytes.Buffer
}

// Start runs a program until the test ends, at the latest until ctx does; name
// is for messages.
func Start(ctx context.Context, t testing.TB, name, program string, args ...string) *Process {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second // where killing does not end its output
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1")
	p := &Process{name: name}
	cmd.Stderr = &p.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	p.in, p.out = in, json.NewDecoder(out)
	t.Cleanup(func() {
		_ = in.Close() // makes it end
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, p.stderr.Bytes())
		}
	})
	return p
}

// Call sends a request, what being its name in messages, and reads the reply.
func (p *Process) Call(t testing.TB, what string, request, reply any) {
	t.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%s: %s: %v", p.name, what, err)
	}
	if err := p.out.Decode(reply); err != nil {
		t.Fatalf("%s: %s: %v", p.name, what, err)
	}
}
