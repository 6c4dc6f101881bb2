package chaos_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/chaos/history"
)

var (
	seedsFlag    = flag.Int("chaos.seeds", 0, "number of runs; 0 is one short run on each bus")
	firstFlag    = flag.Uint64("chaos.first", 1, "seed of the first run")
	durationFlag = flag.Duration("chaos.duration", 20*time.Second, "how long faults are injected in each run")
	clientsFlag  = flag.Int("chaos.clients", 200, "clients in each run")
	busFlag      = flag.String("chaos.bus", strings.Join(busKinds, ","), "buses that the runs take in turn")
	keepFlag     = flag.String("chaos.keep", "", "new folder that keeps the record and the hubs' logs of runs that fail")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if address := os.Getenv(crowdEnviron); address != "" {
		if err := beClients(address, *clientsFlag); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if !given("test.parallel") { // clusters wait more than they compute
		_ = flag.Set("test.parallel", "4")
	}
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildsDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// given tells whether a flag was set on the command line.
func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// TestChaos breaks clusters, and checks what their clients were told.
func TestChaos(t *testing.T) {
	buses := strings.Split(*busFlag, ",")
	seeds, duration, clients := *seedsFlag, *durationFlag, *clientsFlag
	if seeds == 0 {
		seeds, duration, clients = len(buses), 8*time.Second, 60
	}
	total := new(tally)
	t.Cleanup(func() { total.print(t) })
	for i := range seeds {
		seed := *firstFlag + uint64(i)
		bus := buses[i%len(buses)]
		t.Run(fmt.Sprintf("%s/%d", bus, seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			s := size{hubs: 3 + r.IntN(3), brokers: 1, clients: clients, publishEvery: 100 * time.Millisecond, slow: []string{"close", "drop"}[r.IntN(2)]}
			if *seedsFlag == 0 {
				s.hubs = 3
			} else if (bus == "nats" || bus == "jetstream") && r.IntN(3) == 0 {
				s.brokers = 3
			}
			var faults []fault
			if seed%8 != 0 { // else it is calm: no fault excuses a gap
				faults = schedule(r, bus, s.hubs, s.brokers, duration)
			}
			w := newWorld(t, bus, s)
			w.populate(s.clients, seed, mixed...)
			pause(w.alive, time.Second)
			begin := w.now()
			w.inject(faults)
			pause(w.alive, duration-(w.now()-begin))
			h := w.finish()
			report := history.Check(h)
			w.tell(report, faults)
			total.add(report)
		})
	}
}

// tell prints what a run came to, and fails the test where something is broken.
func (w *world) tell(r *history.Report, faults []fault) {
	t := w.t
	t.Logf("%d hubs, %d sessions, %d publishes, %d deliveries checked, %d of %d owed made up for by gaps; gaps %d during faults, %d outside (%.2f of %.0f room-seconds); faults: %s; clients: %s",
		len(w.hubs), len(w.history.Sessions), len(w.history.Publishes), r.Deliveries, r.Excused, r.Owed,
		r.GapsInside, r.GapsOutside, r.GapSeconds, r.RoomSeconds, list(r.Faults), w.counted())
	for _, v := range r.Violations {
		t.Errorf("%v", v)
	}
	if len(r.Violations) == 0 {
		return
	}
	for p, n := range r.Broken {
		t.Logf("%s: %d violations", p, n)
	}
	for _, f := range w.history.Faults {
		t.Logf("%v to %v: %s %v", f.Begin.Round(time.Millisecond), f.End.Round(time.Millisecond), f.Kind, f.Nodes)
	}
}

// keep keeps the record and the hubs' logs of a test that has failed, where that is asked for.
func (w *world) keep() {
	if !w.t.Failed() || *keepFlag == "" {
		return
	}
	dir := filepath.Join(*keepFlag, strings.ReplaceAll(w.t.Name(), "/", "-"))
	record, err := json.Marshal(w.history)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.logs, "history.json"), record, 0o600)
	}
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(w.logs))
	}
	if err != nil {
		w.t.Logf("not kept: %v", err)
	}
}

// tally sums up what all runs came to.
type tally struct {
	mu         sync.Mutex // guards all below
	runs       int
	report     history.Report
	violations int
}

func (x *tally) add(r *history.Report) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.runs++
	x.report.Deliveries += r.Deliveries
	x.report.Owed += r.Owed
	x.report.Excused += r.Excused
	x.report.GapsInside += r.GapsInside
	x.report.GapsOutside += r.GapsOutside
	x.report.RoomSeconds += r.RoomSeconds
	x.report.GapSeconds += r.GapSeconds
	if x.report.Faults == nil {
		x.report.Faults = make(map[string]int)
	}
	for k, n := range r.Faults {
		x.report.Faults[k] += n
	}
	for _, n := range r.Broken {
		x.violations += n
	}
}

func (x *tally) print(t *testing.T) {
	r := &x.report
	fmt.Printf("chaos: %d runs, %d deliveries checked, faults injected: %s; gaps announced: %d during faults, %d outside (%.2f%% of room-seconds), for %d of %d deliveries owed; %d violations\n",
		x.runs, r.Deliveries, list(r.Faults), r.GapsInside, r.GapsOutside, 100*r.GapSeconds/max(r.RoomSeconds, 1), r.Excused, r.Owed, x.violations)
}
