package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/chaos/history"
)

const ms = time.Millisecond

// at is a time of a history, in seconds.
func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// id is the n-th message of the publisher of these tests.
func id(n int) history.ID { return history.ID{Publisher: "p", Seq: uint64(n)} }

// position is the n-th position of a history.
func position(n int) string { return fmt.Sprint("e:", n) }

const (
	inRoom   = 1  // index of room_joined of "plain" in the events of a session
	messages = 4  // index of the first message of "plain"
	entries  = 14 // of "log"
	each     = 10 // messages of each room
)

// good is the history of a run in which all went well: p on node 1 publishes
// into a room and a history, a on node 1 and b and c on node 2 hear it, b comes
// again behind a drain and c, whose token ends, leaves.
func good() *history.History {
	h := &history.History{
		End: at(100),
		Rooms: map[string]history.Room{
			"log": {History: true}, "few": {Max: 2},
		},
	}
	for i := 1; i <= each; i++ {
		begin := at(float64(i))
		h.Publishes = append(h.Publishes,
			history.Publish{ID: id(i), Client: "p", Node: "1", Room: "plain", Begin: begin, End: begin + ms, Attempts: 1, Outcome: history.Sent, Scope: "cluster"},
			history.Publish{ID: id(100 + i), Client: "p", Node: "1", Room: "log", Begin: begin, End: begin + ms, Attempts: 1, Outcome: history.Sent, Scope: "cluster", Position: position(i)},
		)
	}
	a := session("a", "1")
	b := session("b", "2")
	c := session("c", "2")
	a.Events = append(a.Events, history.Event{Kind: history.DirectIn, At: at(20), ID: id(900)})
	h.Directs = []history.Direct{{ID: id(900), Target: "a", Begin: at(20), End: at(20) + ms, Outcome: history.Sent}}
	b.Events = append(b.Events,
		history.Event{Kind: history.Reconnect, At: at(30), After: at(2)},
		history.Event{Kind: history.Closed, At: at(32), Code: 1012},
	)
	h.Faults = []history.Fault{{Kind: "drain", Nodes: []string{"2"}, Begin: at(29), End: at(34), Drain: true}}
	c.TokenEnd = at(60)
	c.Events = append(c.Events, history.Event{Kind: history.Closed, At: at(60.5), Code: 4001})
	// While b is away something is added to the history.
	h.Publishes = append(h.Publishes, history.Publish{
		ID: id(111), Client: "p", Node: "1", Room: "log", Begin: at(33), End: at(33) + ms, Attempts: 1,
		Outcome: history.Sent, Scope: "cluster", Position: position(11),
	})
	last := history.Event{Kind: history.Received, At: at(33), Room: "log", ID: id(111), Sender: "p", Position: position(11), Prev: position(10)}
	a.Events = append(a.Events, last)
	c.Events = slices.Insert(c.Events, len(c.Events)-1, last)
	last.At = at(35)
	again := &history.Session{Client: "b", Node: "1", V1: true, Opened: at(34), Events: []history.Event{
		{Kind: history.JoinSent, At: at(34), Room: "log", Position: position(10)},
		{Kind: history.Joined, At: at(35), Room: "log", Position: position(11), Resumed: history.Recovered},
		last,
	}}
	h.Sessions = []*history.Session{a, b, c, again, few("x", 0, 50), few("y", 0, 100), few("z", 51, 100)}
	for _, node := range []string{"1", "2"} {
		h.Lists = append(h.Lists,
			history.MemberList{Node: node, Room: "plain", Members: []string{"a"}},
			history.MemberList{Node: node, Room: "log", Members: []string{"a", "b"}},
			history.MemberList{Node: node, Room: "few", Members: []string{"y", "z"}},
		)
	}
	return h
}

