package server_test

import (
	"flag"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

var engine = flag.String("engine", string(server.EngineAuto), "engine under test: auto or goroutine")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server with the engine under test.
func start(t testing.TB, opts server.Options, setup ...func(*server.Server)) *hubtest.Server {
	t.Helper()
	opts.Engine = server.Engine(*engine)
	return hubtest.NewServer(t, &opts, setup...)
}

// eventually waits until ok says yes, for what others do in their own time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hubtest.Timeout); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", hubtest.Timeout, what)
		}
	}
}
