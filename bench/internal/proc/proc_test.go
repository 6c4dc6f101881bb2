package proc_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/bench/internal/proc"
)

func TestReadSelf(t *testing.T) {
	u, err := proc.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.RSS < 1<<20 || u.Anon <= 0 || u.Anon > u.RSS || u.FDs < 3 || u.CPU < u.User {
		t.Fatalf("implausible reading of this process: %+v", u)
	}
	if _, err := proc.Read(1 << 30); err == nil {
		t.Fatal("a process that cannot exist was read")
	}
}

func TestMachine(t *testing.T) {
	if m := proc.Machine(); !strings.Contains(m, "Linux") || strings.Contains(m, "\n") {
		t.Fatalf("machine line %q", m)
	}
}
