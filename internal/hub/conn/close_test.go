package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// wantAllClosed waits until the engine has closed every connection by itself.
func (srv *server) wantAllClosed(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := srv.engine.Close(ctx); err != nil {
		t.Errorf("connections are left: %v", err)
	}
}

func TestPeerCloses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		payload string
		told    closeEvent
		answer  int
	}{
		{"normal", "\x03\xe8", closeEvent{1000, ""}, 1000},
		{"with reason", "\x03\xe9moving on", closeEvent{1001, "moving on"}, 1001},
		{"own code", "\x0f\xa0", closeEvent{4000, ""}, 4000},
		{"no status", "", closeEvent{1005, ""}, 1005},
		{"one byte", "\x03", closeEvent{1002, "malformed close frame"}, 1002},
		{"reserved code", "\x03\xed", closeEvent{1002, "malformed close frame"}, 1002},
		{"reason not UTF-8", "\x03\xe8\xff", closeEvent{1007, "text is not UTF-8"}, 1007},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, tr := range transports {
				srv := serve(t, options{tls: tr.tls})
				c, s := srv.connect(t)
				c.send(frame(fin|8, []byte(tc.payload)), text("too late"))
				c.wantClose(tc.answer)
				s.wantClosed(t, tc.told.code, tc.told.reason)
				if err := s.Write(wire.Frame(wire.Text, nil)); !errors.Is(err, conn.ErrClosed) || s.Open() {
					t.Errorf("write: %v, open: %v", err, s.Open())
				}
				_ = c.nc.Close()
				srv.wantAllClosed(t)
				if len(s.closed) > 0 {
					t.Error("Closed was called twice")
				}
			}
		})
	}
}

func TestHubCloses(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			clock := newClock() // stands still: no timeout ends anything
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{Now: clock.Now}})
			c, s := srv.connect(t)
			s.Close(1012, "restart")
			s.Close(1000, "again")
			s.wantClosed(t, 1012, "restart")
			if err := s.Write(wire.Frame(wire.Text, nil)); !errors.Is(err, conn.ErrClosed) {
				t.Errorf("write: %v", err)
			}
			if reason := c.wantClose(1012); reason != "restart" {
				t.Errorf("reason %q", reason)
			}
			c.send(text("one more"), closing(1012))
			_ = c.nc.Close()
			srv.wantAllClosed(t)
			if len(s.closed) > 0 {
				t.Error("Closed was called twice")
			}
		})
	}
}

// TestCloseFrameIsNotReset: input that comes after the close frame was sent
// does not make the kernel reset the connection and drop the frame.
func TestCloseFrameIsNotReset(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{Now: clock.Now, MaxMessage: 1000}})
			for _, cause := range []string{"hub", "fault"} {
				c, s := srv.connect(t)
				if cause == "hub" {
					s.Close(1009, "enough")
				} else {
					c.send(text(strings.Repeat("x", 1001)))
				}
				for range 32 {
					c.send(bytes.Repeat(text("flood"), 10_000))
				}
				c.wantClose(1009)
				_ = c.nc.Close()
			}
			srv.wantAllClosed(t)
		})
	}
}

// TestPendingOutputComesFirst: what was accepted before Close is sent before
// the close frame.
func TestPendingOutputComesFirst(t *testing.T) {
	const size = 2000
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{tls: tr.tls, Config: conn.Config{Now: clock.Now, SendQueueBytes: 64 << 10}})
			c, s := srv.connect(t)
			n := fill(t, s, size)
			s.Close(1001, strings.Repeat("r", 200))
			s.wantClosed(t, 1001, strings.Repeat("r", 200))
			c.wantNumbered(n, size)
			if reason := c.wantClose(1001); reason != strings.Repeat("r", 123) {
				t.Errorf("reason %q", reason)
			}
			_ = c.nc.Close()
			srv.wantAllClosed(t)
			if len(s.drained) > 0 {
				t.Error("Drained was called for a connection that is not open")
			}
		})
	}
}

