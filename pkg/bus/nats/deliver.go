package nats

import (
	"hash/maphash"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// inboundMessages is how many messages the library may be ahead of receive,
	// which never waits for anything.
	inboundMessages = 64 << 10
	// maxQueued is how much may wait for deliver functions that do not keep up.
	maxQueued = 64 << 20
	// messageOverhead is what a waiting message costs beyond its payload.
	messageOverhead = 512
	maxShards       = 8
)

// receive sorts what comes in to the shards.
func (b *Bus) receive() {
	for {
		select {
		case m := <-b.inbound:
			b.take(m)
		case <-b.life.Done():
			return
		}
	}
}

// take puts one message into its shard, or counts it as dropped.
func (b *Bus) take(m *nats.Msg) {
	epoch, subject, ok := b.names.split(m.Subject)
	if !ok {
		return
	}
	b.mu.RLock()
	sub := b.subs[subject]
	b.mu.RUnlock()
	if sub == nil || sub.at.Load() != m.Sub {
		return
	}
	b.received.Add(1)
	b.receivedBytes.Add(uint64(len(m.Data)))
	// Full to its capacity, so that appending to it moves it.
	message := bus.Message{Subject: sub.subject, Payload: m.Data[:len(m.Data):len(m.Data)]}
	if epoch != noEpoch {
		message.Entry = b.liveEntry(epoch, m)
	}
	size := int64(len(m.Data) + messageOverhead)
	if b.queued.Add(size) > maxQueued {
		b.queued.Add(-size)
		b.drops.add(sub)
		return
	}
	sub.shard.put(delivery{sub, message, size})
}

// delivery is a message that waits for its deliver function.
type delivery struct {
	sub     *subscription
	message bus.Message
	size    int64 // as counted in Bus.queued
}

// shard delivers the messages of some of the subjects, in order.
type shard struct {
	mu      sync.Mutex // guards what follows
	wake    *sync.Cond
	queue   []delivery
	stopped bool
}

func newShard() *shard {
	s := &shard{}
	s.wake = sync.NewCond(&s.mu)
	return s
}

func (b *Bus) shardOf(subject string) *shard {
	return b.shards[maphash.String(b.seed, subject)%uint64(len(b.shards))]
}

func (s *shard) put(d delivery) {
	s.mu.Lock()
	s.queue = append(s.queue, d)
	if len(s.queue) == 1 {
		s.wake.Signal()
	}
	s.mu.Unlock()
}

func (s *shard) stop() {
	s.mu.Lock()
	s.stopped = true
	s.wake.Signal()
	s.mu.Unlock()
}

// keptQueue is the capacity, in messages, that a shard keeps while idle.
const keptQueue = 1024

// run delivers until stop. Two queues take turns, so that put allocates rarely.
func (s *shard) run(b *Bus) {
	var spare []delivery
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.stopped {
			s.wake.Wait()
		}
		batch := s.queue
		s.queue = spare
		s.mu.Unlock()
		for i, d := range batch {
			if b.life.Err() != nil {
				return
			}
			if !d.sub.ended.Load() {
				d.sub.deliver(d.message)
			}
			b.queued.Add(-d.size)
			batch[i] = delivery{}
		}
		if b.life.Err() != nil {
			return
		}
		if spare = batch[:0]; cap(spare) > keptQueue {
			spare = nil
		}
	}
}
