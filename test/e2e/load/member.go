package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/client"
	"github.com/chenxilol/gohub/test/chaos/history"
)

const (
	// dialWithin is how long a client may take to be connected, on a machine
	// that is busy with two thousand others.
	dialWithin = 2 * time.Minute
	// publishWithin bounds a publish that waits for a connection, and for a bus
	// that is away.
	publishWithin = 60 * time.Second
	// leaveAfter is how long behind its slot a client goes by itself, at least.
	leaveAfter = 900 * time.Millisecond
)

// content is what the clients send each other: it says where it comes from.
type content struct {
	Publisher int    `json:"p"`
	Seq       uint64 `json:"s"`
}

// member is one client, and what it was told.
type member struct {
	load   *Load
	number int
	id     string
	room   string
	client *client.Client
	opened chan struct{} // closed when the first connection is recorded
	joined chan struct{} // closed when the first joining is

	dials atomic.Int64  // attempts to connect
	due   atomic.Int64  // publishes that are to be made
	more  chan struct{} // holds an element when due may have changed

	mu      sync.Mutex // guards all below, and the session's events
	session *history.Session
	life    string        // which they were
	last    string        // position of the last message, where known
	slot    time.Duration // in which the hub will send it away; 0: none
	over    bool          // nothing is recorded any more
}

func newMember(l *Load, number int, room string) *member {
	return &member{
		load: l, number: number, id: fmt.Sprintf("%s.%d", l.o.Name, number), room: room,
		opened: make(chan struct{}), joined: make(chan struct{}), more: make(chan struct{}, 1),
	}
}

// enter connects and joins the room.
func (m *member) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	o := client.Options{RetryDial: true, OnEvent: m.event, OnRoomMessage: m.message, DialContext: m.dial}
	if m.load.o.Token != nil {
		o.Token = func(context.Context) (string, error) { return m.load.o.Token(m.id) }
	} else {
		o.ClientID = m.id
	}
	var err error
	if m.client, err = client.Dial(ctx, m.load.o.Address, o); err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	<-m.opened
	m.note(history.Event{Kind: history.JoinSent, Room: m.room})
	membership, err := m.client.Join(ctx, m.room, client.JoinOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	m.note(history.Event{Kind: history.Joined, Room: m.room, Position: membership.Position})
	m.mu.Lock()
	m.last = membership.Position
	m.mu.Unlock()
	close(m.joined)
	return nil
}

func (m *member) dial(ctx context.Context, network, address string) (net.Conn, error) {
	m.dials.Add(1)
	return new(net.Dialer).DialContext(ctx, network, address)
}

// note records an event of now.
func (m *member) note(e history.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noteLocked(e)
}

func (m *member) noteLocked(e history.Event) {
	if m.over {
		return
	}
	e.At = m.load.Now()
	m.session.Events = append(m.session.Events, e)
}

// finish ends the record.
func (m *member) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}

