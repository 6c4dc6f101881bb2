//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/redisserver"
)

const patience = 30 * time.Second

// connect makes a bus whose notices go into a channel, and closes it at the end.
func connect(t testing.TB, cfg redis.Config, o bus.Options) (*redis.Bus, chan bus.Notice) {
	t.Helper()
	notices := make(chan bus.Notice, 1000)
	o.Notify = func(n bus.Notice) { notices <- n }
	b, err := redis.Connect(cfg, o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	probe(t, b)
	return b, notices
}

func probe(t testing.TB, b *redis.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Probe(ctx); err != nil {
		t.Fatalf("probe: %v", err)
	}
}

func subscribe(t testing.TB, b *redis.Bus, subject string) chan bus.Message {
	t.Helper()
	heard := make(chan bus.Message, 1000)
	if _, err := b.Subscribe(subject, func(m bus.Message) { heard <- m }); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return heard
}

func publish(t testing.TB, b *redis.Bus, subject string) {
	t.Helper()
	if err := b.Publish(subject, []byte(subject)); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// next waits for the next of a channel that a test accepts.
func next[T any](t testing.TB, what string, from <-chan T, accept func(T) bool) T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case v := <-from:
			if accept(v) {
				return v
			}
		case <-late.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func ofKind(k bus.NoticeKind) func(bus.Notice) bool {
	return func(n bus.Notice) bool { return n.Kind == k }
}

func anything[T any](T) bool { return true }

func TestConnectRefusesBadConfiguration(t *testing.T) {
	for _, tt := range []struct {
		cfg  redis.Config
		o    bus.Options
		want string
	}{
		{cfg: redis.Config{Addr: "x"}, want: "addr: must be host:port"},
		{cfg: redis.Config{TLS: config.ClientTLS{CAFile: "missing.pem"}}, want: "tls.caFile"},
		{o: bus.Options{History: bus.Retention{Size: -1}}, want: "history"},
	} {
		if _, err := redis.Connect(tt.cfg, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %s", tt.cfg, err, tt.want)
		}
	}
}

// A node does not hear what it publishes, and hubs with another prefix or
// database hear nothing of it either.
func TestStrangers(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	a, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	friend, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	prefix, _ := connect(t, redis.Config{Addr: s.Addr, Prefix: "other"}, bus.Options{})
	db, _ := connect(t, redis.Config{Addr: s.Addr, DB: 1}, bus.Options{})
	heard := subscribe(t, friend, "x")
	for _, b := range []*redis.Bus{a, prefix, db} {
		if _, err := b.Subscribe("x", func(bus.Message) { t.Error("heard by a stranger") }); err != nil {
			t.Fatalf("subscribe: %v", err)
		}
	}
	for _, b := range []*redis.Bus{a, friend, prefix, db} {
		probe(t, b)
	}
	publish(t, a, "x")
	next(t, "a message", heard, anything)
	for _, b := range []*redis.Bus{a, prefix, db} {
		probe(t, b) // behind what would have come
		if n := b.Stats().ReceivedMessages; n != 0 {
			t.Errorf("%d messages came to a stranger", n)
		}
	}
}

// A subscriber that Redis disconnects is told of and comes back.
func TestConnectionKilled(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	admin := s.Client(t)
	a, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	b, notices := connect(t, redis.Config{Addr: s.Addr}, bus.Options{Node: "b"})
	heard := subscribe(t, b, "x")
	for _, kind := range []string{"pubsub", "normal"} {
		if err := admin.ClientKillByFilter(t.Context(), "TYPE", kind, "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		next(t, "Disconnected after the end of a "+kind+" connection", notices, ofKind(bus.Disconnected))
		next(t, "Connected", notices, ofKind(bus.Connected))
		probe(t, a)
		publish(t, a, "x")
		next(t, "a message", heard, anything)
	}
	if n := b.Stats().Reconnects; n < 2 {
		t.Errorf("%d reconnects, want 2", n)
	}
}

// What an old connection still holds does not come behind what a new one has
// brought.
func TestOldConnectionIsFenced(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	proxy := redisserver.StartProxy(t, s)
	a, notices := connect(t, redis.Config{Addr: proxy.Addr}, bus.Options{})
	b, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	heard := make(chan string, 10)
	for _, subject := range []string{"old", "new", "newer"} {
		if _, err := b.Subscribe(subject, func(m bus.Message) { heard <- m.Subject }); err != nil {
			t.Fatal(err)
		}
	}
	probe(t, b)
	proxy.Hold()
	publish(t, a, "old")
	next(t, "Disconnected", notices, ofKind(bus.Disconnected))
	next(t, "Connected", notices, ofKind(bus.Connected))
	publish(t, a, "new")
	next(t, "a message of the new connection", heard, func(s string) bool { return s == "new" })
	proxy.Heal()
	redisserver.Eventually(t, "the old connections are gone", func(ctx context.Context) error {
		if list := s.Client(t).ClientList(ctx).Val(); strings.Count(list, "cmd=publish") > 1 {
			return errors.New(list)
		}
		return nil
	})
	publish(t, a, "newer")
	if got := next(t, "another message", heard, anything); got != "newer" {
		t.Errorf("%q came behind what was published later", got)
	}
}

// A server that hangs is noticed without any call.
func TestPauseIsNoticed(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	_, notices := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	s.Pause(t)
	began := time.Now()
	next(t, "Disconnected", notices, ofKind(bus.Disconnected))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	s.Resume(t)
	next(t, "Connected", notices, ofKind(bus.Connected))
}

// The connection for subscriptions may hang alone.
func TestHangingSubscriptionsAreNoticed(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	proxy := redisserver.StartProxy(t, s)
	b, notices := connect(t, redis.Config{Addr: proxy.Addr}, bus.Options{})
	a, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	heard := subscribe(t, b, "x")
	probe(t, b)
	list := s.Client(t).Do(t.Context(), "client", "list", "type", "pubsub").Val()
	_, addr, _ := strings.Cut(fmt.Sprint(list), " addr=")
	addr, _, _ = strings.Cut(addr, " ")
	proxy.Hold(addr)
	next(t, "Disconnected", notices, ofKind(bus.Disconnected))
	next(t, "Connected", notices, ofKind(bus.Connected))
	publish(t, a, "x")
	next(t, "a message", heard, anything)
}

// When Connected is told no connection is a dead one, although an idle one shows
// nothing when its server dies.
func TestConnectedIsTrue(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	a, notices := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	b, others := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	heard := make(chan string, 1000)
	if _, err := b.Subscribe("x", func(m bus.Message) { heard <- string(m.Payload) }); err != nil {
		t.Fatal(err)
	}
	probe(t, b)
	for i := range 5 {
		s.Kill(t)
		s.Restart(t)
		next(t, "Connected", notices, ofKind(bus.Connected))
		next(t, "Connected", others, ofKind(bus.Connected))
		if err := a.Publish("x", fmt.Append(nil, i)); err != nil {
			t.Fatalf("publish after Connected: %v", err)
		}
		next(t, "what was published after Connected", heard, func(s string) bool { return s == fmt.Sprint(i) })
	}
}

// A master that becomes a replica by hand closes no connection: what is
// published there would be heard there only.
func TestReplicaIsNoBroker(t *testing.T) {
	master, other := redisserver.Start(t, redisserver.Config{}), redisserver.Start(t, redisserver.Config{})
	b, notices := connect(t, redis.Config{Addr: master.Addr}, bus.Options{})
	host, port, _ := strings.Cut(other.Addr, ":")
	if err := master.Client(t).ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	next(t, "Disconnected", notices, ofKind(bus.Disconnected))
	if err := b.Publish("x", nil); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("publish to a replica: %v", err)
	}
	if err := master.Client(t).ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	next(t, "Connected", notices, ofKind(bus.Connected))
}

// Every part that may grow has a bound, and a slow receiver hears of it.
func TestSlowReceiverIsTold(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	a, _ := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	b, notices := connect(t, redis.Config{Addr: s.Addr}, bus.Options{})
	open := make(chan struct{})
	release := sync.OnceFunc(func() { close(open) })
	t.Cleanup(release) // before the bus is closed, which waits for it
	var delivered atomic.Int64
	if _, err := b.Subscribe("x", func(bus.Message) { <-open; delivered.Add(1) }); err != nil {
		t.Fatal(err)
	}
	probe(t, b)
	sent := 0
	for b.Stats().Dropped == 0 {
		if err := a.Publish("x", make([]byte, 64<<10)); err != nil {
			probe(t, a)
			continue
		}
		sent++
	}
	n := next(t, "Dropped", notices, ofKind(bus.Dropped))
	if !slices.Equal(n.Subjects, []string{"x"}) || n.Err == nil {
		t.Errorf("notice %+v", n)
	}
	probe(t, a)
	probe(t, b)
	release()
	redisserver.Eventually(t, "everything is delivered or counted", func(context.Context) error {
		if got := int(delivered.Load()) + int(b.Stats().Dropped); got != sent {
			return fmt.Errorf("%d of %d", got, sent)
		}
		return nil
	})
}
