package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// kind is a kind of fault.
type kind string

// The kinds of faults.
const (
	hubKill   kind = "hub killed"
	hubStop   kind = "hub stopped"
	hubDrain  kind = "hub drained"
	hubEnd    kind = "hub restarted"
	rolling   kind = "hubs restarted in turn"
	busKill   kind = "bus killed"
	busPause  kind = "bus paused"
	busEmpty  kind = "bus emptied"
	partition kind = "hub cut off from the bus"
	split     kind = "bus split"
	storm     kind = "storm of joins and leaves"
)

// fault is one that is to happen.
type fault struct {
	kind   kind
	target int           // hub or broker
	at     time.Duration // from the begin of the schedule
	length time.Duration
	hold   bool // packets are held, and not refused
}

func (f fault) String() string {
	return fmt.Sprintf("%v %s %d for %v", f.at.Round(time.Millisecond), f.kind, f.target, f.length.Round(time.Millisecond))
}

// possible are the kinds of faults of a bus, a common one several times.
func possible(bus string, brokers int) []kind {
	kinds := []kind{hubKill, hubKill, hubStop, hubStop, hubDrain, hubEnd, rolling, storm}
	if bus != "embedded" {
		kinds = append(kinds, busKill, busKill, busPause, busPause, partition, partition)
	}
	if bus == "jetstream" && brokers == 1 || bus == "redis" {
		kinds = append(kinds, busEmpty)
	}
	if bus == "embedded" || brokers > 1 {
		kinds = append(kinds, split, split, split)
	}
	return kinds
}

// schedule draws what happens within a time. Faults overlap now and then; one
// hub or broker has one at a time.
func schedule(r *rand.Rand, bus string, hubs, brokers int, within time.Duration) []fault {
	kinds := possible(bus, brokers)
	var faults []fault
	for at := between(r, 500*time.Millisecond, 2*time.Second); at < within; {
		f := fault{kind: kinds[r.IntN(len(kinds))], at: at, length: between(r, 200*time.Millisecond, 5*time.Second), hold: r.IntN(2) == 0}
		switch f.kind {
		case busKill, busPause, busEmpty, split:
			f.target = r.IntN(max(brokers, 1))
			if bus == "embedded" {
				f.target = r.IntN(hubs)
			}
		default:
			f.target = r.IntN(hubs)
		}
		faults = append(faults, f)
		pause := between(r, 200*time.Millisecond, 3*time.Second)
		if r.IntN(4) > 0 {
			pause += f.length
		}
		at += pause
	}
	return faults
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

func TestScheduleIsDrawnFromTheSeed(t *testing.T) {
	draw := func(seed uint64) []fault {
		return schedule(rand.New(rand.NewPCG(seed, 0)), "jetstream", 4, 3, time.Minute)
	}
	if !slices.Equal(draw(1), draw(1)) {
		t.Error("the same seed gives another schedule")
	}
	if slices.Equal(draw(1), draw(2)) {
		t.Error("another seed gives the same schedule")
	}
}

func TestScheduleHasAllFaults(t *testing.T) {
	for _, test := range []struct {
		bus     string
		brokers int
	}{{"nats", 1}, {"nats", 3}, {"jetstream", 1}, {"jetstream", 3}, {"redis", 1}, {"embedded", 0}} {
		missing := make(map[kind]bool)
		for _, k := range possible(test.bus, test.brokers) {
			missing[k] = true
		}
		for seed := range uint64(20) {
			last := time.Duration(-1)
			for _, f := range schedule(rand.New(rand.NewPCG(seed, 0)), test.bus, 3, test.brokers, 20*time.Second) {
				delete(missing, f.kind)
				if f.at <= last || f.target >= max(3, test.brokers) {
					t.Errorf("%v after %v", f, last)
				}
				last = f.at
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s: never drawn: %v", test.bus, missing)
		}
	}
}
