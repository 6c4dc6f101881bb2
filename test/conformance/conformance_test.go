package conformance

import (
	"context"
	"flag"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/server"
)

// Every test runs over the engine named here. CI runs this binary once for
// each and compares the lists of test names.
var engine = flag.String("engine", string(server.EngineAuto), "engine under test: auto or goroutine")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const (
	cases      = 247
	wantStrict = 243 // of the 244 that have a verdict
	// largestMessage is that of case 7.1.6.
	largestMessage = 256 << 10
)

// TestRFC6455 replays all cases at once, and then judges them one by one.
func TestRFC6455(t *testing.T) {
	vectors, err := loadVectors("testdata/vectors.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(vectors) != cases {
		t.Fatalf("%d cases, want %d", len(vectors), cases)
	}
	opts := &server.Options{Engine: server.Engine(*engine), MaxMessageSize: largestMessage}
	srv := hubtest.NewServer(t, opts, func(s *server.Server) {
		s.HandleRaw(func(_ context.Context, c *hub.Client, f hub.Frame) error { return c.Send(f) })
	})
	addr := strings.TrimPrefix(srv.URL("ws"), "ws://")

	verdicts, problems := make([]verdict, cases), make([]string, cases)
	var all sync.WaitGroup
	for i, v := range vectors {
		all.Go(func() { verdicts[i], problems[i] = replay(addr, v) })
	}
	all.Wait()

	tally := map[verdict]int{}
	for i, v := range vectors {
		tally[verdicts[i]]++
		t.Run(v.ID, func(t *testing.T) {
			if verdicts[i] == failed {
				t.Error(problems[i])
			}
		})
	}
	t.Logf("RFC 6455: %d strict, %d non-strict, %d informational, %d failed",
		tally[strict], tally[nonStrict], tally[informational], tally[failed])
	if tally[failed] > 0 || tally[strict] < wantStrict {
		t.Errorf("want none failed and at least %d strict", wantStrict)
	}
}
