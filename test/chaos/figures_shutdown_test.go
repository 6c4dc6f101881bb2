package chaos_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// crowdEnviron names the environment of a process of this test's program that is
// nothing but clients: a process has descriptors for one end of so many
// connections only.
const crowdEnviron = "CHAOS_CLIENTS_OF"

// departures is what a process of clients has seen.
type departures struct {
	Codes map[string]int
	After []time.Duration // of the closes, from the first on
}

// BenchmarkShutdown: a hub with as many clients as descriptors allow is shut
// down. It takes no longer than its window and what a close takes (2 s), each
// client is closed with 1012 and none before its slot, and no goroutine or
// descriptor stays.
func BenchmarkShutdown(b *testing.B) {
	const window = 10 * time.Second
	n := clientsFor(b, 19_000)
	for b.Loop() {
		runtime.GC()
		goroutines, files := runtime.NumGoroutine(), openFiles(b)
		s, err := server.NewServer(hubtest.Options(&server.Options{Drain: server.Drain{Delay: -1, Window: window}}))
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Start() }()
		hubtest.Attach(b, s)
		clients, seen := startClients(b, s.Addr(), n)
		begin := time.Now()
		if err := s.Shutdown(b.Context()); err != nil {
			b.Error(err)
		}
		took := time.Since(begin)
		if err := <-done; err != nil {
			b.Error(err)
		}
		var d departures
		if err := json.NewDecoder(seen).Decode(&d); err != nil {
			b.Fatal(err)
		}
		if err := clients.Wait(); err != nil {
			b.Fatal(err)
		}
		if d.Codes["1012"] != n {
			b.Errorf("closed with %v, want %d of 1012", d.Codes, n)
		}
		if took > window+5*time.Second {
			b.Errorf("it took %v", took)
		}
		eventually(b, "its goroutines and descriptors are gone", func() bool {
			return runtime.NumGoroutine() <= goroutines+2 && openFiles(b) <= files+2
		})
		slices.Sort(d.After)
		b.ReportMetric(float64(n), "clients")
		b.ReportMetric(took.Seconds(), "shutdown-s")
		b.ReportMetric(d.After[len(d.After)-1].Seconds(), "last-close-s")
		b.ReportMetric(peak(d.After)/(float64(n)/window.Seconds()), "peak/mean")
	}
}

// clientsFor returns how many of n clients this process may have.
func clientsFor(b *testing.B, n int) int {
	b.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	return min(n, int(limit.Cur)-1000)
}

func openFiles(b *testing.B) int {
	b.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	return len(list)
}

// startClients starts a process with n clients, and returns when they are
// connected; it writes what it has seen.
func startClients(b *testing.B, address net.Addr, n int) (*exec.Cmd, *bufio.Reader) {
	b.Helper()
	cmd := exec.Command(os.Args[0], fmt.Sprint("-chaos.clients=", n))
	cmd.Env, cmd.Stderr = append(os.Environ(), crowdEnviron+"="+address.String()), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	r := bufio.NewReader(out)
	if _, err := r.ReadString('\n'); err != nil {
		b.Fatalf("the clients are not connected: %v", err)
	}
	return cmd, r
}

// beClients connects n clients to a hub, says so with a line, and writes how
// they ended when all have.
func beClients(address string, n int) error {
	var (
		list    = make([]*websocket.Conn, n)
		dialing sync.WaitGroup
		failed  atomic.Pointer[error]
		limit   = make(chan struct{}, 64)
		dialer  = websocket.Dialer{HandshakeTimeout: patience, ReadBufferSize: 512, WriteBufferSize: 512, Subprotocols: []string{"gohub.v1"}}
	)
	for i := range list {
		limit <- struct{}{}
		dialing.Go(func() {
			defer func() { <-limit }()
			c, _, err := dialer.Dial("ws://"+address+"/ws", nil)
			if err != nil {
				failed.Store(&err)
				return
			}
			list[i] = c
		})
	}
	dialing.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Println("connected")
	var (
		reading sync.WaitGroup
		mu      sync.Mutex
		first   time.Time
		seen    = departures{Codes: make(map[string]int)}
	)
	for _, c := range list {
		reading.Go(func() {
			defer c.Close()
			var err error
			for err == nil {
				_, _, err = c.ReadMessage()
			}
			how := err.Error()
			if e, ok := err.(*websocket.CloseError); ok {
				how = fmt.Sprint(e.Code)
			}
			mu.Lock()
			defer mu.Unlock()
			if first.IsZero() {
				first = time.Now()
			}
			seen.Codes[how]++
			seen.After = append(seen.After, time.Since(first))
		})
	}
	reading.Wait()
	return json.NewEncoder(os.Stdout).Encode(seen)
}
