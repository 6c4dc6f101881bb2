package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
	"github.com/chenxilol/gohub/pkg/auth"
	hubclient "github.com/chenxilol/gohub/pkg/client"
)

// crowd is many clients of the project's own, in rooms with a history.
type crowd struct {
	w       *world
	members []*member
	buffers sync.Pool

	mu     sync.Mutex // guards events and codes
	events []comeback
	codes  map[string]int // how connections ended
}

// member is one of a crowd.
type member struct {
	*hubclient.Client
	room string

	mu   sync.Mutex // guards all below
	seen map[string]bool
	gaps int
}

// comeback is a client that is in its room again.
type comeback struct {
	at        time.Duration
	recovered bool
}

// newCrowd connects n clients to all hubs of a world alike, each to one of some
// rooms.
func newCrowd(b *testing.B, w *world, n, rooms int) *crowd {
	b.Helper()
	c := &crowd{w: w, codes: make(map[string]int), members: make([]*member, n)}
	c.buffers.New = func() any { return make([]byte, 4<<10) }
	failed := make(chan error, n)
	var dialing sync.WaitGroup
	limit := make(chan struct{}, 64)
	for i := range n {
		limit <- struct{}{}
		dialing.Go(func() {
			defer func() { <-limit }()
			m, err := c.dial(i, fmt.Sprintf("log.crowd.%d", i%rooms))
			if err != nil {
				failed <- err
			}
			c.members[i] = m
		})
	}
	dialing.Wait()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
	b.Cleanup(func() {
		var closing sync.WaitGroup
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, m := range c.members {
			closing.Go(func() { _ = m.Close(ctx) })
		}
		closing.Wait()
	})
	return c
}

func (c *crowd) dial(i int, room string) (*member, error) {
	m := &member{room: room, seen: make(map[string]bool)}
	token, err := c.w.issuer.Issue(auth.TokenClaims{Subject: fmt.Sprintf("crowd-%d", i), Permissions: auth.AllPermissions()}, time.Hour)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for j := range c.w.hubs {
		addresses = append(addresses, "ws://"+c.w.hubs[(i+j)%len(c.w.hubs)].address+"/ws")
	}
	ctx, cancel := context.WithTimeout(c.w.alive, patience)
	defer cancel()
	m.Client, err = hubclient.Dial(ctx, addresses[0], hubclient.Options{
		Token: hubclient.StaticToken(token), Alternatives: addresses[1:], RetryDial: true, DialContext: from.DialContext, WriteBuffers: &c.buffers,
		OnRoomMessage: func(_ context.Context, r hubclient.RoomMessage) { m.saw(r.Position) },
		OnEvent:       func(_ context.Context, e hubclient.Event) { c.happened(m, e) },
	})
	if err != nil {
		return nil, err
	}
	_, err = m.Join(ctx, room, hubclient.JoinOptions{})
	return m, err
}

func (m *member) saw(position string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[position] = true
}

func (m *member) has(position string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[position]
}

func (c *crowd) happened(m *member, e hubclient.Event) {
	switch e := e.(type) {
	case hubclient.Gap:
		m.mu.Lock()
		m.gaps++
		m.mu.Unlock()
	case hubclient.Rejoined:
		c.mu.Lock()
		c.events = append(c.events, comeback{c.w.now(), e.Recovered})
		c.mu.Unlock()
	case hubclient.Disconnected:
		how := "without a close frame"
		if closed, ok := errors.AsType[*hubclient.CloseError](e.Err); ok {
			how = fmt.Sprint(closed.Code)
		}
		c.mu.Lock()
		c.codes[how]++
		c.mu.Unlock()
	}
}

// back returns when clients came back behind a time, in order, and how many of
// them did not recover.
func (c *crowd) back(behind time.Duration) (took []time.Duration, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.at > behind {
			took = append(took, e.at-behind)
			if !e.recovered {
				lost++
			}
		}
	}
	slices.Sort(took)
	return took, lost
}

// on counts the clients that are connected to a hub.
func (c *crowd) on(node string) int {
	n := 0
	for _, m := range c.members {
		if m.Connected() && m.Node() == node {
			n++
		}
	}
	return n
}

// acknowledged is a message that a hub said is in the history.
type acknowledged struct{ room, position string }

// publish publishes to the crowd's rooms, through any hub that takes it, until
// ctx ends.
func (c *crowd) publish(ctx context.Context, rooms int, every time.Duration) (acked []acknowledged) {
	for i := 0; ctx.Err() == nil; i++ {
		h := c.w.hubs[i%len(c.w.hubs)]
		if h.up.Load() {
			room := fmt.Sprintf("log.crowd.%d", i%rooms)
			var answer api.PublishResponse
			if _, err := h.call("POST", api.PathPublish, map[string]any{"room": room, "content": i}, &answer); err == nil {
				acked = append(acked, acknowledged{room, answer.Position})
			}
		}
		pause(ctx, every)
	}
	return acked
}

// missing counts the acknowledged messages that some member has not got.
func (c *crowd) missing(acked []acknowledged) int {
	missing := 0
	for _, a := range acked {
		for _, m := range c.members {
			if m.room == a.room && !m.has(a.position) {
				missing++
			}
		}
	}
	return missing
}

// percentile returns that of sorted times.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(float64(len(sorted))*p), len(sorted)-1)]
}
