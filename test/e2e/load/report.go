package load

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/test/chaos/history"
)

const (
	closeAbnormal = 1006 // RFC 6455, section 7.4.1: there was no close frame
	closeRestart  = 1012
)

// tally counts what is no part of the history.
type tally struct {
	refusals  map[string]int // of handshakes
	errors    map[string]int // of publishes
	surprises []string       // the first ones
	surprised int
}

func newTally() tally { return tally{refusals: map[string]int{}, errors: map[string]int{}} }

// mostSurprises bounds those that are told word by word.
const mostSurprises = 20

func (l *Load) surprise(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.surprised++
	if len(l.tally.surprises) < mostSurprises {
		l.tally.surprises = append(l.tally.surprises, fmt.Sprintf("%v %s", l.Now().Round(time.Millisecond), text))
	}
}

// noAnswer is the kind of a handshake that nobody answered.
const noAnswer = "no answer"

func (l *Load) retrying(e client.Retrying) {
	kind := noAnswer
	if refused, ok := errors.AsType[*client.RefusedError](e.Err); ok {
		kind = fmt.Sprintf("HTTP %d", refused.Status)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.refusals[kind]++
}

func (t *tally) publish(_ history.Publish, err error) {
	if err != nil {
		t.errors[err.Error()]++
	}
}

// window is a part of the record.
type window struct{ begin, end time.Duration }

// Report is the judgement on a load, and its figures.
type Report struct {
	*history.Report
	History *history.History // what was judged

	Clients      int
	Acknowledged int // publishes
	Refused      int
	Unknown      int
	Rate         float64       // acknowledged a second, while it was published
	LeastRate    int           // of a whole second
	Slow         int           // whole seconds with less than 500
	Median, P99  time.Duration // from a publish to its acknowledgement

	Closes        map[int]int // by code, of the hubs' doing
	Late          int         // clients that went by themselves, behind their slot
	Early         int         // that were closed a little before, as they read of it late
	Told          int         // of those with 1012, told before
	Reconnects    int
	MostPerSecond int // reconnects
	LeastHeld     int // connections at any moment from the publishing's begin
	// Dropped are connections that ended though their hub was not in a fault of
	// its own, such as a drain.
	Dropped      int
	NotRecovered int            // joins after a reconnect that the history could not serve
	Refusals     map[string]int // of handshakes, by kind
	Denied       int            // of those, for their token
	Errors       map[string]int // of publishes
	Surprises    []string       // things that no client should see, the first ones
	Surprised    int            // all of them
}

// slowRate is the number of acknowledged publishes below which a second counts
// as slow.
const slowRate = 500

// readLate is how late a client may read of its slot: this process has thousands
// of them, on a machine that it shares with the hubs.
const readLate = 3 * time.Second

// excuseEarly shortens the slots of clients that were closed a little before them,
// and counts them.
func excuseEarly(h *history.History) int {
	early := 0
	for _, s := range h.Sessions {
		var told *history.Event
		for i, e := range s.Events {
			switch {
			case e.Kind == history.Reconnect:
				told = &s.Events[i]
			case e.Kind == history.Closed && told != nil && e.At < told.At+told.After && e.At > told.At+told.After-readLate:
				told.After = max(0, e.At-told.At)
				early++
			}
		}
	}
	return early
}

func newReport(h *history.History, t tally, publishing window) *Report {
	early := excuseEarly(h)
	r := &Report{
		Early: early, Report: history.Check(h), History: h, Closes: map[int]int{},
		Refusals: t.refusals, Errors: t.errors, Surprises: t.surprises, Surprised: t.surprised,
		Denied: t.refusals["HTTP 401"] + t.refusals["HTTP 403"],
	}
	r.countPublishes(h, publishing)
	r.countSessions(h)
	r.countHeld(h, publishing.begin)
	return r
}

func (r *Report) countPublishes(h *history.History, publishing window) {
	seconds := make([]int, int((publishing.end-publishing.begin)/time.Second))
	var took []time.Duration
	for _, p := range h.Publishes {
		switch p.Outcome {
		case history.Refused:
			r.Refused++
		case history.Unknown:
			r.Unknown++
		case history.Sent:
			r.Acknowledged++
			took = append(took, p.End-p.Begin)
			if n := int((p.End - publishing.begin) / time.Second); n >= 0 && n < len(seconds) {
				seconds[n]++
			}
		}
	}
	if len(took) == 0 {
		return
	}
	r.Rate = float64(r.Acknowledged) / (publishing.end - publishing.begin).Seconds()
	slices.Sort(took)
	r.Median, r.P99 = took[len(took)/2], took[len(took)*99/100]
	if len(seconds) == 0 {
		return
	}
	r.LeastRate = slices.Min(seconds)
	for _, n := range seconds {
		if n < slowRate {
			r.Slow++
		}
	}
}

func (r *Report) countSessions(h *history.History) {
	clients := map[string]bool{}
	again := map[time.Duration]int{}
	for _, s := range h.Sessions {
		if clients[s.Client] {
			r.Reconnects++
			again[s.Opened.Truncate(time.Second)]++
		}
		clients[s.Client] = true
		told, left := false, false
		for _, e := range s.Events {
			switch {
			case e.Kind == history.Reconnect:
				told = true
			case e.Kind == history.Joined && e.Resumed == history.NotRecovered:
				r.NotRecovered++
			case e.Kind == history.Hangup:
				left = true
			case e.Kind == history.Closed && left:
				r.Late++
			case e.Kind == history.Closed:
				r.Closes[e.Code]++
				if told && e.Code == closeRestart {
					r.Told++
				}
				if !excused(h.Faults, s.Node, e.At) {
					r.Dropped++
				}
			}
		}
	}
	r.Clients = len(clients)
	for _, n := range again {
		r.MostPerSecond = max(r.MostPerSecond, n)
	}
}

// noticing is how much later than it happened a client, or who records a fault,
// may learn of it.
const noticing = time.Second

// excused tells whether a hub had a reason of its own to lose a connection.
func excused(faults []history.Fault, node string, at time.Duration) bool {
	return slices.ContainsFunc(faults, func(f history.Fault) bool {
		return (f.Drain || f.Killed) && f.Touches(node) && f.Begin-noticing <= at && at <= f.End+noticing
	})
}

// countHeld finds the moment with the fewest connections.
func (r *Report) countHeld(h *history.History, from time.Duration) {
	type step struct {
		at time.Duration
		by int
	}
	var steps []step
	for _, s := range h.Sessions {
		steps = append(steps, step{s.Opened, 1})
		for _, e := range s.Events {
			if e.Kind == history.Closed || e.Kind == history.Hangup {
				steps = append(steps, step{e.At, -1})
				break
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	held, least := 0, -1
	for _, s := range steps {
		if s.at >= from && (least < 0 || held < least) {
			least = held
		}
		held += s.by
	}
	if least < 0 || held < least {
		least = held
	}
	r.LeastHeld = least
}

// String is the figures, for a log.
func (r *Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%d clients; acknowledged %d publishes, %.0f/s (slowest second %d, %d below %d/s), p50 %v, p99 %v; refused %d, unknown %d",
		r.Clients, r.Acknowledged, r.Rate, r.LeastRate, r.Slow, slowRate, r.Median.Round(100*time.Microsecond), r.P99.Round(time.Millisecond), r.Refused, r.Unknown)
	line("deliveries: %d checked, %d owed, %d excused by a gap told; gaps told %d; not recovered %d", r.Deliveries, r.Owed, r.Excused, r.GapsInside+r.GapsOutside, r.NotRecovered)
	line("violations: %d %v", len(r.Violations), r.Broken)
	line("connections: closes by code %v (told before: %d), behind their slot %d, a little before it %d, reconnects %d, at most %d/s, least connected %d, dropped by hubs that should not: %d",
		r.Closes, r.Told, r.Late, r.Early, r.Reconnects, r.MostPerSecond, r.LeastHeld, r.Dropped)
	line("handshakes refused: %v, for their token: %d", r.Refusals, r.Denied)
	for _, text := range slices.Sorted(maps.Keys(r.Errors)) {
		line("publish failed %d times: %s", r.Errors[text], text)
	}
	for _, v := range r.Violations {
		line("VIOLATION %v", v)
	}
	for _, s := range r.Surprises {
		line("SURPRISE %s", s)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Problems are what must not be in any load, whatever was done to the hubs.
func (r *Report) Problems() []string {
	var found []string
	report := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	for _, v := range r.Violations {
		report(true, "%v", v)
	}
	report(r.Owed == 0, "nothing was delivered")
	report(r.Excused > 0, "%d acknowledged messages of rooms with a history never came, though that was told", r.Excused)
	report(r.NotRecovered > 0, "%d resumes were not served", r.NotRecovered)
	report(r.Dropped > 0, "%d connections were dropped by hubs that nothing was done to", r.Dropped)
	report(r.Denied > 0, "%d unexpired tokens were refused", r.Denied)
	report(r.Surprised > 0, "%d things that no client should see, such as %q", r.Surprised, r.Surprises)
	return found
}

// Unannounced are connections that ended without their close frame or their
// notice, which only a hub that was killed may do.
func (r *Report) Unannounced() int {
	n := 0
	for code, closes := range r.Closes {
		if code != closeRestart {
			n += closes
		}
	}
	return n + r.Closes[closeRestart] - r.Told
}
