package bustest

import (
	"sync"
	"testing"
	"time"
)

// tally collects what callbacks are called with, for a test that waits for it. It
// is safe for concurrent use.
type tally[T any] struct {
	mu      sync.Mutex
	items   []T
	changed chan struct{} // closed by the next add; nil while nobody waits
}

func (l *tally[T]) add(v T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, v)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// all returns what there is now.
func (l *tally[T]) all() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items[:len(l.items):len(l.items)]
}

func (l *tally[T]) len() int { return len(l.all()) }

// wait waits until the items meet a condition; false means that they did not in
// that time.
func (l *tally[T]) wait(within time.Duration, met func([]T) bool) bool {
	end := time.NewTimer(within)
	defer end.Stop()
	for {
		l.mu.Lock()
		if met(l.items) {
			l.mu.Unlock()
			return true
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-end.C:
			return false
		}
	}
}

// waitLen fails the test unless there are n items in time.
func (l *tally[T]) waitLen(t *testing.T, n int, what string) []T {
	t.Helper()
	if !l.wait(patience, func(items []T) bool { return len(items) >= n }) {
		t.Fatalf("%s: %d of %d after %v", what, l.len(), n, patience)
	}
	return l.all()
}

// eventually fails the test unless a condition of a peer that gives no sign is
// met in time. It returns how long that took.
func eventually(t *testing.T, within time.Duration, what string, met func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		if time.Since(begin) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-tick.C
	}
	return time.Since(begin)
}

// never fails the test if something happens in a time.
func never[T any](t *testing.T, l *tally[T], during time.Duration, what string, happened func([]T) bool) {
	t.Helper()
	if l.wait(during, happened) {
		t.Errorf("happened: %s", what)
	}
}
