package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Receipt is what the hub says about a message that was published.
type Receipt struct {
	Position string // "" in a room without a history
	Scope    string // "cluster", or "node" where it reached the hub's own members only
}

// repeatWindow is how long a message is repeated with its idempotency key: hubs
// remember keys for two minutes.
const repeatWindow = 110 * time.Second

// Publish sends content, encoded as JSON, to the other members of a room that
// the client is in. Use a json.RawMessage for what is JSON already.
//
// In a room with a history a message whose connection was lost before its
// answer came is sent again in the next one, with an idempotency key, so that
// it counts once. In other rooms hubs of a cluster do not know each other's
// keys: there it is ErrUnknown. So is a hub's error of code CodeTimeout, and any
// of a message that was sent again. After any other error the message will never
// arrive.
func (c *Client) Publish(ctx context.Context, room string, content any) (Receipt, error) {
	return c.publish(ctx, room, "", content)
}

// PublishWithKey is Publish with an idempotency key of the caller's own, of 1 to
// 512 bytes, for programs that want to repeat a message themselves.
func (c *Client) PublishWithKey(ctx context.Context, room, key string, content any) (Receipt, error) {
	if key == "" {
		return Receipt{}, errors.New("room_message: the idempotency key is empty")
	}
	return c.publish(ctx, room, key, content)
}

type publication struct {
	Room    string `json:"room_id"`
	Content any    `json:"content"`
	Key     string `json:"idempotency_key,omitempty"`
}

func (c *Client) publish(ctx context.Context, name, key string, content any) (Receipt, error) {
	r, history, id := c.sending(name)
	if history && key == "" {
		key = c.newKey()
	}
	begin := time.Now()
	var receipt Receipt
	opts := callOptions{answered: func(m Message) { receipt = c.published(r, m) }}
	repeated := false
	if history {
		// The key belongs to the id: a guest has another one by then.
		opts.repeat = func() bool {
			repeated = time.Since(begin) < repeatWindow && c.ID() == id
			return repeated
		}
	}
	_, err := c.call(ctx, typeRoomMessage, publication{name, content, key}, opts)
	c.settled(r)
	// A refusal of the repetition says nothing about the message before it.
	if _, refused := errors.AsType[*hub.Error](err); refused && repeated || errors.Is(err, &hub.Error{Code: hub.CodeTimeout}) {
		return Receipt{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err != nil { // the answer may still come
		return Receipt{}, err
	}
	return receipt, nil
}

// sending begins a publish. It returns the room, whether it has a history, and
// the client's id.
func (c *Client) sending(name string) (r *room, history bool, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r = c.rooms[name]; r != nil {
		r.chain.sending++
		history = r.chain.last != ""
	}
	return r, history, c.welcome.ID
}

// published takes the answer to a publish.
func (c *Client) published(r *room, m Message) (receipt Receipt) {
	if m.err() != nil || !c.read(m, &receipt) {
		return Receipt{}
	}
	if r != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.chain.sent(c.seed, receipt.Position)
	}
	return receipt
}

// settled ends a publish, and tells of the gaps that its answer has not
// explained.
func (c *Client) settled(r *room) {
	if r == nil {
		return
	}
	c.mu.Lock()
	gaps := r.chain.settled()
	c.mu.Unlock()
	for _, g := range gaps {
		g.Room = r.name
		c.tellNow(g)
	}
}

// newKey returns an idempotency key that no other message has.
func (c *Client) newKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastKey++
	return c.keyPrefix + strconv.FormatUint(c.lastKey, 36)
}

// SendDirect sends content, encoded as JSON, to one client, wherever it is
// connected. Nobody of that id is a *hub.Error of CodeNoClient.
func (c *Client) SendDirect(ctx context.Context, target string, content any) error {
	_, err := c.call(ctx, typeDirect, struct {
		Target  string `json:"target_id"`
		Content any    `json:"content"`
	}{target, content}, callOptions{})
	if errors.Is(err, &hub.Error{Code: hub.CodeTimeout}) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}
