package chaos_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/test/chaos/history"
)

// role is what a client does besides listening.
type role uint8

const (
	watcher   role = iota // nothing
	publisher             // sends to its rooms and to other clients
	churner               // joins and leaves, and comes and goes
	visitor               // looks in at rooms with a limit
	sleeper               // does not read for a while
	borrower              // has tokens that end soon, and renews some of them
	absentee              // goes soon, and comes back much later
)

// mixed are the roles of the clients of a run, in turn.
var mixed = []role{watcher, publisher, watcher, churner, watcher, publisher, visitor, borrower, absentee, sleeper}

// client is one that comes back whenever it is disconnected.
type client struct {
	w    *world
	id   string
	role role
	v1   bool
	slow bool
	rand *rand.Rand // of its own goroutine

	sessions int
	seq      uint64
	again    *attempt // a publish whose outcome is not known, to be repeated

	mu        sync.Mutex // guards all below
	want      map[string]bool
	positions map[string]string // of the rooms with a history, where it has come to
	in        map[string]bool   // of the connection there is
	conn      *conn
	settled   bool // it is in all rooms that it wants
}

// attempt is a publish that may be repeated.
type attempt struct {
	record  history.Publish
	content content
	key     string
}

func (w *world) newClient(i int, r role, seed uint64) *client {
	return &client{
		w: w, id: fmt.Sprintf("%s-%d", []string{"watcher", "publisher", "churner", "visitor", "sleeper", "borrower", "absentee"}[r], i), role: r,
		v1: i%7 != 3, slow: r == sleeper, rand: rand.New(rand.NewPCG(seed, uint64(i))),
		want: make(map[string]bool), positions: make(map[string]string), in: make(map[string]bool),
	}
}

// came notes how far the client has come in a history.
func (c *client) came(room, position string) {
	if position != "" {
		c.mu.Lock()
		c.positions[room] = position
		c.mu.Unlock()
	}
}

// run keeps the client connected until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		h := c.w.someHub(c.rand)
		if h == nil || !c.visit(ctx, h) {
			pause(ctx, time.Duration(c.rand.IntN(500))*time.Millisecond)
		}
	}
}

// visit connects to a hub and stays as long as the connection does.
func (c *client) visit(ctx context.Context, h *hubProcess) bool {
	ttl := time.Duration(0)
	if c.role == borrower && c.w.active.Err() == nil {
		ttl = time.Duration(3+c.rand.IntN(5)) * time.Second
	}
	x, err := c.w.dial(ctx, c, h, ttl)
	if err != nil {
		return false
	}
	defer func() {
		x.hangup()
		x.flow()
		<-x.ended
		c.mu.Lock()
		c.conn, c.settled = nil, false
		clear(c.in)
		c.mu.Unlock()
	}()
	c.sessions++
	c.seq = 0
	c.mu.Lock()
	c.conn = x
	c.mu.Unlock()
	for {
		if !c.enter(x) {
			return true
		}
		c.act(ctx, x)
		select {
		case <-x.ended:
			return true
		case <-ctx.Done():
			return true
		case <-time.After(c.tick()):
		}
	}
}

// tick is the pause between two things that a client does.
func (c *client) tick() time.Duration {
	every := 300 * time.Millisecond
	switch {
	case c.w.active.Err() != nil:
	case c.role == publisher:
		every = c.w.publishEvery
	case c.role == churner && c.w.storm.Load():
		every = 20 * time.Millisecond
	}
	return every/2 + time.Duration(c.rand.Int64N(int64(every)))
}

// enter joins the rooms that the client wants to be in and is not. It returns
// false where the connection has ended.
func (c *client) enter(x *conn) bool {
	c.mu.Lock()
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(c.want)), func(room string) bool { return c.in[room] })
	c.mu.Unlock()
	all := true
	for _, room := range missing {
		ok, err := c.join(x, room)
		if err != nil {
			return false
		}
		all = all && ok
	}
	c.mu.Lock()
	c.settled = all
	c.mu.Unlock()
	return true
}

func (c *client) join(x *conn, room string) (bool, error) {
	c.mu.Lock()
	since := c.positions[room]
	c.mu.Unlock()
	f, err := x.call("join_room", roomData{RoomID: room, Since: since}, history.Event{Kind: history.JoinSent, Room: c.w.intern(room), Position: since})
	if err != nil {
		return false, err
	}
	if f.Type != "room_joined" {
		if f.Data.Code != hub.CodeRoomFull && f.Data.Code != hub.CodeTimeout {
			c.w.t.Errorf("%s: join %q: %d %s", c.id, room, f.Data.Code, f.Data.Message)
		}
		return false, nil
	}
	c.mu.Lock()
	c.in[room] = true
	c.mu.Unlock()
	return true, nil
}

func (c *client) leave(x *conn, room string) {
	c.mu.Lock()
	delete(c.in, room)
	c.mu.Unlock()
	_, _ = x.call("leave_room", roomData{RoomID: room}, history.Event{Kind: history.LeaveSent, Room: c.w.intern(room)})
}

