package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/chenxilol/gohub/pkg/bus"
)

// state knows whether everything is there: all connections, and all
// subscriptions in force. It tells of changes.
type state struct {
	notices *notifier
	logger  *slog.Logger

	mu         sync.Mutex
	missing    map[any]error    // guarded by mu: connections that are not there, and why
	loose      map[int]struct{} // guarded by mu: partitions that are being subscribed to again
	away       bool             // guarded by mu: something has been missing since Connected
	first      bool             // guarded by mu: never has everything been there
	quiet      bool             // guarded by mu: Connect is still waiting, which tells enough
	reconnects uint64           // guarded by mu
	changed    chan struct{}    // guarded by mu: closed by the next change
}

func newState(n *notifier, logger *slog.Logger) *state {
	return &state{
		notices: n, logger: logger,
		missing: map[any]error{}, loose: map[int]struct{}{},
		away: true, first: true, quiet: true,
		changed: make(chan struct{}),
	}
}

// lost says that a connection is not there.
func (s *state) lost(part any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.missing[part]
	if !errors.Is(err, errConnecting) && (before == nil || errors.Is(before, errConnecting)) {
		s.logger.Warn("redis: not connected", "error", err) // and not again with each attempt
	}
	s.missing[part] = err
	if !s.away {
		s.away = true
		s.notices.add(bus.Notice{Kind: bus.Disconnected, Err: err})
	}
	s.change()
}

// found says that a connection is there, or that nobody needs it any more.
func (s *state) found(part any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missing, part)
	s.change()
}

// loosen says that a partition is no longer subscribed to.
func (s *state) loosen(partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loose[partition] = struct{}{}
	s.change()
}

// fasten is the inverse of loosen.
func (s *state) fasten(partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.loose, partition)
	s.change()
}

// change is called with mu held, behind every change.
func (s *state) change() {
	close(s.changed)
	s.changed = make(chan struct{})
	if !s.whole() || !s.away {
		return
	}
	s.away = false
	s.logger.Info("redis: connected")
	if !s.quiet {
		s.notices.add(bus.Notice{Kind: bus.Connected})
	}
	if !s.first {
		s.reconnects++
	}
	s.first, s.quiet = false, false
}

func (s *state) whole() bool { return len(s.missing) == 0 && len(s.loose) == 0 }

// now reports whether everything is there; if not, changed is closed by the
// next change and err says what is missing.
func (s *state) now() (whole bool, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = errors.New("a part of the subjects is being subscribed to again")
	for _, e := range s.missing {
		err = e
	}
	return s.whole(), s.changed, err
}

// wait waits until everything is there.
func (s *state) wait(ctx context.Context) error {
	for {
		whole, changed, err := s.now()
		if whole {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// start waits for the first connection, but no longer than until something has
// failed or ctx ends. From then on Connected is told.
func (s *state) start(ctx context.Context) {
	for {
		whole, changed, err := s.now()
		if whole || !errors.Is(err, errConnecting) {
			break
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		}
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = false
}

func (s *state) reconnected() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reconnects
}

// errConnecting is what is missing before the first attempt has ended.
var errConnecting = errors.New("connecting to redis")
