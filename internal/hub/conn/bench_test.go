package conn_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// swallow reads and forgets, so that writers find room.
func swallow(nc net.Conn) {
	buf := make([]byte, 256<<10)
	for {
		if _, err := nc.Read(buf); err != nil {
			return
		}
	}
}

// deliver writes frame, as soon as there is room where a queue is full: a
// stream's writer is a goroutine of its own, and it is to be counted.
func (s *session) deliver(b *testing.B, frame []byte) {
	for {
		switch err := s.Write(frame); {
		case err == nil:
			return
		case !errors.Is(err, conn.ErrSlow):
			b.Fatal(err)
		}
		<-s.drained
	}
}

// BenchmarkWrite: one connection, a frame that the socket takes at once; bare
// is the system call through net.Conn.
func BenchmarkWrite(b *testing.B) {
	frame := wire.Frame(wire.Text, make([]byte, 128))
	b.Run("conn", func(b *testing.B) {
		srv := serve(b, options{Config: conn.Config{SendQueueBytes: 64 << 10}})
		c, s := srv.connect(b)
		_ = c.nc.SetDeadline(time.Time{})
		go swallow(c.nc)
		b.ReportAllocs()
		for b.Loop() {
			s.deliver(b, frame)
		}
	})
	b.Run("bare", func(b *testing.B) {
		conns := pairs(b, 1)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conns[0].Write(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// pairs returns n connections whose peers read and forget.
func pairs(b *testing.B, n int) []net.Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	conns := make([]net.Conn, n)
	for i := range conns {
		peer, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		if conns[i], err = l.Accept(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conns[i].Close(); _ = peer.Close() })
		go swallow(peer)
	}
	return conns
}

// BenchmarkEcho: a message there and back, one at a time.
func BenchmarkEcho(b *testing.B) {
	srv := serve(b, options{})
	c, _ := srv.connect(b)
	message := text("a message of some twenty bytes")
	answer := make([]byte, len(message)-4)
	_ = c.nc.SetDeadline(time.Time{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.nc.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c.nc, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanout: one frame to 1,000 connections, next to a loop of bare
// writes to as many.
func BenchmarkFanout(b *testing.B) {
	const n = 1000
	frame := wire.Frame(wire.Text, make([]byte, 128))
	b.Run("conn", func(b *testing.B) {
		srv := serve(b, options{Config: conn.Config{SendQueueBytes: 64 << 10}})
		var sessions []*session
		for range n {
			c, s := srv.connect(b)
			_ = c.nc.SetDeadline(time.Time{})
			go swallow(c.nc)
			sessions = append(sessions, s)
		}
		for b.Loop() {
			for _, s := range sessions {
				s.deliver(b, frame)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
	})
	b.Run("bare", func(b *testing.B) {
		conns := pairs(b, n)
		for b.Loop() {
			for _, nc := range conns {
				if _, err := nc.Write(frame); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
	})
}