// act does what the client's role is, once.
func (c *client) act(ctx context.Context, x *conn) {
	if c.w.active.Err() != nil {
		return
	}
	switch c.role {
	case publisher:
		c.speak(x)
	case churner:
		c.churn(x)
	case visitor:
		c.lookIn(ctx, x)
	case sleeper:
		if c.rand.IntN(8) == 0 {
			c.w.count("stall")
			x.stall()
			pause(ctx, time.Duration(500+c.rand.IntN(3000))*time.Millisecond)
			x.flow()
		}
	case borrower:
		c.renew(x)
	case absentee:
		if c.rand.IntN(3) == 0 {
			x.hangup()
			pause(c.w.active, 3*time.Second+time.Duration(c.rand.IntN(4000))*time.Millisecond)
		}
	}
}

// churn joins or leaves some room, or goes.
func (c *client) churn(x *conn) {
	room := c.w.rooms[c.rand.IntN(len(c.w.rooms))]
	c.mu.Lock()
	in := c.in[room]
	c.mu.Unlock()
	switch {
	case c.rand.IntN(40) == 0:
		x.hangup()
	case in:
		c.mu.Lock()
		delete(c.want, room)
		c.mu.Unlock()
		c.leave(x, room)
	default:
		if ok, _ := c.join(x, room); ok {
			c.mu.Lock()
			c.want[room] = true
			c.mu.Unlock()
		}
	}
}

// lookIn enters a room with a limit, or leaves it.
func (c *client) lookIn(ctx context.Context, x *conn) {
	room := c.w.limited[c.rand.IntN(len(c.w.limited))]
	c.mu.Lock()
	in := c.in[room]
	c.mu.Unlock()
	if in {
		c.leave(x, room)
	} else if ok, _ := c.join(x, room); ok {
		pause(ctx, time.Duration(c.rand.IntN(1000))*time.Millisecond)
	}
}

// renew gets the connection a new token, now and then.
func (c *client) renew(x *conn) {
	if c.rand.IntN(12) != 0 {
		return
	}
	token, end, err := c.w.token(c.id, time.Duration(3+c.rand.IntN(5))*time.Second)
	if err != nil {
		c.w.t.Error(err)
		return
	}
	asked := c.w.now()
	f, err := x.call("authenticate", tokenData{token}, history.Event{})
	if err == nil && f.Type == "authenticated" {
		c.w.count("renewal")
		x.noteLocked(history.Event{Kind: history.Renewed, Since: asked, Until: end})
	}
}

// speak sends something to a room, or to another client.
func (c *client) speak(x *conn) {
	if c.again != nil {
		a := c.again
		c.again = nil
		c.publish(x, a)
		return
	}
	c.seq++
	id := history.ID{Publisher: fmt.Sprintf("%s#%d", c.id, c.sessions), Seq: c.seq}
	if c.rand.IntN(c.w.directEvery) == 0 {
		target := c.w.clients[c.rand.IntN(min(len(c.w.clients), 16))] // few, so that hubs remember where they are
		c.direct(x, id, target.id)
		return
	}
	c.mu.Lock()
	in := slices.Sorted(maps.Keys(c.in))
	c.mu.Unlock()
	if len(in) == 0 {
		return
	}
	room := in[c.rand.IntN(len(in))]
	a := &attempt{
		record:  history.Publish{ID: id, Client: c.id, Node: x.session.Node, Room: c.w.intern(room), Begin: c.w.now()},
		content: newContent(id, room, strings.Repeat("x", c.rand.IntN(200))),
	}
	if c.w.isHistory(room) {
		a.key = id.String()
	}
	c.publish(x, a)
}

func (c *client) publish(x *conn, a *attempt) {
	a.record.Attempts++
	f, err := x.call("room_message", roomData{RoomID: a.record.Room, Content: a.content, Key: a.key}, history.Event{})
	a.record.End = c.w.now()
	a.record.Outcome = history.Unknown
	switch {
	case err != nil || f.Data.Code == hub.CodeTimeout:
		if a.key != "" && a.record.Attempts < 3 {
			c.again = a
			return // recorded in the end
		}
	case f.Type == "room_message_sent":
		a.record.Outcome, a.record.Scope, a.record.Position = history.Sent, f.Data.Scope, f.Data.Position
	default:
		if a.record.Attempts == 1 {
			a.record.Outcome = history.Refused // else an earlier one may have arrived
		}
	}
	c.w.recordPublish(a.record)
}

func (c *client) direct(x *conn, id history.ID, target string) {
	d := history.Direct{ID: id, Target: target, Begin: c.w.now()}
	f, err := x.call("direct_message", directData{target, newContent(id, target, "")}, history.Event{})
	d.End = c.w.now()
	switch {
	case err != nil || f.Data.Code == hub.CodeTimeout:
	case f.Type == "direct_message_sent":
		d.Outcome = history.Sent
	default:
		d.Outcome, d.NoClient = history.Refused, f.Data.Code == hub.CodeNoClient
	}
	c.w.recordDirect(d)
}

// quit records what is still open at the end.
func (c *client) quit() {
	if c.again != nil {
		c.w.recordPublish(c.again.record)
		c.again = nil
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