// session is one that hears all of both rooms.
func session(client, node string) *history.Session {
	s := &history.Session{Client: client, Node: node, V1: true, Events: []history.Event{
		{Kind: history.JoinSent, Room: "plain"},
		{Kind: history.Joined, At: ms, Room: "plain"},
		{Kind: history.JoinSent, At: ms, Room: "log"},
		{Kind: history.Joined, At: 2 * ms, Room: "log", Position: position(0)},
	}}
	for i := 1; i <= each; i++ {
		s.Events = append(s.Events, history.Event{Kind: history.Received, At: at(float64(i)) + ms, Room: "plain", ID: id(i), Sender: "p"})
	}
	for i := 1; i <= each; i++ {
		s.Events = append(s.Events, history.Event{
			Kind: history.Received, At: at(float64(i)) + ms, Room: "log", ID: id(100 + i), Sender: "p", Position: position(i), Prev: position(i - 1),
		})
	}
	return s
}

// few is a session in the room with a limit.
func few(client string, from, to float64) *history.Session {
	s := &history.Session{Client: client, Node: "1", V1: true, Opened: at(from), Events: []history.Event{
		{Kind: history.Joined, At: at(from), Room: "few"},
	}}
	if to < 100 {
		s.Events = append(s.Events,
			history.Event{Kind: history.LeaveSent, At: at(to), Room: "few"},
			history.Event{Kind: history.Left, At: at(to), Room: "few"})
	}
	return s
}

// remove takes out the event at index i.
func remove(s *history.Session, i int) { s.Events = slices.Delete(s.Events, i, i+1) }

// gap has a session be told of one in "plain".
func gap(s *history.Session, told, since float64) {
	s.Events = append(s.Events, history.Event{Kind: history.GapTold, At: at(told), Room: "plain", Since: at(since)})
}

// withheld has a message of node 1 go no further, as the bus is away.
func withheld(h *history.History) {
	publish(h, id(6)).Scope = "node"
	h.Faults = append(h.Faults, history.Fault{Kind: "cut", Nodes: []string{"1"}, Begin: at(5.5), End: at(7), Away: true})
	for _, s := range h.Sessions[1:3] {
		remove(s, messages+5)
	}
}

// split cuts a node off, and with it loses a message to the others.
func split(h *history.History, island string) {
	h.Faults = append(h.Faults, history.Fault{Kind: "split", Begin: at(5.5), End: at(7), Split: true, Island: []string{island}})
	for _, s := range h.Sessions[1:3] {
		remove(s, messages+5)
	}
}

// killed has a message that node 1 publishes not leave it, as it is killed.
func killed(h *history.History, n int) {
	at := publish(h, id(n)).End
	h.Faults = append(h.Faults, history.Fault{Kind: "kill", Nodes: []string{"1"}, Begin: at, End: at + ms, Killed: true, Ended: true})
	for _, s := range h.Sessions[1:3] {
		remove(s, messages+n-1)
	}
}

