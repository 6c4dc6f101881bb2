package bustest_test

import (
	"context"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

// faulty is a bus in memory some of whose methods are replaced.
type faulty struct {
	*memory.Bus
	publish   func(subject string, payload []byte) error
	subscribe func(subject string, deliver func(bus.Message)) (bus.Subscription, error)
	probe     func(context.Context) error
	close     func(context.Context) error
	stats     func() bus.Stats
	log       *faultyLog
	confirm   func(ctx context.Context, node string, ttl time.Duration) error
}

// sound returns a bus that does what it should.
func sound(b *memory.Bus) *faulty {
	f := &faulty{
		Bus: b, publish: b.Publish, subscribe: b.Subscribe, probe: b.Probe, close: b.Close, stats: b.Stats,
		confirm: b.Leaser().Confirm,
	}
	if l := b.Log(); l != nil {
		f.log = &faultyLog{append: l.Append, read: l.Read, tails: l.Tails, delete: l.Delete}
	}
	return f
}

func (f *faulty) Publish(subject string, payload []byte) error { return f.publish(subject, payload) }
func (f *faulty) Probe(ctx context.Context) error              { return f.probe(ctx) }
func (f *faulty) Close(ctx context.Context) error              { return f.close(ctx) }
func (f *faulty) Stats() bus.Stats                             { return f.stats() }
func (f *faulty) Leaser() bus.Leaser                           { return f }

func (f *faulty) Subscribe(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
	return f.subscribe(subject, deliver)
}

func (f *faulty) Confirm(ctx context.Context, node string, ttl time.Duration) error {
	return f.confirm(ctx, node, ttl)
}

func (f *faulty) Log() bus.Log {
	if f.log == nil {
		return nil
	}
	return f.log
}

// faultyLog is a log some of whose methods are replaced.
type faultyLog struct {
	append func(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error)
	read   func(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error)
	tails  func(ctx context.Context, subjects []string) ([]bus.Tail, error)
	delete func(ctx context.Context, subject string) error
}

func (f *faultyLog) Append(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	return f.append(ctx, subject, id, payload, keep)
}

func (f *faultyLog) Read(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
	return f.read(ctx, subject, after, limit)
}

func (f *faultyLog) Tails(ctx context.Context, subjects []string) ([]bus.Tail, error) {
	return f.tails(ctx, subjects)
}

func (f *faultyLog) Delete(ctx context.Context, subject string) error { return f.delete(ctx, subject) }

// heard replaces what is done with each message that is delivered.
func (f *faulty) heard(change func(deliver func(bus.Message)) func(bus.Message)) {
	subscribe := f.subscribe
	f.subscribe = func(subject string, deliver func(bus.Message)) (bus.Subscription, error) {
		return subscribe(subject, change(deliver))
	}
}

// harness runs the suite at a broker in memory whose buses are made faulty.
func harness(broker *memory.Broker, options func(*bus.Options), spoil func(*faulty)) bustest.Harness {
	return bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus {
			if options != nil {
				options(&o)
			}
			b, err := broker.Connect(o)
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			f := sound(b)
			if spoil != nil {
				spoil(f)
			}
			return f
		},
		Kill:    func(*testing.T) { broker.Stop() },
		Restart: func(*testing.T) { broker.Start() },
		RestartEmpty: func(*testing.T) {
			broker.Wipe()
			broker.Start()
		},
		Pause:          func(*testing.T) { broker.Pause() },
		Resume:         func(*testing.T) { broker.Resume() },
		History:        true,
		ExactRetention: true,
		TTL:            50 * time.Millisecond,
		Leases:         true,
		TotalOrder:     true,
	}
}
