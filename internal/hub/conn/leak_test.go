package conn_test

import (
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// sockets counts this process' sockets, -1 where the system does not say.
func sockets() int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// TestChurn connects, talks and leaves in every way, politely and not; then
// nothing of it is left.
func TestChurn(t *testing.T) {
	const workers = 8
	cycles := 2000
	if testing.Short() {
		cycles = 400
	}
	srv := serve(t, options{
		Config: conn.Config{ReadTimeout: time.Minute, WriteTimeout: time.Minute, PingInterval: time.Minute, SendQueueBytes: 64 << 10},
	})
	first, _ := srv.connect(t) // whatever is made once is made now
	goroutines, open := runtime.NumGoroutine(), sockets()
	all := make(chan *session, cycles)
	go func() {
		for range cycles {
			all <- <-srv.sessions
		}
	}()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < cycles; i += workers {
				churn(t, srv, i)
			}
		})
	}
	wg.Wait()
	for range cycles {
		get(t, get(t, all).closed)
	}
	eventually(t, "sockets are closed", func() bool { return sockets() <= open })
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	if q := srv.engine.Queued(); q != 0 {
		t.Errorf("%d bytes queued for nobody", q)
	}
	first.send(text("still here"))
	first.want(fin|1, "still here")
}

// churn is one connection; i chooses how it ends.
func churn(t *testing.T, srv *server, i int) {
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(append([]byte(handshake()), text("hello")...)); err != nil {
		t.Error(err)
		return
	}
	var got []byte
	for buf := make([]byte, 1024); !strings.HasSuffix(string(got), "\x81\x05hello"); {
		n, err := nc.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			t.Errorf("cycle %d: %q, %v", i, got, err)
			return
		}
	}
	switch i % 5 {
	case 0: // politely
		_, _ = nc.Write(closing(1000))
		_, _ = nc.Read(make([]byte, 64))
	case 1:
		_ = nc.(*net.TCPConn).SetLinger(0)
	case 2:
		_, _ = nc.Write(text("unfinished")[:7])
	case 3:
		_, _ = nc.Write([]byte("not a frame"))
	}
}

// TestGoroutinesDoNotFollowConnections: idle connections of an event loop have
// none; a stream has one.
func TestGoroutinesDoNotFollowConnections(t *testing.T) {
	srv := serve(t, options{})
	const n = 200
	before := runtime.NumGoroutine()
	for range n {
		c, _ := srv.connect(t)
		c.send(text("hello"))
		c.want(fin|1, "hello")
	}
	limit := before + 10
	if *engineFlag == "goroutine" {
		limit += n
	}
	eventually(t, "goroutines are few", func() bool { return runtime.NumGoroutine() <= limit })
}

// TestMemoryUnderLastingLoad: a handler that is never done with what waits
// makes nothing grow.
func TestMemoryUnderLastingLoad(t *testing.T) {
	const total = 100_000
	turn := make(chan struct{}, 1)
	srv := serve(t, options{message: func(s *session, op wire.Opcode, payload []byte) {
		if payload[0] == 'm' {
			turn <- struct{}{}
			return
		}
		echo(s, op, payload)
	}})
	c, _ := srv.connect(t)
	go func() {
		chunk := []byte(strings.Repeat(string(text("m")), 1000))
		for range total / 1000 {
			_, _ = c.nc.Write(chunk)
		}
		_, _ = c.nc.Write(text("end"))
	}()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range total / 2 {
		<-turn
	}
	if h := heap(); h > 64<<20 {
		t.Errorf("heap of %d MiB in the middle", h>>20)
	}
	for range total / 2 {
		<-turn
	}
	c.want(fin|1, "end")
}
