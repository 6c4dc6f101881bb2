package nats_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/natsserver"
)

var keep = bus.Retention{Size: 50}

func logNode(t *testing.T, servers []*natsserver.Server, j config.JetStream) (*nats.Bus, bus.Log) {
	t.Helper()
	j.Enable = true
	b := connect(t, nats.Config{URLs: natsserver.URLs(servers), JetStream: j}, bus.Options{History: keep})
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b, b.Log()
}

func appendOne(t *testing.T, l bus.Log, subject, id string) bus.Place {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := l.Append(ctx, subject, id, []byte(id), keep)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return p
}

func tailOf(t *testing.T, l bus.Log, subject string) bus.Tail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		tails, err := l.Tails(ctx, []string{subject})
		if err == nil {
			return tails[0]
		}
		if !errors.Is(err, bus.ErrRefused) { // which says that the server is away
			t.Fatalf("tails: %v", err)
		}
		<-tick.C
	}
}

// Nodes that find no stream at the same moment come to one epoch.
func TestNodesAgreeOnAnEpoch(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			servers := natsserver.NewCluster(t, 3, natsserver.Config{JetStream: true})
			natsserver.AwaitJetStream(t, servers)
			const nodes = 8
			var wg sync.WaitGroup
			var logs [nodes]bus.Log
			for i := range nodes {
				wg.Go(func() { _, logs[i] = logNode(t, servers, config.JetStream{Replicas: replicas}) })
			}
			wg.Wait()
			var places [nodes]bus.Place
			for i := range nodes {
				wg.Go(func() { places[i] = appendOne(t, logs[i], "room", fmt.Sprint(i)) })
			}
			wg.Wait()
			for i, p := range places {
				if p.Epoch != places[0].Epoch {
					t.Errorf("node %d appended to epoch %s, node 0 to %s", i, p.Epoch, places[0].Epoch)
				}
				entries, tail, err := logs[i].Read(t.Context(), "room", 0, nodes)
				if err != nil || len(entries) != nodes || tail.Epoch != places[0].Epoch {
					t.Errorf("node %d reads %d entries of epoch %s: %v", i, len(entries), tail.Epoch, err)
				}
			}
		})
	}
}

// A stream that is there again without its data, with the same configuration and
// sequence numbers from the beginning, is not taken for the old one.
func TestStreamWithoutItsData(t *testing.T) {
	t.Run("memory of one server", func(t *testing.T) {
		s := natsserver.New(t, natsserver.Config{JetStream: true})
		lost(t, []*natsserver.Server{s}, config.JetStream{Storage: "memory"}, func(*natsserver.Server) {})
	})
	t.Run("memory of one of a cluster", func(t *testing.T) {
		servers := natsserver.NewCluster(t, 3, natsserver.Config{JetStream: true})
		lost(t, servers, config.JetStream{Storage: "memory"}, func(*natsserver.Server) {})
	})
	t.Run("disk of one of a cluster", func(t *testing.T) {
		servers := natsserver.NewCluster(t, 3, natsserver.Config{JetStream: true})
		lost(t, servers, config.JetStream{}, func(s *natsserver.Server) { s.Wipe(t) })
	})
}

// lost has a log lose its data with the server that keeps it.
func lost(t *testing.T, servers []*natsserver.Server, j config.JetStream, wipe func(*natsserver.Server)) {
	natsserver.AwaitJetStream(t, servers)
	_, log := logNode(t, servers, j)
	var old bus.Place
	for i := range 20 {
		old = appendOne(t, log, "room", fmt.Sprint(i))
	}
	keeper := leader(t, servers, "gohub-log")
	keeper.Kill(t)
	wipe(keeper)
	keeper.Start(t)
	natsserver.AwaitJetStream(t, servers)
	if got := tailOf(t, log, "room"); got.Epoch == old.Epoch || got.Offset != 0 {
		t.Errorf("the tail is %+v, before the loss %+v", got, old)
	}
	p := appendOne(t, log, "room", "0") // an id of the old epoch, too
	if got := tailOf(t, log, "room"); p.Epoch == old.Epoch || got.Epoch != p.Epoch || got.Offset != p.Offset {
		t.Errorf("appended at %+v, the tail is %+v, before the loss %+v", p, got, old)
	}
	_, late := logNode(t, servers, j)
	if got := tailOf(t, late, "room"); got.Epoch != p.Epoch || got.Offset != p.Offset {
		t.Errorf("another node finds the tail at %+v, appended at %+v", got, p)
	}
}

