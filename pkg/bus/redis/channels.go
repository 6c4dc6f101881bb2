package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// One SUBSCRIBE names at most this many channels, so that it holds up nobody.
const subscribeBatch = 1000

// batches sorts the channels of those subjects that are wanted, or those that
// are not, into commands. A sharded command is for one slot.
func (s *subscriber) batches(pending map[string]bool, wanted bool) [][]string {
	var all [][]string
	open := map[int]int{} // partition -> index of its last batch + 1
	for subject, w := range pending {
		if w != wanted {
			continue
		}
		p := 0
		if s.node.sharded {
			p = partitionOf(subject)
		}
		if open[p] == 0 || len(all[open[p]-1]) == subscribeBatch {
			all = append(all, nil)
			open[p] = len(all)
		}
		i := open[p] - 1
		all[i] = append(all[i], s.node.bus.names.channel(subject))
	}
	return all
}

func (s *subscriber) subscribe(ctx context.Context, pubsub *goredis.PubSub, channels []string) error {
	if s.node.sharded {
		return pubsub.SSubscribe(ctx, channels...)
	}
	return pubsub.Subscribe(ctx, channels...)
}

func (s *subscriber) unsubscribe(ctx context.Context, pubsub *goredis.PubSub, channels []string) error {
	if !s.node.sharded {
		return pubsub.Unsubscribe(ctx, channels...)
	}
	s.mu.Lock()
	for _, c := range channels {
		s.ended[c]++
	}
	s.mu.Unlock()
	return pubsub.SUnsubscribe(ctx, channels...)
}
