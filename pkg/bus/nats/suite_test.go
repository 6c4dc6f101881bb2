package nats_test

import (
	"context"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/natsserver"
)

func connect(t *testing.T, c nats.Config, o bus.Options) *nats.Bus {
	t.Helper()
	b, err := nats.Connect(c, o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return b
}

// The shortest configuration, on a server as it is installed.
func TestStockServer(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{})
	c := nats.Config{URLs: []string{s.URL()}, Name: "gohub-node-1"}
	bustest.Run(t, bustest.Harness{
		Connect:    func(t *testing.T, o bus.Options) bus.Bus { return connect(t, c, o) },
		Kill:       func(t *testing.T) { s.Kill(t) },
		Restart:    func(t *testing.T) { s.Start(t) },
		Pause:      func(t *testing.T) { s.Pause(t) },
		Resume:     func(t *testing.T) { s.Resume(t) },
		TotalOrder: false,
	})
}

func TestJetStream(t *testing.T) {
	s := natsserver.New(t, natsserver.Config{JetStream: true})
	c := nats.Config{URLs: []string{s.URL()}, JetStream: config.JetStream{Enable: true}}
	bustest.Run(t, bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus { return connect(t, c, o) },
		Kill:    func(t *testing.T) { s.Kill(t) },
		Restart: func(t *testing.T) { s.Start(t) },
		RestartEmpty: func(t *testing.T) {
			s.Wipe(t)
			s.Start(t)
		},
		Pause:   func(t *testing.T) { s.Pause(t) },
		Resume:  func(t *testing.T) { s.Resume(t) },
		History: true,
		Leases:  true,
		TTL:     2 * time.Second,
	})
}

// Three servers with three replicas of everything. A partition is one of them
// that does not answer: its clients have no server, and the others are two.
func TestCluster(t *testing.T) {
	servers := natsserver.NewCluster(t, 3, natsserver.Config{JetStream: true})
	natsserver.AwaitJetStream(t, servers)
	c := nats.Config{URLs: natsserver.URLs(servers), JetStream: config.JetStream{Enable: true, Replicas: 3}}
	start := func(t *testing.T) {
		for _, s := range servers {
			s.Start(t)
		}
		natsserver.AwaitJetStream(t, servers)
	}
	var failed *natsserver.Server
	bustest.Run(t, bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus { return connect(t, c, o) },
		Kill: func(t *testing.T) {
			for _, s := range servers {
				s.Kill(t)
			}
		},
		Restart: start,
		RestartEmpty: func(t *testing.T) {
			for _, s := range servers {
				s.Wipe(t)
			}
			start(t)
		},
		Pause: func(t *testing.T) {
			for _, s := range servers {
				s.Pause(t)
			}
		},
		Resume: func(t *testing.T) {
			for _, s := range servers {
				s.Resume(t)
			}
		},
		Failover: func(t *testing.T) {
			failed = leader(t, servers, "gohub-log")
			failed.Kill(t)
		},
		FailedBack: func(t *testing.T) {
			failed.Start(t)
			natsserver.AwaitJetStream(t, servers)
		},
		Partition: func(t *testing.T) {
			failed = leader(t, servers, "gohub-log")
			failed.Pause(t)
		},
		Heal:    func(t *testing.T) { failed.Resume(t) },
		History: true,
		Leases:  true,
		TTL:     2 * time.Second,
	})
}

// leader returns the server that leads a stream, or the first one while there is
// no stream.
func leader(t *testing.T, servers []*natsserver.Server, stream string) *natsserver.Server {
	t.Helper()
	nc, err := natsgo.Connect(servers[0].URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	found, err := js.Stream(ctx, stream)
	if err != nil {
		return servers[0]
	}
	for _, s := range servers {
		if s.Name() == found.CachedInfo().Cluster.Leader {
			return s
		}
	}
	t.Fatalf("stream %q has no leader", stream)
	return nil
}
