package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	hubclient "github.com/chenxilol/gohub/pkg/client"
)

// pair is a publisher on one hub and a member of its room on another.
type across struct {
	w    *world
	room string
	sent atomic.Int64 // numbers of messages
	got  atomic.Int64 // the last number that has come

	acknowledged atomic.Int64 // when the last message was said to go to the whole cluster
}

// newAcross has a message published on the first hub every 20 ms, into a room
// that the second hub has a member of.
func newAcross(b *testing.B, w *world, room string) *across {
	b.Helper()
	x := &across{w: w, room: room}
	token, err := w.issuer.Issue(auth.TokenClaims{Subject: "member of " + room, Permissions: auth.AllPermissions()}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	c, err := hubclient.Dial(w.alive, "ws://"+w.hubs[1].address+"/ws", hubclient.Options{
		Token: hubclient.StaticToken(token),
		OnRoomMessage: func(_ context.Context, m hubclient.RoomMessage) {
			var n int64
			if json.Unmarshal(m.Content, &n) == nil {
				x.got.Store(n)
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close(context.Background()) })
	if _, err := c.Join(w.alive, room, hubclient.JoinOptions{}); err != nil {
		b.Fatal(err)
	}
	w.running.Go(func() {
		for w.active.Err() == nil {
			w.running.Go(x.publish)
			pause(w.active, 20*time.Millisecond)
		}
	})
	x.await(b)
	return x
}

func (x *across) publish() {
	n := x.sent.Add(1)
	var answer api.PublishResponse
	_, err := x.w.hubs[0].call("POST", api.PathPublish, map[string]any{"room": x.room, "content": n}, &answer)
	if err == nil && answer.Scope == "cluster" {
		x.acknowledged.Store(int64(x.w.now()))
	}
}

// await waits until something comes that is published from now on.
func (x *across) await(b *testing.B) {
	b.Helper()
	n := x.sent.Load()
	eventually(b, fmt.Sprintf("a message comes through in %q", x.room), func() bool { return x.got.Load() > n })
}

// BenchmarkBusRestarted: how long after a bus is there again messages go from
// one hub to another. At most 5 s.
func BenchmarkBusRestarted(b *testing.B) {
	for _, bus := range []string{"nats", "jetstream", "redis"} {
		b.Run(bus, func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b, bus, figures)
				plain, kept := newAcross(b, w, "plain"), newAcross(b, w, "log.kept")
				w.bus.brokers[0].Kill(b)
				pause(w.alive, 3*time.Second)
				w.bus.brokers[0].Start(b)
				at := w.now()
				plain.await(b)
				b.ReportMetric((w.now() - at).Seconds(), "plain-s")
				kept.await(b)
				b.ReportMetric((w.now() - at).Seconds(), "history-s")
				w.stop()
			}
		})
	}
}

// BenchmarkBusPaused: how long after a bus stands still a hub still says that
// it has sent something to the cluster. At most 3 s.
func BenchmarkBusPaused(b *testing.B) {
	for _, bus := range []string{"nats", "jetstream", "redis"} {
		b.Run(bus, func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b, bus, figures)
				plain, kept := newAcross(b, w, "plain"), newAcross(b, w, "log.kept")
				w.bus.brokers[0].Pause(b)
				at := w.now()
				pause(w.alive, 6*time.Second)
				b.ReportMetric(max(0, (time.Duration(plain.acknowledged.Load())-at).Seconds()), "plain-s")
				b.ReportMetric(max(0, (time.Duration(kept.acknowledged.Load())-at).Seconds()), "history-s")
				w.bus.brokers[0].Resume(b)
				at = w.now()
				plain.await(b)
				kept.await(b)
				b.ReportMetric((w.now() - at).Seconds(), "back-s")
				w.stop()
			}
		})
	}
}
