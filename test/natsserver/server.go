// Package natsserver runs nats-servers as processes of their own for tests, which
// can kill, pause, restart and empty them.
package natsserver

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start.
const patience = 30 * time.Second

// Config says what a server is to be.
type Config struct {
	// JetStream turns it on, with files below the server's own folder.
	JetStream bool
	// Lines are added to the configuration file, such as "tls { ... }".
	Lines string
}

// Server is one nats-server. Its methods must not be called at the same time;
// they fail the test that they are given.
type Server struct {
	name    string
	program string
	dir     string // configuration, log and data
	client  string // host:port
	cluster string // host:port, "" outside a cluster
	routes  []string
	process *exec.Cmd
	exited  chan struct{}
}

// New starts a server, which ends with the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	s := prepare(t, Program(t), "alone", FreeAddress(t))
	s.Configure(t, c)
	s.Start(t)
	return s
}

// NewCluster starts n servers that form a cluster.
func NewCluster(t testing.TB, n int, c Config) []*Server {
	t.Helper()
	servers := make([]*Server, n)
	routes := make([]string, n)
	program, addresses := Program(t), freeAddresses(t, 2*n)
	for i := range servers {
		servers[i] = prepare(t, program, fmt.Sprintf("server-%d", i+1), addresses[i])
		servers[i].cluster = addresses[n+i]
		routes[i] = "nats://" + servers[i].cluster
	}
	for _, s := range servers {
		s.routes = routes
		s.Configure(t, c)
		s.launch(t)
	}
	for _, s := range servers {
		s.await(t)
	}
	return servers
}

func prepare(t testing.TB, program, name, address string) *Server {
	t.Helper()
	s := &Server{name: name, program: program, dir: t.TempDir(), client: address}
	t.Cleanup(func() { s.end(t) })
	return s
}

// FreeAddress returns an address of this machine that nobody listens at. Its
// port is not one that the system gives to outgoing connections, so that a killed
// server finds it free when it comes back.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return freeAddresses(t, 1)[0]
}

// freeAddresses returns several that differ.
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	const first, last, tries = 10_000, 32_000, 1000
	var free []string
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.N(last-first))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // when all are found
		if free = append(free, address); len(free) == n {
			return free
		}
	}
	t.Fatalf("no %d free ports", n)
	return nil
}

// Configure changes what the server is to be when it starts the next time.
func (s *Server) Configure(t testing.TB, c Config) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %q\nlisten: %q\nlog_file: %q\n", s.name, s.client, filepath.Join(s.dir, "log"))
	if c.JetStream {
		fmt.Fprintf(&b, "jetstream { store_dir: %q }\n", s.data())
	}
	if s.cluster != "" {
		fmt.Fprintf(&b, "cluster { name: test, listen: %q, routes: [%s] }\n", s.cluster, strings.Join(s.routes, ", "))
	}
	b.WriteString(c.Lines)
	if err := os.WriteFile(s.file(), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) file() string { return filepath.Join(s.dir, "server.conf") }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Name is the server's name in its cluster.
func (s *Server) Name() string { return s.name }

// URL is where clients connect.
func (s *Server) URL() string { return "nats://" + s.client }

// Address is where clients connect, as host:port.
func (s *Server) Address() string { return s.client }

// URLs are where clients connect to several servers.
func URLs(servers []*Server) []string {
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = s.URL()
	}
	return urls
}

// Start starts the server, at the same address and with the data it had, and
// waits until it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.launch(t)
	s.await(t)
}

func (s *Server) launch(t testing.TB) {
	t.Helper()
	s.process = exec.Command(s.program, "-c", s.file())
	if err := s.process.Start(); err != nil {
		t.Fatalf("start nats-server: %v", err)
	}
	process, exited := s.process, make(chan struct{})
	s.exited = exited
	go func() {
		_ = process.Wait() // a killed process is an error
		close(exited)
	}()
}

// await waits until the server greets who connects.
func (s *Server) await(t testing.TB) {
	t.Helper()
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		if s.greets() {
			return
		}
		select {
		case <-s.exited:
			t.Fatalf("nats-server %s has ended:\n%s", s.name, s.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("nats-server %s takes no connections after %v:\n%s", s.name, patience, s.log())
}

func (s *Server) greets() bool {
	conn, err := net.DialTimeout("tcp", s.client, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	line, _ := bufio.NewReader(conn).ReadString(' ')
	return line == "INFO "
}

func (s *Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text[max(0, len(text)-4096):])
}

func (s *Server) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		t.Fatalf("%v to nats-server %s: %v", sig, s.name, err)
	}
}

// Kill ends the server at once (SIGKILL).
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	<-s.exited
}

// Pause stops the server without closing a connection (SIGSTOP), and waits until
// it stands still.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	for end := time.Now().Add(patience); !s.stopped(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nats-server %s does not stop", s.name)
		}
	}
}

// stopped says whether every thread of the server has stopped, which happens a
// moment after the signal. Systems without /proc do not tell.
func (s *Server) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.process.Process.Pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The state follows the name, which is in parentheses (proc_pid_stat(5)).
		if i := strings.LastIndex(string(stat), ") "); i < 0 || stat[i+2] != 'T' {
			return false
		}
	}
	return true
}

// Resume has a paused server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
}

// Wipe removes the data of a server that has been killed.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
}

// end kills the server if it runs, paused or not.
func (s *Server) end(t testing.TB) {
	if s.process == nil || s.process.Process == nil {
		return
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("end nats-server %s: %v", s.name, err)
	}
	<-s.exited
}
