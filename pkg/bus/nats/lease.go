package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chenxilol/gohub/pkg/bus"
)

// leaseAge is how long a lease is kept, for administrators; that a lease is not
// confirmed any more is for the nodes themselves to notice.
const leaseAge = time.Hour

// leaser is a [bus.Leaser]: a lease is an entry of a small stream in memory,
// which the majority of the servers with its replicas has acknowledged. With one
// replica it is one server's word.
type leaser struct {
	b       *Bus
	makings rounds[struct{}]
	made    atomic.Pointer[session] // where the stream was found last
}

// Confirm renews the lease of a node: see [bus.Leaser].
func (l *leaser) Confirm(ctx context.Context, node string, ttl time.Duration) error {
	if err := bus.CheckSubject(node); err != nil {
		return fmt.Errorf("confirm the lease of node %q: %w", node, err)
	}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := ctx.Err()
		if err == nil {
			err = l.confirm(ctx, node, ttl)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || l.b.ready.Load() == nil {
			return fmt.Errorf("confirm the lease of node %q: %w", node, err)
		}
		sleep(ctx, pause)
	}
}

func (l *leaser) confirm(ctx context.Context, node string, ttl time.Duration) error {
	s, err := l.b.connection()
	if err != nil {
		return err
	}
	if l.made.Load() != s {
		r := l.makings.join(l.b.tasks.run, func() (struct{}, error) { return struct{}{}, l.make(s) })
		if r == nil {
			return bus.ErrClosed
		}
		if _, err := r.wait(ctx); err != nil {
			return err
		}
	}
	m := &nats.Msg{Subject: l.b.names.lease + node, Data: []byte(ttl.String())}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answers, err := s.do(ctx, m, nil)
	if errors.Is(err, errNoResponders) {
		l.made.CompareAndSwap(s, nil)
	}
	if err != nil {
		return err
	}
	var ack pubAck
	if err := json.Unmarshal(answers[0].Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return ack.Error
	}
	return nil
}

// make makes the stream of leases, or changes it to what is configured.
func (l *leaser) make(s *session) error {
	if l.made.Load() == s {
		return nil
	}
	js, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.b.life, lookupTimeout)
	defer cancel()
	c := jetstream.StreamConfig{
		Name:              l.b.cfg.Prefix + "-lease",
		Description:       "GoHub: the leases of nodes",
		Subjects:          []string{l.b.names.lease + ">"},
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1,
		MaxAge:            leaseAge,
		Storage:           jetstream.MemoryStorage,
		Replicas:          l.b.cfg.JetStream.Replicas,
	}
	if _, err := js.CreateOrUpdateStream(ctx, c); err != nil {
		return fmt.Errorf("make stream %q: %w", c.Name, err)
	}
	l.made.Store(s)
	return nil
}
