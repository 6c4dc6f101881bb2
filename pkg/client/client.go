package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Client is a connection to a cluster of hubs that mends itself. All methods
// are safe for concurrent use, in handlers too.
type Client struct {
	opts      Options
	addresses []string
	seed      maphash.Seed
	keyPrefix string // of idempotency keys, of this client only

	ctx     context.Context // of everything the client does, ended by cancel
	cancel  context.CancelFunc
	inbox   *inbox
	stopped chan struct{} // closed when the connection is gone for good

	waiting atomic.Int64 // calls that wait for an answer

	// Used by the goroutine that connects only.
	attempts attempts
	address  int    // index in addresses
	spent    string // a token that is used up; "": none
	spentBy  error  // how that was known

	mu      sync.Mutex    // guards all below, and the fields of wire and rooms that say so
	wire    *wire         // nil while there is no connection
	ready   bool          // calls may use wire
	changed chan struct{} // closed, and replaced, when ready or ended changes
	rooms   map[string]*room
	lastID  int64  // message_id of the last request
	lastKey uint64 // number of the last idempotency key
	pending int    // calls under way
	token   string // of the last connection
	welcome welcome
	again   bool  // has been connected
	ended   error // why the client has ended; nil: it has not
}

// Dial connects to the hub at address (ws, wss, http or https), or one of
// Options.Alternatives. It tries each once; with Options.RetryDial as often as
// it takes. When it returns nil the client is
// connected, and stays so until it is closed. The errors are a *RefusedError,
// a *CloseError, ErrNotHub, those of the network and of Options.Token, and
// ctx's. ctx bounds Dial only.
func Dial(ctx context.Context, address string, opts Options) (*Client, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	addresses, err := opts.addresses(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c := newClient(opts, addresses)
	w, err := c.first(ctx)
	if err != nil {
		c.cancel()
		return nil, fmt.Errorf("dial: %w", err)
	}
	c.up(w)
	go c.run(w)
	return c, nil
}

func newClient(opts Options, addresses []string) *Client {
	c := &Client{
		opts: opts, addresses: addresses, seed: maphash.MakeSeed(), keyPrefix: rand.Text(),
		stopped: make(chan struct{}), changed: make(chan struct{}), rooms: map[string]*room{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.inbox = newInbox(c.ctx, c.cancel, opts.InboxBytes)
	return c
}

// run serves connections, one after the other, until the client ends; w is up.
func (c *Client) run(w *wire) {
	defer close(c.stopped)
	defer c.inbox.finish()
	for {
		err := c.serve(w)
		c.down(w, err)
		if w, err = c.reconnect(err); err != nil {
			c.end(err)
			return
		}
		c.up(w)
	}
}

// up makes a connection the client's. Calls use it when the joins of all rooms
// are on their way, so that what they publish comes behind.
func (c *Client) up(w *wire) {
	c.mu.Lock()
	if c.ended != nil {
		c.mu.Unlock()
		w.goodbye(ErrClosed)
		return
	}
	again := c.again
	c.again, c.welcome, c.wire = true, w.welcome, w
	c.mu.Unlock()
	c.tell(Connected{ID: w.welcome.ID, Node: w.welcome.Node, Again: again})
	c.watch(w)
	c.renewInTime(w, w.token)
	c.rejoinAll(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = true
	c.changedLocked()
}

// changedLocked wakes calls that wait for a connection.
func (c *Client) changedLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// down takes back a connection that is lost.
func (c *Client) down(w *wire, err error) {
	now := time.Now()
	c.attempts.disconnected(now.Sub(w.born), now, 3*w.welcome.readTimeout()/2)
	c.mu.Lock()
	c.wire, c.ready = nil, false
	for name, r := range c.rooms {
		if r.leaving {
			delete(c.rooms, name)
		}
	}
	c.mu.Unlock()
	w.release()
	close(w.lost)
	c.tell(Disconnected{Err: err})
}

// end ends a client that cannot or need not reconnect.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil { // by Close
		return
	}
	c.ended = err
	c.changedLocked()
	c.tellNow(Closed{Err: err})
}

// Close says goodbye to the hub and waits until the connection is gone: for the
// hub's goodbye at most two seconds, and not longer than ctx. Handlers are not
// called any more; one that is running may go on for a while (see Done). It
// returns nil, or ctx's error where the connection was cut off. Every
// further call, of other methods too, fails with ErrClosed.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	w := c.wire
	if c.ended == nil {
		c.ended = ErrClosed
		c.changedLocked()
	}
	c.mu.Unlock()
	c.inbox.discard()
	c.cancel()
	if w != nil {
		w.goodbye(ErrClosed)
	}
	select {
	case <-c.stopped:
		return nil
	case <-ctx.Done():
		if w != nil {
			w.cut(ErrClosed)
		}
		<-c.stopped
		return fmt.Errorf("close: %w", ctx.Err())
	}
}

// Done returns a channel that is closed when the client has ended and no
// handler runs any more.
func (c *Client) Done() <-chan struct{} { return c.inbox.idle }

// Err returns why the client has ended: ErrClosed after Close, else an error
// that is a *CloseError, a *RefusedError, ErrTooLarge, ErrNotHub or of
// Options.Token. It is nil while the client lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// endedLocked returns the error of calls on a client that has ended.
func (c *Client) endedLocked() error {
	if c.ended == nil || errors.Is(c.ended, ErrClosed) {
		return c.ended
	}
	return fmt.Errorf("%w: %w", ErrClosed, c.ended)
}

// ID returns the client's id, as the hub said last. It stays the same where it
// comes from a token or a query; guests get a new one with each connection.
func (c *Client) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome.ID
}

// Node returns the name of the hub that the client is, or was last, connected
// to.
func (c *Client) Node() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome.Node
}

// Connected tells whether there is a connection, in which the rooms are joined.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// tell hands an event over. It waits where handlers are behind.
func (c *Client) tell(e Event) {
	if f := c.opts.OnEvent; f != nil {
		c.inbox.put(delivery{func(ctx context.Context) { f(ctx, e) }, eventSize}, c.callsWait)
	}
}

// tellNow is tell for goroutines that must not wait.
func (c *Client) tellNow(e Event) {
	if f := c.opts.OnEvent; f != nil {
		c.inbox.force(delivery{func(ctx context.Context) { f(ctx, e) }, eventSize})
	}
}

// eventSize is what an event counts for in the inbox.
const eventSize = 128

// callsWait tells whether calls wait for answers.
func (c *Client) callsWait() bool { return c.waiting.Load() > 0 }