// message takes a message of the room.
func (m *member) message(_ context.Context, r client.RoomMessage) {
	<-m.joined
	e := history.Event{Kind: history.Received, Room: r.Room, Sender: r.Sender, Position: r.Position, Prev: r.Prev, Damaged: true}
	var c content
	if json.Unmarshal(r.Content, &c) == nil {
		if p := m.load.byNumber(c.Publisher); p != nil {
			e.ID, e.Damaged = history.ID{Publisher: p.id, Seq: c.Seq}, false
			if r.Room == p.room && r.Sender == p.id { // a million events need no copy each
				e.Room, e.Sender = p.room, p.id
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = r.Position
	m.noteLocked(e)
}

// byNumber returns a client by its number, nil where there is none.
func (l *Load) byNumber(n int) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n >= len(l.ever) {
		return nil
	}
	return l.ever[n]
}

// event takes what happened besides.
func (m *member) event(_ context.Context, e client.Event) {
	switch e := e.(type) {
	case client.Connected:
		m.connected(e)
	case client.Moving:
		m.moving(e)
	case client.Disconnected:
		m.disconnected(e)
	case client.Rejoined:
		m.rejoined(e)
	case client.Gap:
		m.gap(e)
	case client.Retrying:
		m.load.retrying(e)
	case client.Left:
		m.note(history.Event{Kind: history.Left, Room: e.Room})
		m.surprise("left %s: %v", e.Room, e.Err)
	case client.Duplicate:
		m.surprise("a message came twice in %s, at %s", e.Room, e.Position)
	case client.RenewalFailed:
		m.surprise("its token was not renewed: %v", e.Err)
	case client.Fault:
		m.surprise("%v", e.Err)
	case client.Closed:
		m.surprise("ended: %v%s", e.Err, m.lived())
	}
}

func (m *member) connected(e client.Connected) {
	s := &history.Session{Client: m.id, Node: e.Node, V1: true, Opened: m.load.Now()}
	m.mu.Lock()
	m.session = s
	m.life += fmt.Sprintf("; on %s at %v", s.Node, s.Opened.Round(time.Millisecond))
	m.mu.Unlock()
	if !e.Again {
		close(m.opened)
	}
	m.load.mu.Lock()
	defer m.load.mu.Unlock()
	m.load.sessions = append(m.load.sessions, s)
}

func (m *member) moving(e client.Moving) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slot = e.At.Sub(m.load.start)
	m.noteLocked(history.Event{Kind: history.Reconnect, After: m.slot - m.load.Now()})
}

// disconnected records who has ended the connection. A client whose hub is late
// goes by itself.
func (m *member) disconnected(e client.Disconnected) {
	m.mu.Lock()
	defer m.mu.Unlock()
	code := closeCode(e.Err)
	if code == closeAbnormal && m.slot > 0 && m.load.Now() > m.slot+leaveAfter {
		m.noteLocked(history.Event{Kind: history.Hangup})
	}
	m.slot = 0
	m.noteLocked(history.Event{Kind: history.Closed, Code: code, Reason: e.Err.Error()})
}

func (m *member) rejoined(e client.Rejoined) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noteLocked(history.Event{Kind: history.JoinSent, Room: m.room, Position: m.last})
	resumed := history.Recovered
	if !e.Recovered {
		resumed, m.last = history.NotRecovered, e.Position
	}
	m.noteLocked(history.Event{Kind: history.Joined, Room: m.room, Position: e.Position, Resumed: resumed})
}

func (m *member) gap(e client.Gap) {
	since := m.load.Now() // where the hub does not know
	if !e.Since.IsZero() {
		since = e.Since.Sub(m.load.start)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.To != "" && e.Reason != client.ReasonChain {
		m.last = e.To
	}
	m.noteLocked(history.Event{Kind: history.GapTold, Room: m.room, Since: since, Reason: e.Reason})
}

func (m *member) surprise(format string, args ...any) {
	m.mu.Lock()
	over := m.over
	m.mu.Unlock()
	if !over {
		m.load.surprise(m.id + ": " + fmt.Sprintf(format, args...))
	}
}

// closeCode is the one of the hub's close frame; 1006 stands for none.
func closeCode(err error) int {
	if e, ok := errors.AsType[*client.CloseError](err); ok {
		return e.Code
	}
	return closeAbnormal
}

// wake has publish look again.
func (m *member) wake() {
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// publish makes the publishes that are due, one after the other.
func (m *member) publish() {
	for seq := uint64(1); ; seq++ {
		for m.due.Load() == 0 || m.load.rest.Load() {
			if m.load.rest.Load() || m.load.ctx.Err() != nil {
				return
			}
			select {
			case <-m.more:
			case <-m.load.ctx.Done():
			}
		}
		m.due.Add(-1)
		m.publishOne(seq)
	}
}

func (m *member) publishOne(seq uint64) {
	ctx, cancel := context.WithTimeout(m.load.ctx, publishWithin)
	defer cancel()
	p := history.Publish{
		ID: history.ID{Publisher: m.id, Seq: seq}, Client: m.id, Room: m.room, Node: m.client.Node(), Begin: m.load.Now(),
	}
	before := m.dials.Load()
	receipt, err := m.client.Publish(ctx, m.room, content{m.number, seq})
	p.End = m.load.Now()
	p.Attempts = 1
	if m.dials.Load() != before {
		p.Attempts = 2 // perhaps
	}
	switch {
	case err == nil:
		p.Outcome, p.Scope, p.Position = history.Sent, receipt.Scope, receipt.Position
	case errors.Is(err, client.ErrUnknown), p.Attempts > 1:
		p.Outcome = history.Unknown
	default:
		p.Outcome = history.Refused
	}
	m.load.mu.Lock()
	defer m.load.mu.Unlock()
	m.load.publishes = append(m.load.publishes, p)
	m.load.tally.publish(p, err)
}

// lived tells when the client was connected to which hubs.
func (m *member) lived() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life
}