// What an administrator does to the stream is noticed by every node.
func TestStreamIsChangedByOthers(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{JetStream: true})
	servers := []*natsserver.Server{s}
	_, a := logNode(t, servers, config.JetStream{})
	_, b := logNode(t, servers, config.JetStream{})
	nc, err := natsgo.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"deleted": func() error { return js.DeleteStream(t.Context(), "gohub-log") },
		"purged": func() error {
			st, err := js.Stream(t.Context(), "gohub-log")
			return errors.Join(err, st.Purge(t.Context()))
		},
	} {
		old := appendOne(t, a, "room", "1")
		if got := tailOf(t, b, "room"); got.Epoch != old.Epoch || got.Offset != old.Offset {
			t.Fatalf("%s: before, the tail is %+v, appended at %+v", name, got, old)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got := tailOf(t, b, "room"); got.Epoch == old.Epoch || got.Offset != 0 {
			t.Errorf("%s: the tail is %+v, before %+v", name, got, old)
		}
		p := appendOne(t, a, "room", "1")
		if got := tailOf(t, b, "room"); got.Epoch == old.Epoch || got.Epoch != p.Epoch || got.Offset != p.Offset {
			t.Errorf("%s: appended at %+v, the tail is %+v, before %+v", name, p, got, old)
		}
	}
}

// Another size of the history is brought into force without a loss.
func TestStreamIsAdapted(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{JetStream: true})
	c := nats.Config{URLs: []string{s.URL()}, JetStream: config.JetStream{Enable: true}}
	var old bus.Place
	for _, size := range []int{3, 5} {
		b := connect(t, c, bus.Options{History: bus.Retention{Size: size, TTL: time.Hour}})
		for i := range 10 {
			p := appendOne(t, b.Log(), "room", fmt.Sprintf("%d of %d", i, size))
			if old.Epoch != "" && p.Epoch != old.Epoch {
				t.Fatalf("epoch %s follows %s", p.Epoch, old.Epoch)
			}
			old = p
		}
		entries, _, err := b.Log().Read(t.Context(), "room", 0, 100)
		if err != nil || len(entries) != size {
			t.Errorf("%d entries are kept, want %d: %v", len(entries), size, err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A server without JetStream refuses what needs it, and serves the rest.
func TestJetStreamIsMissing(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{})
	b, log := logNode(t, []*natsserver.Server{s}, config.JetStream{})
	if err := b.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := log.Append(ctx, "room", "1", nil, keep); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("append: %v, want ErrRefused", err)
	}
	if _, err := log.Tails(ctx, []string{"room"}); err == nil {
		t.Error("tails: no error")
	}
	if err := b.Leaser().Confirm(ctx, "node", time.Second); err == nil {
		t.Error("confirm: no error")
	}
}

// Clusters of hubs with different prefixes share a server and hear nothing of
// each other.
func TestPrefix(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{JetStream: true})
	var buses []*nats.Bus
	heard := make(chan string, 10)
	for _, prefix := range []string{"a", "a", "b"} {
		c := nats.Config{URLs: []string{s.URL()}, Prefix: prefix, JetStream: config.JetStream{Enable: true}}
		b := connect(t, c, bus.Options{History: keep})
		t.Cleanup(func() { _ = b.Close(context.Background()) })
		if _, err := b.Subscribe("room", func(m bus.Message) { heard <- prefix + string(m.Payload) }); err != nil {
			t.Fatal(err)
		}
		if err := b.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		buses = append(buses, b)
	}
	if err := buses[2].Publish("room", []byte("x")); err != nil {
		t.Fatal(err)
	}
	appendOne(t, buses[2].Log(), "room", "y")
	if got := <-heard; got != "by" {
		t.Errorf("heard %q first, want the live copy at b", got)
	}
	if err := buses[0].Publish("room", []byte("z")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "az" {
		t.Errorf("heard %q, want z at the other node of a only", got)
	}
	if got := tailOf(t, buses[0].Log(), "room"); got.Offset != 0 {
		t.Errorf("a has the entries of b: %+v", got)
	}
}
