package redis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// leaser keeps a node's lease in a key of its own.
type leaser struct{ bus *Bus }

// Confirm implements [bus.Leaser]. Where the master has replicas one of them
// must have the lease, too, so that a master which was cut off vouches for nobody.
func (l *leaser) Confirm(ctx context.Context, node string, ttl time.Duration) error {
	if node == "" || ttl < time.Millisecond {
		return errors.New("confirm lease: a node and a ttl of at least 1ms are needed")
	}
	b := l.bus
	_, err := b.request(ctx, partitionOf(node), true, len(node), func(server) []any {
		return []any{"SET", b.names.leaseKey(node), b.tag, "PX", ttl.Milliseconds()}
	})
	if err != nil {
		return fmt.Errorf("confirm lease in redis: %w", err)
	}
	return nil
}
