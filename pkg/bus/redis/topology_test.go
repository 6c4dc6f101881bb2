//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/test/redisserver"
)

// A slot that moves takes its subscriptions along, and who may have missed
// something is told.
func TestSlotMoves(t *testing.T) {
	cluster := redisserver.StartCluster(t, 3, 0, redisserver.Config{})
	cfg := redis.Config{Addr: cluster.Servers[0].Addr} // it finds out by itself
	a, _ := connect(t, cfg, bus.Options{})
	b, notices := connect(t, cfg, bus.Options{})
	var subjects []string
	heard := make(chan bus.Message, 10_000)
	for i := range 500 {
		subjects = append(subjects, fmt.Sprintf("room.%d", i))
		if _, err := b.Subscribe(subjects[i], func(m bus.Message) { heard <- m }); err != nil {
			t.Fatal(err)
		}
	}
	probe(t, b)
	channel := cluster.Servers[0].Client(t).PubSubShardChannels(t.Context(), "*").Val()[0]
	moved := channel[strings.Index(channel, "}:")+2:]
	slot := int(cluster.Servers[0].Client(t).ClusterKeySlot(t.Context(), channel).Val())
	for _, back := range []bool{false, true, false} {
		from := cluster.Owner(t, slot)
		to := cluster.Servers[(slices.Index(cluster.Servers, from)+1)%3]
		cluster.MoveSlot(t, slot, from, to)
		if back { // so soon that who looks at the slots sees nothing
			cluster.MoveSlot(t, slot, to, from)
		}
		n := next(t, "Dropped", notices, func(n bus.Notice) bool {
			return n.Kind == bus.Dropped && slices.Contains(n.Subjects, moved)
		})
		if len(n.Subjects) > 100 {
			t.Errorf("%d subjects are told of for one slot", len(n.Subjects))
		}
		probe(t, b)
		for {
			probe(t, a)
			publish(t, a, moved)
			select {
			case <-heard:
			case <-time.After(100 * time.Millisecond):
				continue // the publisher has learned of the move by this one
			}
			break
		}
		for len(heard) > 0 {
			<-heard
		}
		for _, s := range subjects {
			publish(t, a, s)
		}
		for range subjects {
			next(t, "a message on each subject", heard, anything)
		}
	}
}

// An offset is not given twice: a server that comes back with older data goes on
// far behind it, in an unbroken chain.
func TestOffsetsAfterRestart(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	keep := bus.Retention{Size: 10}
	b, notices := connect(t, redis.Config{Addr: s.Addr}, bus.Options{History: keep})
	log := bus.LogOf(b)
	first, err := log.Append(t.Context(), "x", "1", nil, keep)
	if err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	s.Restart(t)
	next(t, "Connected", notices, ofKind(bus.Connected))
	second, err := log.Append(t.Context(), "x", "2", nil, keep)
	if err != nil {
		t.Fatal(err)
	}
	if second.Epoch != first.Epoch || second.Prev != first.Offset || second.Offset < first.Offset+1000 {
		t.Errorf("%+v follows %+v over a restart", second, first)
	}
}

// Without a replica nothing is promised where there should be one.
func TestAppendWaitsForReplica(t *testing.T) {
	s := redisserver.StartSentinel(t, 1, redisserver.Config{})
	keep := bus.Retention{Size: 10}
	b, _ := connect(t, redis.Config{Addrs: s.Addrs(), MasterName: s.Name}, bus.Options{History: keep})
	log := bus.LogOf(b)
	if _, err := log.Append(t.Context(), "x", "1", nil, keep); err != nil {
		t.Fatal(err)
	}
	replica := s.Servers[1]
	replica.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := log.Append(ctx, "x", "2", nil, keep); !errors.Is(err, bus.ErrUnknown) {
		t.Errorf("append while the replica hangs: %v, want ErrUnknown", err)
	}
	if err := bus.LeaserOf(b).Confirm(ctx, "n", time.Second); err == nil {
		t.Error("a lease was confirmed by the master alone")
	}
	replica.Resume(t)
	place, err := log.Append(t.Context(), "x", "2", nil, keep)
	if err != nil || place.Offset != 2 {
		t.Errorf("append again: %+v, %v", place, err)
	}
}
