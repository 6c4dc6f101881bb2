package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Handler answers a question of another node. The answer may be nil. An error
// reaches the asking node as a *hub.Error.
type Handler func(ctx context.Context, from uint64, question []byte) (answer []byte, err error)

// Kinds of messages between nodes, their first byte. The run of the sender
// follows.
const (
	kindBeat   = 'B' // I live: see nodes.go
	kindGone   = 'G' // I live no more
	kindAsk    = 'Q' // number, name, question
	kindAnswer = 'A' // number, answer or error
	kindTell   = 'T' // name, text: a question without an answer
	kindRoom   = 'M' // a room's message: see channel.go
	kindEntry  = 'E' // an entry of a room's history kept by nodes: see ownlog.go
	kindDigest = 'D' // the last numbers of rooms in use: see digest.go
)

func newBoot() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return max(binary.BigEndian.Uint64(b[:]), 1)
}

// Handle registers the handler of a question, before Start. It runs on a
// goroutine of its own.
func (c *Cluster) Handle(name string, f Handler) { c.calls.handlers[name] = registered{f, false} }

// HandleQuick is Handle for a handler that never waits: it runs where messages
// are received, in their order.
func (c *Cluster) HandleQuick(name string, f Handler) { c.calls.handlers[name] = registered{f, true} }

// Errors of asking.
var (
	errNoAnswer = hub.NewError(hub.CodeTimeout, "another hub did not answer in time: the outcome is unknown")
	errAway     = hub.NewError(hub.CodeTimeout, "the bus is away")
)

// Ask asks a node and waits for its answer until ctx ends. Asking oneself
// works. Errors are *hub.Error: what the node said, hub.CodeTimeout, or
// hub.CodeTooLarge for what the bus does not carry.
func (c *Cluster) Ask(ctx context.Context, node uint64, name string, question []byte) ([]byte, error) {
	if node == c.boot {
		return c.calls.handlers[name].f(ctx, c.boot, question)
	}
	var got reply
	k, err := c.ask(nodeSubject(node), []uint64{node}, name, question, func(_ uint64, r reply) { got = r })
	if err != nil {
		return nil, err
	}
	if !c.wait(ctx, k) {
		return nil, errNoAnswer
	}
	return got.data, got.err
}

// AskAll asks every other live node and calls each with every answer, one at a
// time. It waits until all have answered, or ctx ends, at the longest for
// answerWithin; missing are the ids of the nodes that did not answer, or
// answered with an error. Nodes that are silent already are not waited for.
func (c *Cluster) AskAll(ctx context.Context, name string, question []byte, each func(n NodeInfo, answer []byte)) (missing []string) {
	var failed []string
	missing = c.AskEach(ctx, name, question, func(n NodeInfo, answer []byte, err error) {
		if err == nil {
			each(n, answer)
		} else {
			failed = append(failed, n.ID)
		}
	})
	return append(missing, failed...)
}

// AskEach is AskAll for questions to which an error is an answer, too: missing
// are the nodes that gave none.
func (c *Cluster) AskEach(ctx context.Context, name string, question []byte, each func(n NodeInfo, answer []byte, err error)) (missing []string) {
	live, silent := c.nodes.others()
	for _, n := range silent {
		missing = append(missing, n.ID)
	}
	if len(live) == 0 {
		return missing
	}
	due := make(map[uint64]bool, len(live))
	boots := make([]uint64, len(live))
	for i, n := range live {
		boots[i], due[n.Boot] = n.Boot, true
	}
	byBoot := func(boot uint64) NodeInfo {
		for _, n := range live {
			if n.Boot == boot {
				return n
			}
		}
		return NodeInfo{}
	}
	k, err := c.ask(everyone, boots, name, question, func(from uint64, r reply) {
		if r.err != errNoAnswer {
			delete(due, from)
			each(byBoot(from), r.data, r.err)
		}
	})
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, answerWithin)
		c.wait(bounded, k)
		cancel()
	}
	for _, n := range live {
		if due[n.Boot] {
			missing = append(missing, n.ID)
		}
	}
	return missing
}

// Tell has every other node run the handler of name, and does not wait. It
// fails where the bus took nothing.
func (c *Cluster) Tell(name string, text []byte) error {
	return c.tell(everyone, name, text)
}

// TellNode is Tell to one other node.
func (c *Cluster) TellNode(node uint64, name string, text []byte) error {
	return c.tell(nodeSubject(node), name, text)
}

func (c *Cluster) tell(subject, name string, text []byte) error {
	w := c.message(kindTell)
	w.string(name)
	w = append(w, text...)
	if err := c.bus.Publish(subject, w); err != nil {
		return fmt.Errorf("tell %s: %w", name, err)
	}
	return nil
}

func (c *Cluster) message(kind byte) writer {
	w := make(writer, 0, 128)
	w.byte(kind)
	w.fixed(c.boot)
	return w
}

func (c *Cluster) ask(subject string, nodes []uint64, name string, question []byte, each func(uint64, reply)) (*call, error) {
	k, ok := c.calls.add(nodes, each)
	if !ok {
		return nil, errAway
	}
	w := c.message(kindAsk)
	w.uint(k.number)
	w.string(name)
	w = append(w, question...)
	if err := c.fits(w); err != nil {
		c.calls.remove(k)
		return nil, err
	}
	if err := c.bus.Publish(subject, w); err != nil {
		c.calls.remove(k)
		if errors.Is(err, bus.ErrRefused) {
			return nil, errAway
		}
		return nil, hub.NewError(hub.CodeServer, "ask a hub: %s", err)
	}
	return k, nil
}

// wait waits for all answers; false where some did not come.
func (c *Cluster) wait(ctx context.Context, k *call) bool {
	select {
	case <-k.done:
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return c.calls.remove(k)
}

// pause waits for d; an error means that ctx has ended before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
