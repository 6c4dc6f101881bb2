package conformance

import (
	"fmt"
	"slices"
	"time"
)

// verdict is how strictly the hub keeps to the RFC in one case.
type verdict string

const (
	strict        verdict = "strict"
	nonStrict     verdict = "non-strict"
	informational verdict = "informational"
	failed        verdict = "failed"
)

// longPause is the shortest pause in which a case waits to see whether the hub
// acts. Shorter ones only spread octets over time.
const longPause = 900 * time.Millisecond

// replay plays a case against the echo at addr. The words say why it failed.
func replay(addr string, v vector) (verdict, string) {
	p, err := dial(addr)
	if err != nil {
		return failed, err.Error()
	}
	defer p.close()
	hubFirst := p.play(v)
	p.wait(patience, func() bool { return false })
	if v.Behavior == "INFORMATIONAL" {
		return informational, ""
	}
	if p.violation != "" {
		return failed, "the hub sent " + p.violation
	}
	if problem := p.closeProblem(v, hubFirst); problem != "" {
		return failed, problem
	}
	switch {
	case slices.Equal(p.events, v.Expect["OK"]):
		return strict, ""
	case v.Expect["NON-STRICT"] != nil && slices.Equal(p.events, v.Expect["NON-STRICT"]):
		return nonStrict, ""
	default:
		return failed, fmt.Sprintf("got %.400v, want %.400v", p.events, v.Expect["OK"])
	}
}

// play writes the steps at their times, and tells whether the hub closed
// before the client did. A pause ends early when the hub has closed, and the
// client's ordinary close waits for what the case expects.
func (p *peer) play(v vector) (hubFirst bool) {
	var now time.Duration
	for i, s := range v.Steps {
		if gap := s.at - now; gap > 0 {
			p.wait(gap, p.over)
			p.noteTimeout(v, gap)
			now = s.at
		}
		if !v.SuppressClose && i == len(v.Steps)-1 {
			p.wait(patience, func() bool {
				return p.over() || v.ExpectClose.ClosedByMe && len(p.events) >= len(v.Expect["OK"])
			})
			hubFirst = p.over()
		}
		if _, err := p.nc.Write(s.data); err != nil {
			break // the hub has gone: what it sent is still to be read
		}
	}
	return hubFirst
}

// noteTimeout notes that the connection outlived a long pause, in a case that
// looks at that.
func (p *peer) noteTimeout(v vector, gap time.Duration) {
	isTimeout := func(e event) bool { return e.kind == "timeout" }
	if gap < longPause || p.over() || !slices.ContainsFunc(v.Expect["OK"], isTimeout) {
		return
	}
	name := 'A'
	for _, e := range p.events {
		if isTimeout(e) {
			name++
		}
	}
	p.events = append(p.events, event{kind: "timeout", data: string(name)})
}

// closeProblem says what is wrong with how the connection ended, "" for
// nothing. More than the cases ask for, a close that the hub starts needs a
// close frame: GoHub never just hangs up.
func (p *peer) closeProblem(v vector, hubFirst bool) string {
	want := v.ExpectClose
	switch {
	case p.broken != nil:
		return fmt.Sprintf("the connection broke: %v", p.broken)
	case !p.ended:
		return "the hub kept the connection"
	case want.ClosedByMe && hubFirst:
		return fmt.Sprintf("the hub closed first, with code %d", p.closeCode)
	case !want.ClosedByMe && !hubFirst:
		return "the hub did not close"
	case p.closeCode == noClose && (want.RequireClean || hubFirst):
		return "no close frame"
	case p.closeCode != noClose && p.closeCode != noStatus && !slices.Contains(want.CloseCode, p.closeCode):
		return fmt.Sprintf("close code %d, want one of %v", p.closeCode, want.CloseCode)
	}
	return ""
}
