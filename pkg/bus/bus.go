// Package bus is the contract between a hub and what connects it with other
// hubs. The drivers are in the packages below it; package bustest holds what
// every one of them must do.
//
// A bus carries messages between the nodes of a cluster: bytes to whoever has
// subscribed to a subject. It promises order, not arrival: what one node
// publishes to a subject arrives at another in the order of publishing, with
// holes perhaps. The cluster numbers its messages, finds the holes and tells of them;
// a driver helps it by telling what it knows ([Notice]).
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Errors of publishing. A driver wraps one of them around what happened; every
// other error of Publish and Append means the caller's mistake (a payload over
// MaxPayload, a bad subject).
var (
	// ErrRefused means that no byte has left: the message will never arrive.
	ErrRefused = errors.New("the bus took nothing")
	// ErrUnknown means that the message may have been taken: it arrives at most
	// once, or never.
	ErrUnknown = errors.New("the outcome is unknown")
	// ErrClosed means that Close was called. It is a refusal, too: it wraps
	// ErrRefused.
	ErrClosed = fmt.Errorf("%w: it is closed", ErrRefused)
)

// maxSubject is the length of the longest subject, in bytes.
const maxSubject = 255

// CheckSubject returns an error unless a subject is made of the letters a to z
// and A to Z, digits, '-', '_' and '.' between tokens, 1 to 255 bytes in all.
// Drivers call it wherever they are given one. Names of users are encoded into
// one token before they get here.
func CheckSubject(subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("subject of %d bytes: must have 1 to %d", len(subject), maxSubject)
	}
	empty := true // the token so far
	for i := range len(subject) {
		switch c := subject[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			empty = false
		case c == '.' && !empty:
			empty = true
		default:
			return fmt.Errorf("subject %q: must be letters, digits, '-' and '_', with single dots between", subject)
		}
	}
	if empty {
		return fmt.Errorf("subject %q: must not end with a dot", subject)
	}
	return nil
}

// Bus is one node's connection to the others. It is safe for concurrent use.
type Bus interface {
	// Publish sends payload to every subscriber of subject. It hands it over
	// and does not wait for an acknowledgement: nil means that it is on its way,
	// behind everything this node has published before. While the bus is known
	// to be away it fails with ErrRefused. The payload is the caller's again
	// when Publish returns. Whether this node's own subscriptions hear it
	// depends on the driver.
	Publish(subject string, payload []byte) error

	// Subscribe has deliver called with each message of a subject. It is called
	// for one message of a subject at a time, in order, on a goroutine that
	// other subjects share: it must not wait. Subscribing costs no goroutine. A
	// subject can be subscribed to once; a second time is an error. Subscribing
	// works while the bus is away: it takes effect when it is back. Subscribe
	// does not wait for the broker: Probe does.
	Subscribe(subject string, deliver func(Message)) (Subscription, error)

	// Probe makes a round trip to the broker through every connection that this
	// node has to it. When it returns nil, every Subscribe that returned before
	// it was called is in force at that broker; other brokers of a cluster may
	// learn of it a little later, but before any message that this node
	// publishes from then on.
	Probe(ctx context.Context) error

	// MaxPayload is the size of the largest payload, in bytes. It may change
	// with a reconnect.
	MaxPayload() int

	// Stats returns what went through this connection since it was made.
	Stats() Stats

	// Close sends what Publish has taken, waits for that until ctx ends, and
	// disconnects. No deliver function is called, and no notice given, after it
	// has returned; it must not be called from one.
	Close(ctx context.Context) error
}

// Subscription is one Subscribe.
type Subscription interface {
	// Unsubscribe ends it without waiting for the broker. A message that is
	// being delivered still is; a few more may be.
	Unsubscribe() error
}

// Message is what a subscription delivers. The payload is the receiver's own.
type Message struct {
	Subject string
	Payload []byte
	// Entry says which entry of a Log this is the live copy of; its Epoch is ""
	// for messages that were published.
	Entry Place
}

// Place is where an entry stands in the log of its subject. Offsets grow from
// one entry to the next, not always by one.
type Place struct {
	Epoch  string // changes whenever offsets begin anew; without '.' and ':'; subjects may have different ones
	Offset uint64 // of this entry, over 0
	Prev   uint64 // of the entry before it in the same subject; 0: none, or it is not kept any more
}

