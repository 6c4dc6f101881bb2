//go:build unix

// Package redisserver runs Redis servers for tests: one, one with Sentinels, a
// Redis Cluster; and kills, pauses, restarts and empties them.
package redisserver

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chenxilol/gohub/test/peer"
	goredis "github.com/redis/go-redis/v9"
)

// patience is how long a server may take for what it must do.
const patience = 60 * time.Second

// Config sets how a server runs. The zero Config is a server without passwords
// that keeps every write on disk before it answers.
type Config struct {
	// Lines are put behind those of redis.conf that this package gives.
	Lines []string
	// TLS has the server take TLS connections only. The client side is what a
	// test needs to reach it.
	TLS *TLS
	// ACL are lines of an ACL file. Without a line for "default" that user may
	// do everything without a password, which this package needs; with one,
	// set Username and Password.
	ACL []string
	// Username and Password are what this package signs in with.
	Username, Password string

	sentinel bool // a Sentinel: Lines are all there is
}

// Server is one process of redis-server. Its methods fail the test on errors;
// they are for one goroutine at a time.
type Server struct {
	// Addr is its host:port. It stays the same over restarts.
	Addr string

	config Config
	dir    string
	port   int
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a server and waits until it answers. It is stopped at the end of
// the test.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	s := &Server{config: c, dir: t.TempDir(), port: freePort(t)}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	s.start(t)
	t.Cleanup(s.stop)
	s.await(t)
	return s
}

// Client returns a client of the server, which the test closes by itself at its
// end.
func (s *Server) Client(t testing.TB) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(s.options())
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends the process without a word (SIGKILL).
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.stop()
}

// Restart starts the process again that Kill has ended, with the data that it
// has kept, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.start(t)
	s.await(t)
}

// Wipe removes the data of a process that Kill has ended.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	for _, pattern := range []string{"appendonlydir", "dump.rdb"} {
		if err := os.RemoveAll(filepath.Join(s.dir, pattern)); err != nil {
			t.Fatalf("wipe redis: %v", err)
		}
	}
}

// Pause stops the process without closing a connection (SIGSTOP).
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
}

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal redis-server: %v", err)
	}
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	file := filepath.Join(s.dir, "redis.conf")
	// A failover and a Sentinel have written to one that exists.
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, []byte(strings.Join(s.lines(t), "\n")+"\n"), 0o600); err != nil {
			t.Fatalf("configure redis-server: %v", err)
		}
	}
	args := []string{file}
	if s.config.sentinel {
		args = append(args, "--sentinel")
	}
	s.cmd = exec.Command(peer.Program(t, "redis-server"), args...) // not of the test's context, which ends before cleanups
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("log of redis-server: %v", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed
	}()
}

// lines is what redis.conf begins with.
func (s *Server) lines(t testing.TB) []string {
	t.Helper()
	port := strconv.Itoa(s.port)
	lines := []string{"bind 127.0.0.1", "port " + port}
	if s.config.sentinel {
		return append(lines, s.config.Lines...)
	}
	lines = append(lines, "dir "+s.dir, `save ""`, "appendonly yes", "appendfsync always")
	if s.config.TLS != nil {
		lines = append(lines, "port 0", "tls-port "+port)
		lines = append(lines, s.config.TLS.lines()...)
	}
	if len(s.config.ACL) > 0 {
		file := filepath.Join(s.dir, "users.acl")
		if err := os.WriteFile(file, []byte(strings.Join(s.config.ACL, "\n")+"\n"), 0o600); err != nil {
			t.Fatalf("write users: %v", err)
		}
		lines = append(lines, "aclfile "+file)
	}
	return append(lines, s.config.Lines...)
}

// stop ends the process, also one that is paused.
func (s *Server) stop() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.exited
}

func (s *Server) options() *goredis.Options {
	o := &goredis.Options{
		Addr: s.Addr, Username: s.config.Username, Password: s.config.Password,
		MaxRetries: -1, DialerRetries: 1, Protocol: 2,
	}
	if s.config.TLS != nil {
		o.TLSConfig = s.config.TLS.client()
	}
	return o
}

// await waits until the server answers and has loaded its data.
func (s *Server) await(t testing.TB) {
	t.Helper()
	Eventually(t, "redis-server "+s.Addr+" answers", func(ctx context.Context) error {
		select {
		case <-s.exited:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("redis-server has ended:\n%s", log)
		default:
		}
		// Before go-redis, which tells standard error of every attempt.
		probe, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
		if err != nil {
			return err
		}
		_ = probe.Close()
		c := goredis.NewClient(s.options())
		defer func() { _ = c.Close() }()
		return c.Ping(ctx).Err()
	})
}

// Eventually fails the test unless try succeeds in time.
func Eventually(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s: %v", patience, what, err)
		}
	}
}

// freePort returns one that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a port: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// errNotYet is what is tried again.
var errNotYet = errors.New("not yet")
