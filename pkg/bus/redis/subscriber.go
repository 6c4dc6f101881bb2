package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// subscriber is the connection on which the messages of one Redis node come.
type subscriber struct {
	node *node
	wake chan struct{}

	mu      sync.Mutex
	pending map[string]bool // guarded by mu: subjects that are, or no longer are, subscribed to since the last flush
	waiting []func(error)   // guarded by mu: called when all that is pending now is in force
	asked   []question      // guarded by mu: oldest first
	number  uint64          // guarded by mu: of the newest question
	ended   map[string]int  // guarded by mu: UNSUBSCRIBEs that are not confirmed, by subject
	fresh   bool            // guarded by mu: the state is to be told when all that is pending now is in force
	gone    bool            // guarded by mu

	connected bool // guarded by mu: the state has been told of this connection

	heard atomic.Int64 // when something came last, in Unix nanoseconds
}

// question is a PING on its way. Redis answers in order: the answer means that
// all commands before it have been done.
type question struct {
	number  uint64
	sent    time.Time
	waiting []func(error)
	fresh   bool
}

func newSubscriber(n *node) *subscriber {
	return &subscriber{node: n, wake: make(chan struct{}, 1), pending: map[string]bool{}}
}

// want has a subject subscribed to, or no longer. Where there is no connection
// it is for the next one, which begins with all subjects of the node.
func (s *subscriber) want(subject string, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[subject] = wanted
	signal(s.wake)
}

// settled has done called when every want before it is in force, with nil, or
// with errGone when the node is no longer used; then perhaps below the locks of
// who ends it.
func (s *subscriber) settled(done func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		done(errGone)
		return
	}
	s.waiting = append(s.waiting, done)
	signal(s.wake)
}

// session is the life of one connection.
func (s *subscriber) session(ctx context.Context, l *link) error {
	pubsub := l.client.Subscribe(ctx)
	defer func() { _ = pubsub.Close() }()
	s.heard.Store(time.Now().UnixNano())
	s.restart()
	if err := s.ask(ctx, pubsub); err != nil { // signs in
		return err
	}
	ended := make(chan error, 1)
	done := make(chan struct{})
	defer func() { l.close(); <-done }()
	go func() {
		defer close(done)
		ended <- s.receive(ctx, pubsub)
	}()
	s.node.bus.adopt(s)
	return s.serve(ctx, pubsub, ended)
}

func (s *subscriber) serve(ctx context.Context, pubsub *goredis.PubSub, ended <-chan error) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-tick.C:
			if !s.alive(time.Now()) {
				return fmt.Errorf("subscriptions: no answer within %v", answerWithin)
			}
			if err := s.ask(ctx, pubsub); err != nil {
				return err
			}
		case <-s.wake:
			if err := s.flush(ctx, pubsub); err != nil {
				return err
			}
		}
	}
}

// alive reports whether the server says something when it is asked.
func (s *subscriber) alive(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked) == 0 || now.Sub(s.asked[0].sent) < answerWithin ||
		now.UnixNano()-s.heard.Load() < int64(answerWithin)
}

// restart forgets what was on its way on the connection before.
func (s *subscriber) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.asked {
		s.waiting = append(s.waiting, q.waiting...)
	}
	s.asked, s.ended, s.fresh, s.connected = nil, map[string]int{}, false, false
}

// reset has exactly these subjects subscribed to on a new connection.
func (s *subscriber) reset(subjects []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = make(map[string]bool, len(subjects))
	for _, subject := range subjects {
		s.pending[subject] = true
	}
	s.fresh = true
	signal(s.wake)
}

// flush sends what is pending, and a question behind it if someone waits.
func (s *subscriber) flush(ctx context.Context, pubsub *goredis.PubSub) error {
	s.mu.Lock()
	pending := s.pending
	s.pending = map[string]bool{}
	var number uint64
	if len(s.waiting) > 0 || s.fresh {
		number = s.question()
	}
	s.mu.Unlock()

	for _, batch := range s.batches(pending, true) {
		if err := s.subscribe(ctx, pubsub, batch); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	for _, batch := range s.batches(pending, false) {
		if err := s.unsubscribe(ctx, pubsub, batch); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	if number == 0 {
		return nil
	}
	return pubsub.Ping(ctx, strconv.FormatUint(number, 10))
}

// ask sends a question for a sign of life, which nobody waits for.
func (s *subscriber) ask(ctx context.Context, pubsub *goredis.PubSub) error {
	s.mu.Lock()
	s.number++
	q := question{number: s.number, sent: time.Now()}
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	return pubsub.Ping(ctx, strconv.FormatUint(q.number, 10))
}

// question makes a question for all who wait. It is called with mu held.
func (s *subscriber) question() uint64 {
	s.number++
	s.asked = append(s.asked, question{number: s.number, sent: time.Now(), waiting: s.waiting, fresh: s.fresh})
	s.waiting, s.fresh = nil, false
	return s.number
}

// answered calls those who waited for a question.
func (s *subscriber) answered(text string) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return
	}
	var done []func(error)
	fresh := false
	s.mu.Lock()
	for len(s.asked) > 0 && s.asked[0].number <= number {
		done = append(done, s.asked[0].waiting...)
		fresh = fresh || s.asked[0].fresh
		s.asked = s.asked[1:]
	}
	if fresh {
		s.connected = true
		s.node.bus.state.found(s) // before a doubt that comes now
	}
	s.mu.Unlock()
	for _, f := range done {
		f(nil)
	}
}

// receive takes what comes until the connection ends.
func (s *subscriber) receive(ctx context.Context, pubsub *goredis.PubSub) error {
	for {
		got, err := pubsub.Receive(ctx)
		s.heard.Store(time.Now().UnixNano())
		if slot, ok := movedSlot(err); ok {
			s.node.bus.moved(slot)
			continue
		}
		if err != nil {
			return fmt.Errorf("subscriptions: %w", err)
		}
		switch got := got.(type) {
		case *goredis.Message:
			s.node.bus.receive(got.Channel, got.Payload)
		case *goredis.Subscription:
			if got.Kind == "sunsubscribe" {
				s.unsubscribed(got.Channel)
			}
		case *goredis.Pong:
			s.answered(got.Payload)
		}
	}
}

// unsubscribed takes the end of a sharded subscription. One that nobody has
// asked for is how Redis says that the slot belongs to another node now.
func (s *subscriber) unsubscribed(channel string) {
	s.mu.Lock()
	expected := s.ended[channel] > 0
	if s.ended[channel]--; s.ended[channel] <= 0 {
		delete(s.ended, channel)
	}
	s.mu.Unlock()
	if !expected {
		b := s.node.bus
		b.moved(b.names.slots[partitionOf(b.names.subject(channel))])
	}
}

func (s *subscriber) lost(err error) {
	if !errors.Is(err, errGone) {
		s.node.bus.state.lost(s, err)
		s.node.publisher.doubt(err)
	}
}

// doubt is as that of a publisher.
func (s *subscriber) doubt(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected && !s.fresh {
		s.fresh = true
		s.node.bus.state.lost(s, err)
		signal(s.wake)
	}
}

// end is called when the node is no longer used.
func (s *subscriber) end() {
	s.restart()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	for _, done := range s.waiting {
		done(errGone)
	}
	s.waiting = nil
}

// errGone is what is told of a node that has become superfluous.
var errGone = errors.New("this redis node is no longer used")
