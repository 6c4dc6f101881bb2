package conn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

func TestReadTimeout(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{tls: tr.tls, Config: fakeTimes(clock, short, 0, 0)})
			c, s := srv.connect(t)
			clock.Advance(short + tick)
			c.wantClose(wire.CodeGoingAway)
			s.wantClosed(t, wire.CodeGoingAway, "nothing received within the read timeout")
		})
	}
}

// TestPingKeepsAlive: pings come after silence, and a peer that answers them
// stays for many times the read timeout.
func TestPingKeepsAlive(t *testing.T) {
	clock := newClock()
	const interval = 4 * tick
	srv := serve(t, options{Config: fakeTimes(clock, 3*interval, 0, 10*interval)})
	c, s := srv.connect(t)
	for range 12 {
		clock.Advance(interval + tick)
		c.want(fin|9, "")
		c.send(frame(fin|10, nil), frame(fin|9, []byte("heard?")))
		c.want(fin|10, "heard?")
	}
	if !s.Open() {
		t.Error("closed a peer that answers pings")
	}
	clock.Advance(interval + tick)
	c.want(fin|9, "")
	clock.Advance(3 * interval)
	c.wantClose(wire.CodeGoingAway)
}

// TestPingWithoutReadTimeout: the interval alone counts then, and silence is
// no reason to close.
func TestPingWithoutReadTimeout(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: fakeTimes(clock, 0, 0, short)})
	c, s := srv.connect(t)
	for range 10 {
		clock.Advance(short + tick)
		c.want(fin|9, "")
	}
	if !s.Open() {
		t.Error("closed without a read timeout")
	}
}

// TestNoTimeouts: with all limits off nothing is ever due.
func TestNoTimeouts(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: conn.Config{Now: clock.Now}})
	c, s := srv.connect(t)
	clock.Advance(1000 * time.Hour)
	c.send(text("still here"))
	c.want(fin|1, "still here")
	if !s.Open() {
		t.Error("closed without a limit")
	}
}

// TestUnfinishedMessage: a message that is not finished within the read
// timeout closes, whatever else the peer sends.
func TestUnfinishedMessage(t *testing.T) {
	clock := newClock()
	const limit = 10 * tick
	srv := serve(t, options{Config: fakeTimes(clock, limit, 0, 0)})
	c, s := srv.connect(t)
	c.send(frame(1, []byte("begun")))
	for range 3 {
		c.send(frame(fin|9, nil))
		c.want(fin|10, "")
		clock.Advance(3 * tick)
	}
	if !s.Open() {
		t.Fatal("closed before the limit")
	}
	c.send(frame(fin|9, nil))
	c.want(fin|10, "")
	clock.Advance(3 * tick)
	c.wantClose(wire.CodePolicy)
	s.wantClosed(t, wire.CodePolicy, "message not finished within the read timeout")
}

// TestMessageAfterMessageUnfinished: a peer whose bytes always end inside a
// message, each of which it finishes, is an honest one.
func TestMessageAfterMessageUnfinished(t *testing.T) {
	clock := newClock()
	const limit = 10 * tick
	srv := serve(t, options{Config: fakeTimes(clock, limit, 0, 0)})
	c, s := srv.connect(t)
	message := text("a message that comes in halves")
	c.send(message[:8])
	for range 10 {
		c.send(message[8:], message[:8])
		c.want(fin|1, "a message that comes in halves")
		srv.pass(t, clock, 4*tick)
	}
	if !s.Open() {
		t.Error("closed")
	}
	c.send(message[8:])
	c.want(fin|1, "a message that comes in halves")
}

// TestWriteTimeout: a queue that does not move closes with 4008, also where
// the peer went silent at the same time and its input is held.
func TestWriteTimeout(t *testing.T) {
	for _, tc := range []struct {
		name        string
		read, write time.Duration
		tls         bool
	}{
		{"alone", 0, short, false},
		{"like the read timeout", short, short, false},
		{"longer than the read timeout", short, 3 * short, false},
		{"tls", 0, short, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock()
			cfg := fakeTimes(clock, tc.read, tc.write, 0)
			cfg.SendQueueBytes = 64 << 10
			srv := serve(t, options{Config: cfg, tls: tc.tls})
			_, s := srv.connect(t)
			fill(t, s, 2000)
			end := make(chan closeEvent, 1)
			go func() { end <- <-s.closed }()
			for range 8 {
				clock.Advance(short/2 + 1)
				srv.pass(t, clock, 0)
			}
			if ev := get(t, end); ev.code != conn.CodeTooSlow {
				t.Errorf("closed with %d %q", ev.code, ev.reason)
			}
			if err := s.Write(numbered(0, 8)); !errors.Is(err, conn.ErrClosed) {
				t.Errorf("write: %v", err)
			}
			clock.Advance(3 * time.Second)
			eventually(t, "nothing is queued any more", func() bool { return srv.engine.Queued() == 0 })
		})
	}
}

