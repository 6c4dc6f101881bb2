package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// acceptLogInterval is how often at most errors of accepting are logged.
const acceptLogInterval = 10 * time.Second

// listen listens on a TCP address, which prefix tells from others.
func listen(prefix, address string, log *slog.Logger) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err) // it begins with "listen tcp"
	}
	return &watchedListener{Listener: ln, log: log, now: time.Now}, nil
}

// watchedListener logs why connections cannot be accepted, such as a limit of
// descriptors: net/http waits and tries again, and tells it among what peers do
// wrong.
type watchedListener struct {
	net.Listener
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex // guards all below
	logged time.Time
	failed int // times since then
}

func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		l.warn(err)
	}
	return conn, err
}

func (l *watchedListener) warn(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	if now := l.now(); l.logged.IsZero() || now.Sub(l.logged) >= acceptLogInterval {
		l.log.Warn("connections cannot be accepted", "address", l.Addr().String(), "error", err, "times", l.failed)
		l.logged, l.failed = now, 0
	}
}
