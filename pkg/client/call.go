package client

import (
	"context"
	"errors"
	"fmt"
)

// Request sends a message and waits for its answer. data is encoded as JSON;
// nil sends none. An answer of type "error" becomes a *hub.Error. A message
// type whose handler answers nothing has no answer to wait for: use Send.
func (c *Client) Request(ctx context.Context, messageType string, data any) (Message, error) {
	return c.call(ctx, messageType, data, callOptions{})
}

// Send sends a message that asks for no answer. It returns when the message is
// on its way, which says nothing about its arrival: errors are told as Fault.
// Messages to rooms with a history should be sent with Publish, or the client
// takes them for a Gap.
func (c *Client) Send(ctx context.Context, messageType string, data any) error {
	frame, err := newFrame(messageType, data, 0)
	if err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return fmt.Errorf("send %q: %w", messageType, err)
	}
	defer c.leave()
	for {
		w, err := c.await(ctx, len(frame))
		if err != nil {
			return fmt.Errorf("send %q: %w", messageType, err)
		}
		begun, err := w.write(ctx, frame)
		switch {
		case err == nil:
			return nil
		case begun:
			return fmt.Errorf("send %q: %w: %w", messageType, ErrUnknown, err)
		case !errors.Is(err, errLost):
			return fmt.Errorf("send %q: %w", messageType, err)
		}
	}
}

// callOptions say what is special about a call.
type callOptions struct {
	// answered is called with the answer in the goroutine that reads, before
	// anything that follows is read, even if nobody waits for it any more.
	answered func(Message)
	// repeat tells, when there is the next connection, whether the message may
	// be sent again in it because its answer did not come in the last one; nil:
	// no.
	repeat func() bool
}

// always is a repeat for what may be done twice.
func always() bool { return true }

// answer is what a call waits for.
type answer struct {
	came     chan Message // of size 1
	answered func(Message)
}

// call sends a message and waits for its answer.
func (c *Client) call(ctx context.Context, messageType string, data any, opts callOptions) (Message, error) {
	id := c.nextID()
	frame, err := newFrame(messageType, data, id)
	if err != nil {
		return Message{}, err
	}
	if err := c.enter(); err != nil {
		return Message{}, fmt.Errorf("%s: %w", messageType, err)
	}
	defer c.leave()
	m, err := c.roundTrips(ctx, id, frame, opts)
	if err != nil {
		return Message{}, fmt.Errorf("%s: %w", messageType, err)
	}
	if e := m.err(); e != nil {
		return Message{}, fmt.Errorf("%s: %w", messageType, e)
	}
	return m, nil
}

// roundTrips sends frame, and again where it may, until there is an answer.
func (c *Client) roundTrips(ctx context.Context, id int64, frame []byte, opts callOptions) (Message, error) {
	sent := false
	for {
		w, err := c.await(ctx, len(frame))
		if err != nil {
			return Message{}, unknownIf(sent, err)
		}
		if sent && !opts.repeat() {
			return Message{}, unknownIf(sent, errLost)
		}
		m, begun, err := c.roundTrip(ctx, w, id, frame, opts.answered)
		sent = sent || begun
		switch {
		case err == nil:
			return m, nil
		case !errors.Is(err, errLost):
			return Message{}, unknownIf(sent, err)
		case sent && opts.repeat == nil:
			return Message{}, unknownIf(sent, err)
		}
	}
}

// unknownIf makes err an ErrUnknown where a message has left.
func unknownIf(sent bool, err error) error {
	if !sent {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// roundTrip sends frame in one connection and waits for its answer. An error is
// errLost or that of ctx; begun tells whether anything may have left.
func (c *Client) roundTrip(ctx context.Context, w *wire, id int64, frame []byte, answered func(Message)) (m Message, begun bool, err error) {
	a := &answer{came: make(chan Message, 1), answered: answered}
	if !w.expect(id, a) {
		return Message{}, false, errLost
	}
	// The goroutine that reads must not wait for a handler that waits for this.
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	c.inbox.wake()
	if begun, err = w.write(ctx, frame); !begun {
		w.forget(id)
		return Message{}, false, err
	}
	select {
	case m = <-a.came:
		return m, true, nil
	case <-w.lost:
		err = errLost
	case <-ctx.Done():
		err = ctx.Err()
		if answered == nil {
			w.forget(id)
		}
	}
	select {
	case m = <-a.came: // both came at once
		return m, true, nil
	default:
		return Message{}, true, err
	}
}

// expect notes that an answer will come; false: the connection is lost.
func (w *wire) expect(id int64, a *answer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answers == nil {
		return false
	}
	w.answers[id] = a
	return true
}

func (w *wire) forget(id int64) { w.expected(id) }

// expected returns who waits for an answer, and forgets it; nil: nobody.
func (w *wire) expected(id int64) *answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.answers[id]
	delete(w.answers, id)
	return a
}

// enter begins a call.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.endedLocked(); err != nil {
		return err
	}
	if c.pending >= c.opts.MaxPending {
		return ErrBusy
	}
	c.pending++
	return nil
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending--
}

// await returns a connection, when there is one that takes size bytes.
func (c *Client) await(ctx context.Context, size int) (*wire, error) {
	for {
		c.mu.Lock()
		w, ready, changed, err := c.wire, c.ready, c.changed, c.endedLocked()
		c.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case ready && w.welcome.MaxMessageSize > 0 && size > w.welcome.MaxMessageSize:
			return nil, fmt.Errorf("%w: %d bytes, the hub takes %d", ErrTooLarge, size, w.welcome.MaxMessageSize)
		case ready:
			return w, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("not connected: %w", ctx.Err())
		}
	}
}

// nextID returns a message_id that no call of this client has had.
func (c *Client) nextID() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	return c.lastID
}

// newFrame returns a message for the wire.
func newFrame(messageType string, data any, id int64) ([]byte, error) {
	if messageType == "" {
		return nil, errors.New("encode message: its type is empty")
	}
	return encodeMessage(envelope{Type: messageType, MessageID: id}, data)
}