// Stats counts messages and bytes of payload.
type Stats struct {
	PublishedMessages, PublishedBytes uint64
	ReceivedMessages, ReceivedBytes   uint64
	Dropped                           uint64 // messages the client library or broker is known to have dropped for this node
	Reconnects                        uint64
}

// Notice tells of something that may have lost messages.
type Notice struct {
	Kind NoticeKind
	// Subjects are those touched; nil means all.
	Subjects []string
	// Err says what happened; nil for Connected.
	Err error
}

// NoticeKind is what a Notice tells.
type NoticeKind uint8

// Kinds of notices.
const (
	// Disconnected: a connection to the broker is gone.
	Disconnected NoticeKind = iota + 1
	// Connected: all connections are there again, and every subscription is in
	// force as after a Probe. What was published in between may be lost. It
	// also follows the first connection of a bus that was made while the broker
	// was away.
	Connected
	// Dropped: messages for this node were thrown away because it was too slow.
	Dropped
)

// Options are what every driver is given.
type Options struct {
	// Node names this node in the broker's monitoring.
	Node string
	// Notify is called with each notice, one at a time; it must not wait. Nil
	// means that nobody listens.
	Notify func(Notice)
	// History is the most that any subject's log keeps: zero means that no log
	// is wanted.
	History Retention
	// Logger is where a driver tells an administrator of what it can do nothing
	// about. Nil discards. No payload and no secret is logged.
	Logger *slog.Logger
}

// Retention is how much of a log is kept.
type Retention struct {
	Size int           // entries of one subject
	TTL  time.Duration // 0: no limit
}

// Log keeps what is appended to each subject, in one order for all nodes. A
// Bus implements it where its broker can keep a history: see [LogOf].
type Log interface {
	// Append adds payload to the log of subject and has every subscriber get a
	// live copy, this node's included; after a fault a copy may come again, with
	// the same place. It waits until the broker has promised
	// to keep it. id makes an append that is tried again count once: within two
	// minutes of the first of the same id and subject it returns the place of
	// that. keep is the retention of this subject, at most Options.History: a
	// log may keep more than keep, and no more than that. Errors are ErrRefused and
	// ErrUnknown; Append itself tries again, with the same id, until ctx ends.
	Append(ctx context.Context, subject, id string, payload []byte, keep Retention) (Place, error)

	// Read returns up to limit entries behind offset after, oldest first, and
	// the tail of the log at that moment. Offset 0 begins with the oldest.
	Read(ctx context.Context, subject string, after uint64, limit int) ([]Entry, Tail, error)

	// Tails returns the tail of each subject's log, in the order asked for.
	Tails(ctx context.Context, subjects []string) ([]Tail, error)

	// Delete removes the entries of subject, and tells nobody. What is appended
	// from then on has higher offsets, or another epoch; an id of before may
	// count as used. It tries again until ctx ends; after an error the entries
	// may be gone or not.
	Delete(ctx context.Context, subject string) error
}

// Entry is one entry of a log.
type Entry struct {
	Place
	Payload []byte
}

// Tail is where a log ends.
type Tail struct {
	Epoch  string // of the log; never "" without an error
	Offset uint64 // of the newest entry; 0: the log is empty
}

// Leaser is implemented by a Bus whose broker can vouch for a node even where
// brokers are cut off from each other: see [LeaserOf].
type Leaser interface {
	// Confirm renews the lease of a node for ttl. Nil means that the broker's
	// majority has it; anything else that it may not have.
	Confirm(ctx context.Context, node string, ttl time.Duration) error
}

// LogOf returns the log of a bus, nil where it keeps none.
func LogOf(b Bus) Log {
	if o, ok := b.(interface{ Log() Log }); ok {
		return o.Log()
	}
	return nil
}

// LeaserOf returns the leaser of a bus, nil where its broker cannot vouch.
func LeaserOf(b Bus) Leaser {
	if o, ok := b.(interface{ Leaser() Leaser }); ok {
		return o.Leaser()
	}
	return nil
}
