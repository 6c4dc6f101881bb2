package client_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record keeps what handlers were called with, in order.
type record struct {
	patience time.Duration // of await

	mu   sync.Mutex // guards all below
	all  []any
	more chan struct{} // closed when there is more
}

// newRecord is for bubbles, where time costs nothing; realRecord is not.
func newRecord() *record { return &record{patience: time.Hour, more: make(chan struct{})} }

func realRecord() *record { return &record{patience: hubtest.Timeout, more: make(chan struct{})} }

func (r *record) add(v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, v)
	close(r.more)
	r.more = make(chan struct{})
}

func (r *record) list() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]any(nil), r.all...)
}

// options returns opts with handlers that record everything.
func (r *record) options(opts client.Options) client.Options {
	opts.OnEvent = func(_ context.Context, e client.Event) { r.add(e) }
	opts.OnRoomMessage = func(_ context.Context, m client.RoomMessage) { r.add(m) }
	opts.OnDirect = func(_ context.Context, m client.DirectMessage) { r.add(m) }
	opts.OnMessage = func(_ context.Context, m client.Message) { r.add(m) }
	return opts
}

// await returns the n-th recorded value of type T, from 0, when it has come.
func await[T any](t testing.TB, r *record, n int) T {
	t.Helper()
	for {
		r.mu.Lock()
		found, more := only[T](r.all), r.more
		r.mu.Unlock()
		if len(found) > n {
			return found[n]
		}
		select {
		case <-more:
		case <-time.After(r.patience):
			t.Fatalf("no %v number %d; there are %+v", reflect.TypeFor[T](), n, r.list())
		}
	}
}

// count returns how many values of type T are recorded.
func count[T any](r *record) int { return len(only[T](r.list())) }

func only[T any](all []any) (found []T) {
	for _, v := range all {
		if x, ok := v.(T); ok {
			found = append(found, x)
		}
	}
	return found
}
