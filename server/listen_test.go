package server_test

import (
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chenxilol/gohub/server"
)

// brokenListener fails to accept, with one error after the other.
type brokenListener struct {
	net.Listener
	errs []error
}

func (l *brokenListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *brokenListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// TestAcceptErrorsAreLogged: once in a while, and not that the listener is
// closed.
func TestAcceptErrorsAreLogged(t *testing.T) {
	var log syncBuffer
	now := time.Unix(1e9, 0)
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	l := server.WatchListener(&brokenListener{errs: []error{net.ErrClosed, full, full, full, full}},
		slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	for i, want := range []int{0, 1, 1, 1, 2} {
		if i == 4 {
			now = now.Add(10 * time.Second)
		}
		if _, err := l.Accept(); err == nil {
			t.Fatal("accepted")
		}
		if n := strings.Count(log.String(), "level=WARN"); n != want {
			t.Errorf("%d lines after %d errors, want %d", n, i+1, want)
		}
	}
	for _, want := range []string{syscall.EMFILE.Error(), "times=1", "times=3", "address=127.0.0.1:1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}
