// Package memory is a bus inside one process: a [Broker] that connects the hubs of
// a test, or of a program that runs several, and that fails on demand. It promises
// what the other drivers do and loses everything with the process.
package memory

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/chenxilol/gohub/pkg/bus"
)

// MaxPayload is the size of the largest payload, in bytes.
const MaxPayload = 1 << 20

// QueueBytes is how much waits for a connection that delivers too slowly, in bytes
// of payload and 128 for each message, unless [Broker.SetQueueBytes] says otherwise.
// What comes over it is dropped.
const QueueBytes = 64 << 20

// overhead is what a waiting message counts for beyond its payload, in bytes.
const overhead = 128

// Broker connects the buses of one process. It is safe for concurrent use; it has
// no goroutine.
type Broker struct {
	// mu guards all fields, and the fields of every Bus that say so. Publishing
	// holds it for reading, so publishers do not wait for each other; what
	// changes an order or the state holds it for writing.
	mu         sync.RWMutex
	nodes      map[*Bus]struct{}
	interest   map[string][]*subscription
	logs       logs
	queueBytes int

	stopped bool
	paused  bool
	cut     map[string]bool
	groups  map[string]int // of a partition, by node; the first is 0
	lose    func(node string, m bus.Message) bool
	pending []*request    // in order, while paused
	changed chan struct{} // closed, and made anew, when any of the state changes
}

// NewBroker returns a running broker.
func NewBroker() *Broker {
	return &Broker{
		nodes:      map[*Bus]struct{}{},
		interest:   map[string][]*subscription{},
		logs:       newLogs(),
		queueBytes: QueueBytes,
		cut:        map[string]bool{},
		changed:    make(chan struct{}),
	}
}

// SetQueueBytes bounds what waits for each connection made from then on, in bytes
// of payload and 128 for each message. A message is taken by an empty queue
// whatever its size.
func (b *Broker) SetQueueBytes(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queueBytes = n
}

// Connect makes a connection, which is a node of its own even if another has the
// same Options.Node. It also works while the broker is stopped. A negative
// Options.History is an error.
func (b *Broker) Connect(o bus.Options) (*Bus, error) {
	if o.History.Size < 0 || o.History.TTL < 0 {
		return nil, fmt.Errorf("connect %q: History is %+v; its fields must be 0 or more", o.Node, o.History)
	}
	c := &Bus{broker: b, options: o, closed: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	c.group = b.groups[o.Node]
	c.up = !b.stopped && !b.cut[o.Node]
	c.queue = newQueue(b.queueBytes, o.Notify)
	b.nodes[c] = struct{}{}
	go c.queue.run()
	return c, nil
}

// publish hands a message to all that have subscribed and that the sender's group
// holds; from, which may be nil, does not hear it itself. The caller holds b.mu.
func (b *Broker) publish(group int, from *Bus, m bus.Message) {
	for _, s := range b.interest[m.Subject] {
		if s.bus == from || s.bus.group != group || !s.bus.up {
			continue
		}
		if b.lose != nil && b.lose(s.bus.options.Node, m) {
			continue
		}
		s.bus.queue.put(s, m)
	}
}

// subscribe adds a subscription; false means that its bus has one to the subject.
// The caller holds b.mu.
func (b *Broker) subscribe(s *subscription) bool {
	all := b.interest[s.subject]
	if slices.ContainsFunc(all, func(o *subscription) bool { return o.bus == s.bus }) {
		return false
	}
	b.interest[s.subject] = append(all, s)
	return true
}

// unsubscribe removes a subscription if it is there. The caller holds b.mu.
func (b *Broker) unsubscribe(s *subscription) {
	all := b.interest[s.subject]
	i := slices.Index(all, s)
	switch {
	case i < 0:
	case len(all) == 1:
		delete(b.interest, s.subject)
	default:
		b.interest[s.subject] = slices.Delete(all, i, i+1)
	}
}

// disconnect forgets a connection and what it has subscribed to.
func (b *Broker) disconnect(c *Bus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.nodes, c)
	for _, all := range b.interest {
		if i := slices.IndexFunc(all, func(s *subscription) bool { return s.bus == c }); i >= 0 {
			b.unsubscribe(all[i])
		}
	}
}

// newEpoch returns a name that no other log has.
func newEpoch() string { return rand.Text() }