// TestSlowButMoving: a peer that reads a little now and then is not closed.
func TestSlowButMoving(t *testing.T) {
	clock := newClock()
	const limit = 10 * tick
	cfg := fakeTimes(clock, 0, limit, 0)
	srv := serve(t, options{Config: cfg})
	c, s := srv.connect(t)
	const size, n = 256 << 10, 200
	for i := range n {
		if err := s.Write(numbered(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	steps, queued := 0, s.queued()
	for i := range n {
		c.wantNumberedFrom(i, 1, size)
		if q := s.queued(); q < queued && q > 0 {
			steps++
			srv.pass(t, clock, 0) // half of the limit
			queued = s.queued()
		}
	}
	if steps < 5 {
		t.Errorf("the queue moved %d times: too few to tell anything", steps)
	}
	if !s.Open() {
		t.Errorf("closed a peer that reads: %v", get(t, s.closed))
	}
}

func TestExpiry(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
	}{{"soon", 5 * tick}, {"further than the wheel reaches", 2000 * tick}, {"over already", -time.Hour}, {"now", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{Config: fakeTimes(clock, 0, short, 0)})
			c, s := srv.connect(t)
			s.SetExpiry(clock.Now().Add(tc.after))
			if tc.after > 0 {
				srv.pass(t, clock, tc.after/2)
				if !s.Open() {
					t.Error("closed too early")
				}
			}
			clock.Advance(max(tc.after, 0) + 2*tick)
			c.wantClose(conn.CodeTokenExpired)
			s.wantClosed(t, conn.CodeTokenExpired, "token expired")
		})
	}
}

// TestExpiryFarAway: dates that 32 bits of ticks do not reach are never.
func TestExpiryFarAway(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: fakeTimes(clock, 0, short, 0)})
	wrap := time.Duration(1<<32) * tick // where a count of ticks would begin again
	var all []*session
	for _, at := range []time.Time{
		clock.Now().Add(wrap), clock.Now().Add(wrap + tick), clock.Now().Add(2*wrap + tick), clock.Now().AddDate(100, 0, 0),
		time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), {},
	} {
		_, s := srv.connect(t)
		s.SetExpiry(at)
		all = append(all, s)
	}
	for range 3 {
		srv.pass(t, clock, time.Hour)
	}
	for i, s := range all {
		if !s.Open() {
			t.Errorf("expiry %d: closed", i)
		}
	}
}

// TestExpiryIsRenewed: the last one counts.
func TestExpiryIsRenewed(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: fakeTimes(clock, 0, short, 0)})
	_, renewed := srv.connect(t)
	_, lifted := srv.connect(t)
	for _, s := range []*session{renewed, lifted} {
		s.SetExpiry(clock.Now().Add(5 * tick))
	}
	renewed.SetExpiry(clock.Now().Add(100 * tick))
	lifted.SetExpiry(time.Time{})
	srv.pass(t, clock, 50*tick)
	if !renewed.Open() || !lifted.Open() {
		t.Fatal("closed at an expiry that was taken back")
	}
	clock.Advance(51 * tick)
	renewed.wantClosed(t, conn.CodeTokenExpired, "token expired")
	if !lifted.Open() {
		t.Error("closed without an expiry")
	}
}

// TestPeerNeverAnswersClose: the socket is closed two seconds later.
func TestPeerNeverAnswersClose(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{tls: tr.tls, Config: fakeTimes(clock, 0, short, 0)})
			c, s := srv.connect(t)
			s.Close(4003, "forbidden")
			s.wantClosed(t, 4003, "forbidden")
			srv.pass(t, clock, 2*time.Second-5*tick)
			c.send(text("heard by nobody")) // the socket is still there: no reset
			if reason := c.wantClose(4003); reason != "forbidden" {
				t.Errorf("reason %q", reason)
			}
			done := make(chan error, 1)
			go func() { done <- srv.engine.Close(t.Context()) }()
			clock.Advance(10 * tick)
			if err := get(t, done); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHandlerOutlastsTheEnd: messages before the peer's close are waited for,
// but no longer than two seconds; the close is answered all the same.
func TestHandlerOutlastsTheEnd(t *testing.T) {
	clock := newClock()
	entered, release := make(chan struct{}), make(chan struct{})
	srv := serve(t, options{
		Config:  fakeTimes(clock, 0, short, 0),
		message: func(*session, wire.Opcode, []byte) { entered <- struct{}{}; <-release },
	})
	c, s := srv.connect(t)
	c.send(text("one"), text("two"), closing(4321))
	get(t, entered)
	srv.pass(t, clock, time.Second)
	if !s.Open() {
		t.Fatal("closed before the messages were handled")
	}
	for range 3 {
		srv.pass(t, clock, time.Second)
	}
	s.wantClosed(t, 4321, "")
	c.wantClose(4321)
	close(release)
	if err := srv.engine.Close(context.Background()); err == nil && len(entered) > 0 {
		t.Error("a message was handled after Closed")
	}
}
