package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/bus/redis"
)

// outageGrace is how long the hub stays ready while the bus is away: all hubs
// unready at once would help nobody.
const outageGrace = 30 * time.Second

// openBus connects to the bus, and returns what makes the hub a part of the
// cluster on it; nil where the hub is alone.
func (s *Server) openBus() (func(cluster.Host) *cluster.Cluster, error) {
	o := &s.opts
	open := o.OpenBus
	switch {
	case !o.EnableCluster:
		return nil, nil
	case open != nil:
	case o.BusType == "nats":
		open = func(b bus.Options) (bus.Bus, error) { return nats.Connect(*o.NATSConfig, b) }
	case o.BusType == "redis":
		open = func(b bus.Options) (bus.Bus, error) { return redis.Connect(*o.RedisConfig, b) }
	default:
		open = func(b bus.Options) (bus.Bus, error) { return embedded.Connect(*o.EmbeddedConfig, b) }
	}
	var node atomic.Pointer[cluster.Cluster] // the bus speaks before it is there
	keep := retention(o.Rooms)
	b, err := open(bus.Options{
		Node: nodeID(o), History: keep, Logger: s.log,
		Notify: func(n bus.Notice) {
			if c := node.Load(); c != nil {
				c.Notice(n)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	s.bus = b
	if err := carries(b, o.MaxMessageSize); err != nil {
		s.closeBus()
		return nil, err
	}
	return func(h cluster.Host) *cluster.Cluster {
		c := cluster.New(cluster.Config{
			Bus: b, Host: h, Node: nodeID(o), Address: s.address, Version: Version(), Retention: keep, Now: time.Now, Logger: s.log,
		})
		node.Store(c)
		return c
	}, nil
}

// carriesWithin bounds how long a bus is waited for that may carry less than is
// asked of it: where it is away, what it carries is not known.
const carriesWithin = 2 * time.Second

// carries returns an error where clients may send what the bus does not carry.
func carries(b bus.Bus, size int) error {
	if size <= cluster.MaxMessage(b) { // no limit is looked at with each message
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), carriesWithin)
	defer cancel()
	if b.Probe(ctx) != nil || size <= cluster.MaxMessage(b) {
		return nil
	}
	return fmt.Errorf("MaxMessageSize is %d: the bus carries payloads of %d bytes, so it must be at most %d (or raise max_payload of a NATS server)",
		size, b.MaxPayload(), cluster.MaxMessage(b))
}

// closeBus ends a bus that no hub has taken.
func (s *Server) closeBus() {
	if s.bus != nil {
		_ = s.bus.Close(context.Background()) // nothing was published
	}
}

// address is where others reach this node's main address.
func (s *Server) address() string {
	if a := s.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// retention is the most that any rule keeps of a room's history.
func retention(rules []RoomRule) bus.Retention {
	var keep bus.Retention
	forEver := false
	for _, r := range rules {
		if r.HistorySize <= 0 {
			continue
		}
		keep.Size = max(keep.Size, r.HistorySize)
		keep.TTL = max(keep.TTL, r.HistoryTTL)
		forEver = forEver || r.HistoryTTL <= 0
	}
	if forEver {
		keep.TTL = 0
	}
	return keep
}