// TestMessagesBeforeTheEnd: what a peer sends right before it ends the
// connection, in whatever way, is handled before Closed is called.
func TestMessagesBeforeTheEnd(t *testing.T) {
	const n = 300 // more than wait at once
	for _, tc := range []struct {
		name string
		end  func(c *client)
		code int
	}{
		{"close frame", func(c *client) { c.send(closing(1000)) }, 1000},
		{"protocol error", func(c *client) { c.send([]byte{0x81, 0x01, 'x'}) }, 1002},
		{"end of stream", func(c *client) { _ = c.nc.(*net.TCPConn).CloseWrite() }, 1006},
		{"close of the socket", func(c *client) { _ = c.nc.Close() }, 1006},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var handled atomic.Int32
			srv := serve(t, options{message: func(_ *session, _ wire.Opcode, payload []byte) {
				runtime.Gosched()
				if string(payload) != fmt.Sprint(handled.Add(1)) {
					t.Errorf("message %d is %q", handled.Load(), payload)
				}
			}})
			c, s := srv.connect(t)
			var all []byte
			for i := range n {
				all = append(all, text(fmt.Sprint(i+1))...)
			}
			c.send(all)
			tc.end(c)
			if ev := get(t, s.closed); ev.code != tc.code {
				t.Errorf("closed with %d %q", ev.code, ev.reason)
			}
			if got := handled.Load(); got != n {
				t.Errorf("%d messages handled before Closed, want %d", got, n)
			}
		})
	}
}

// TestHalfClosedPeer: a peer that says no more still gets the answers.
func TestHalfClosedPeer(t *testing.T) {
	srv := serve(t, options{})
	c, s := srv.connect(t)
	for i := range 50 {
		c.send(text(fmt.Sprint(i)))
	}
	_ = c.nc.(*net.TCPConn).CloseWrite()
	for i := range 50 {
		c.want(fin|1, fmt.Sprint(i))
	}
	c.wantEnd()
	s.wantClosed(t, wire.CodeAbnormal, "")
	srv.wantAllClosed(t)
}

// TestRudePeers go without a word.
func TestRudePeers(t *testing.T) {
	reset := func(c *client) { _ = c.nc.(*net.TCPConn).SetLinger(0); _ = c.nc.Close() }
	for _, tc := range []struct {
		name  string
		sent  []byte
		leave func(c *client)
	}{
		{"end", nil, func(c *client) { _ = c.nc.Close() }},
		{"end inside a header", text("unfinished")[:1], func(c *client) { _ = c.nc.Close() }},
		{"end inside a message", text("unfinished")[:9], func(c *client) { _ = c.nc.Close() }},
		{"end between fragments", frame(1, []byte("more")), func(c *client) { _ = c.nc.Close() }},
		{"reset", nil, reset},
		{"reset inside a message", text("unfinished")[:9], reset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock()
			srv := serve(t, options{Config: conn.Config{Now: clock.Now}})
			c, s := srv.connect(t)
			if len(tc.sent) > 0 {
				c.send(tc.sent)
			}
			tc.leave(c)
			s.wantClosed(t, wire.CodeAbnormal, "")
			if err := s.Write(wire.Frame(wire.Text, nil)); !errors.Is(err, conn.ErrClosed) {
				t.Errorf("write: %v", err)
			}
			srv.wantAllClosed(t)
		})
	}
}

// TestResetWhileHeld: a peer that is gone is noticed at the latest by the next
// ping, held or not.
func TestResetWhileHeld(t *testing.T) {
	clock := newClock()
	srv := serve(t, options{Config: fakeTimes(clock, 0, 0, short)})
	c, s := srv.connect(t)
	s.Hold()
	c.send(text("never handled"))
	_ = c.nc.(*net.TCPConn).SetLinger(0)
	_ = c.nc.Close()
	closed := make(chan closeEvent, 1)
	go func() { closed <- <-s.closed }()
	for len(closed) == 0 {
		srv.pass(t, clock, 300*tick) // more than the two seconds that an end may wait
	}
	if ev := get(t, closed); ev.code != wire.CodeAbnormal {
		t.Errorf("closed with %d", ev.code)
	}
	s.Resume()
	srv.wantAllClosed(t)
}

// TestWriteToResetPeer: the write that finds the peer gone says so, and Closed
// is called with no lock held.
func TestWriteToResetPeer(t *testing.T) {
	srv := serve(t, options{})
	c, s := srv.connect(t)
	_ = c.nc.(*net.TCPConn).SetLinger(0)
	_ = c.nc.Close()
	eventually(t, "writes fail", func() bool { return errors.Is(s.Write(wire.Frame(wire.Text, []byte("x"))), conn.ErrClosed) })
	s.wantClosed(t, wire.CodeAbnormal, "")
}