// publish returns a message of the history.
func publish(h *history.History, id history.ID) *history.Publish {
	i := slices.IndexFunc(h.Publishes, func(p history.Publish) bool { return p.ID == id })
	return &h.Publishes[i]
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(h *history.History, a *history.Session)
		want history.Property // "": none
	}{
		{"good", func(*history.History, *history.Session) {}, ""},
		{"content changed", func(_ *history.History, a *history.Session) { a.Events[messages].Damaged = true }, history.Integrity},
		{"nobody sent it", func(_ *history.History, a *history.Session) {
			a.Events = append(a.Events, history.Event{Kind: history.Received, At: at(50), Room: "plain", ID: id(77), Sender: "p"})
		}, history.Integrity},
		{"another sender", func(_ *history.History, a *history.Session) { a.Events[messages].Sender = "q" }, history.Integrity},
		{"into another room", func(h *history.History, a *history.Session) {
			h.Publishes = append(h.Publishes, history.Publish{ID: id(12), Client: "p", Node: "1", Room: "other", Begin: at(50), End: at(50)})
			a.Events = append(a.Events, history.Event{Kind: history.Received, At: at(50), Room: "plain", ID: id(12), Sender: "p"})
		}, history.Isolation},
		{"before room_joined", func(h *history.History, a *history.Session) {
			publish(h, id(1)).Outcome = history.Unknown
			a.Events[inRoom], a.Events[messages] = a.Events[messages], a.Events[inRoom]
		}, history.Isolation},
		{"behind room_left", func(h *history.History, a *history.Session) {
			last := messages + each - 1
			a.Events = slices.Insert(a.Events, last, history.Event{Kind: history.LeaveSent, At: at(9.9), Room: "plain"},
				history.Event{Kind: history.Left, At: at(9.95), Room: "plain"})
			h.Lists[0].Members, h.Lists[3].Members = nil, nil
		}, history.Isolation},
		{"twice", func(_ *history.History, a *history.Session) {
			a.Events = slices.Insert(a.Events, messages+1, a.Events[messages])
		}, history.Duplicate},
		{"twice over a resume", func(h *history.History, _ *history.Session) {
			b := h.Sessions[3]
			again := b.Events[2]
			again.Position, again.Prev = position(12), position(11)
			h.Publishes[len(h.Publishes)-1].Position = ""
			b.Events = append(b.Events, again)
		}, history.Duplicate},
		{"swapped", func(_ *history.History, a *history.Session) {
			a.Events[messages], a.Events[messages+1] = a.Events[messages+1], a.Events[messages]
		}, history.Order},
		{"a history against time", func(h *history.History, _ *history.Session) {
			p := publish(h, id(103))
			p.Publisher = "q"
			for _, s := range h.Sessions[:3] {
				s.Events[entries+2].ID.Publisher = "q"
			}
			p.Begin, p.End = at(40), at(41)
			publish(h, id(104)).Begin = at(3)
			p = publish(h, id(105))
			p.Begin, p.End = at(1), at(2)
		}, history.Order},
		{"two orders", func(h *history.History, a *history.Session) {
			publish(h, id(104)).Outcome, publish(h, id(105)).Outcome = history.Unknown, history.Unknown
			x, y := &a.Events[entries+3], &a.Events[entries+4]
			x.ID, y.ID = y.ID, x.ID
		}, history.OneOrder},
		{"another position acknowledged", func(h *history.History, _ *history.Session) {
			publish(h, id(103)).Position = position(5)
		}, history.OneOrder},
		{"a hole in the chain", func(h *history.History, a *history.Session) {
			publish(h, id(105)).Outcome = history.Unknown
			remove(a, entries+4)
		}, history.Chain},
		{"a hole in the chain that was told", func(_ *history.History, a *history.Session) {
			a.Events[entries+4] = history.Event{Kind: history.GapTold, At: at(5.5), Room: "log", Since: at(4), Reason: "history"}
		}, ""},
		{"a hole in the chain of a client that is not told", func(_ *history.History, a *history.Session) {
			a.V1 = false
			remove(a, entries+4)
		}, ""},
		{"recovered over another history", func(h *history.History, _ *history.Session) {
			h.Sessions[3].Events[0].Position = "other:3"
		}, history.Resume},
		{"recovered without what was missed", func(h *history.History, _ *history.Session) {
			s := h.Sessions[3]
			s.Events = s.Events[:2]
			publish(h, id(111)).Outcome = history.Unknown
		}, history.Resume},
		{"lost", func(_ *history.History, a *history.Session) { remove(a, messages+5) }, history.SilentLoss},
		{"lost and told", func(_ *history.History, a *history.Session) { remove(a, messages+5); gap(a, 7, 5.9) }, ""},
		{"lost and told too late for it", func(_ *history.History, a *history.Session) {
			remove(a, messages+5)
			gap(a, 7, 6.5)
		}, history.SilentLoss},
		{"lost on the way out", func(h *history.History, a *history.Session) {
			remove(a, messages+each-1)
			a.Events = append(a.Events, history.Event{Kind: history.LeaveSent, At: at(10.5), Room: "plain"})
			slices.SortStableFunc(a.Events, func(a, b history.Event) int { return int(a.At - b.At) })
			h.Lists[0].Members, h.Lists[3].Members = nil, nil
		}, ""},
		{"lost to a client that is not told", func(h *history.History, a *history.Session) {
			a.V1 = false
			remove(a, messages+5)
		}, ""},
		{"lost with the node it went no further than", func(h *history.History, _ *history.Session) {
			withheld(h)
			h.Faults = append(h.Faults, history.Fault{Kind: "kill", Nodes: []string{"1"}, Begin: at(8), End: at(9), Killed: true, Ended: true})
		}, ""},
		{"lost beyond the node it went no further than", func(h *history.History, _ *history.Session) { withheld(h) }, history.SilentLoss},
		{"the first of a node that was killed lost", func(h *history.History, _ *history.Session) {
			killed(h, 1)
		}, ""},
		{"the last of a node that was killed lost", func(h *history.History, _ *history.Session) {
			killed(h, 6)
		}, history.SilentLoss},
		{"a gap that a slow reader is told of late", func(h *history.History, a *history.Session) {
			gap(a, 50, 49.5)
			b := h.Sessions[3]
			b.Slow, b.Node = true, "1"
			b.Events = append(b.Events, history.Event{Kind: history.Joined, At: at(45), Room: "plain"})
			gap(b, 90, 49.5)
			for i := range h.Lists {
				if h.Lists[i].Room == "plain" {
					h.Lists[i].Members = []string{"a", "b"}
				}
			}
		}, ""},
		{"lost on one side of a split with its node", func(h *history.History, _ *history.Session) {
			split(h, "1")
			h.Faults = append(h.Faults, history.Fault{Kind: "kill", Nodes: []string{"1"}, Begin: at(8), End: at(9), Killed: true, Ended: true})
		}, ""},
		{"lost on one side of a split with a node of the other", func(h *history.History, _ *history.Session) {
			split(h, "1")
			h.Faults = append(h.Faults, history.Fault{Kind: "kill", Nodes: []string{"2"}, Begin: at(8), End: at(9), Killed: true, Ended: true})
		}, history.SilentLoss},
		{"lost on its own side of a split with its node", func(h *history.History, _ *history.Session) {
			split(h, "3")
			h.Faults = append(h.Faults, history.Fault{Kind: "kill", Nodes: []string{"1"}, Begin: at(8), End: at(9), Killed: true, Ended: true})
		}, history.SilentLoss},
		{"lost to a slow reader", func(_ *history.History, a *history.Session) { a.Slow = true; remove(a, messages+5) }, history.SilentLoss},
		{"not yet read by a slow reader", func(_ *history.History, a *history.Session) {
			a.Slow = true
			remove(a, len(a.Events)-1)
			remove(a, messages+8)
		}, ""},
		{"the end of a history lost", func(h *history.History, a *history.Session) {
			i := slices.IndexFunc(a.Events, func(e history.Event) bool { return e.ID == id(111) })
			remove(a, i)
		}, history.SilentLoss},
		{"refused and there", func(h *history.History, _ *history.Session) { publish(h, id(3)).Outcome = history.Refused }, history.Refusal},
		{"unknown and there", func(h *history.History, _ *history.Session) { publish(h, id(3)).Outcome = history.Unknown }, ""},
		{"on another node with scope node", func(h *history.History, _ *history.Session) { publish(h, id(3)).Scope = "node" }, history.Scope},
		{"acknowledged while away", func(h *history.History, _ *history.Session) {
			h.Faults = append(h.Faults, history.Fault{Kind: "pause", Begin: at(3), End: at(9), Away: true})
		}, history.Acknowledged},
		{"acknowledged before it is noticed", func(h *history.History, _ *history.Session) {
			h.Faults = append(h.Faults, history.Fault{Kind: "pause", Begin: at(3), End: at(5.9), Away: true})
		}, ""},
		{"a ghost", func(h *history.History, _ *history.Session) {
			h.Lists[1].Members = append(h.Lists[1].Members, "c")
		}, history.Membership},
		{"a member not named", func(h *history.History, _ *history.Session) { h.Lists[1].Members = []string{"a"} }, history.Membership},
		{"a node that is not asked", func(h *history.History, _ *history.Session) { h.Lists[1].Missing = []string{"2"} }, history.Membership},
		{"over the limit", func(h *history.History, _ *history.Session) { h.Sessions[6].Events[0].At = at(49) }, history.Limit},
		{"over the limit of a split", func(h *history.History, _ *history.Session) {
			h.Sessions[6].Events[0].At = at(49)
			h.Faults = append(h.Faults, history.Fault{Kind: "split", Begin: at(48), End: at(52), Split: true})
		}, ""},
		{"over the limit on a node that is cut off", func(h *history.History, _ *history.Session) {
			h.Sessions[6].Node = "2"
			h.Sessions[6].Events[0].At = at(45)
			h.Faults = append(h.Faults, history.Fault{Kind: "stop", Nodes: []string{"2"}, Begin: at(44), End: at(48), Stopped: true})
		}, ""},
		{"behind the token's end", func(h *history.History, _ *history.Session) {
			s := h.Sessions[0]
			s.TokenEnd = at(7)
			s.Events = append(s.Events, history.Event{Kind: history.Closed, At: at(40), Code: 4001})
			for i := range h.Lists {
				h.Lists[i].Members = slices.DeleteFunc(h.Lists[i].Members, func(m string) bool { return m == "a" })
			}
		}, history.Expiry},
		{"open behind the token's end", func(h *history.History, _ *history.Session) {
			h.Sessions[5].TokenEnd = at(70)
		}, history.Expiry},
		{"renewed", func(h *history.History, _ *history.Session) {
			h.Sessions[5].TokenEnd = at(70)
			h.Sessions[5].Events = append(h.Sessions[5].Events, history.Event{Kind: history.Renewed, At: at(60), Until: at(200)})
		}, ""},
		{"renewed, and told so late", func(h *history.History, a *history.Session) {
			a.TokenEnd = at(7)
			a.Events = append(a.Events, history.Event{Kind: history.Renewed, Since: at(6), At: at(40), Until: at(200)})
		}, ""},
		{"renewed when it was over", func(h *history.History, a *history.Session) {
			a.TokenEnd = at(7)
			a.Events = append(a.Events, history.Event{Kind: history.Renewed, Since: at(39), At: at(40), Until: at(200)})
		}, history.Expiry},
		{"closed before the slot", func(h *history.History, _ *history.Session) {
			b := h.Sessions[1]
			b.Events[len(b.Events)-1].At = at(31)
		}, history.DrainSlots},
		{"closed before the slot it has read of late", func(h *history.History, _ *history.Session) {
			b := h.Sessions[1]
			b.Events[len(b.Events)-1].At = at(31)
			b.Events = slices.Insert(b.Events, len(b.Events)-2, history.Event{Kind: history.Stalled, At: at(28)}, history.Event{Kind: history.Flowing, At: at(30)})
		}, ""},
		{"closed before the slot that a slow reader read of", func(h *history.History, _ *history.Session) {
			b := h.Sessions[1]
			b.Events[len(b.Events)-1].At = at(31)
			b.Slow = true
		}, ""},
		{"closed without a notice", func(h *history.History, _ *history.Session) {
			b := h.Sessions[1]
			remove(b, len(b.Events)-2)
		}, history.DrainSlots},
		{"closed without a reason", func(h *history.History, _ *history.Session) { h.Faults = nil }, history.CloseCode},
		{"cut off without a reason", func(h *history.History, _ *history.Session) {
			b := h.Sessions[1]
			b.Events[len(b.Events)-1].Code = 1006
		}, history.CloseCode},
		{"a direct message lost", func(_ *history.History, a *history.Session) {
			i := slices.IndexFunc(a.Events, func(e history.Event) bool { return e.Kind == history.DirectIn })
			remove(a, i)
		}, history.DirectMsg},
		{"a direct message to who is not found", func(h *history.History, a *history.Session) {
			h.Directs = append(h.Directs, history.Direct{ID: id(901), Target: "a", Begin: at(50), End: at(50), Outcome: history.Refused, NoClient: true})
		}, history.DirectMsg},
		{"a direct message twice", func(_ *history.History, a *history.Session) {
			a.Events = append(a.Events, history.Event{Kind: history.DirectIn, At: at(50), ID: id(900)})
		}, history.Duplicate},
		{"gaps all the time", func(_ *history.History, a *history.Session) {
			for i := range 10 {
				gap(a, 50+float64(i), 49+float64(i))
			}
		}, history.GapBudget},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := good()
			test.edit(h, h.Sessions[0])
			r := history.Check(h)
			for p := range r.Broken {
				if p != test.want {
					t.Errorf("broken: %v", p)
				}
			}
			if test.want != "" && r.Broken[test.want] == 0 {
				t.Errorf("%v is not found", test.want)
			}
			if t.Failed() {
				t.Log(r.Violations)
			}
		})
	}
}
