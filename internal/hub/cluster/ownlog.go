package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// ownLog is the history of rooms where the bus keeps none: each room's is in
// the memory of its owner, which gives the entries their order. When another
// node becomes the owner it takes it over from the old one; where that has died
// the history is gone, and a new epoch says so.
type ownLog struct {
	c      *Cluster
	lapses atomic.Uint64 // how often this node's lease has run out

	mu   sync.Mutex // guards logs; may be taken with a log's lock held
	logs map[string]*ownedLog
}

// ownedLog is the log of one subject.
type ownedLog struct {
	mu      sync.Mutex // guards all below; nobody is asked with it held
	ready   bool       // it is this node's: all nodes have been asked for it, see ownLog.ready
	lapses  uint64     // ownLog's, when they were asked
	asking  bool       // they are being asked
	given   bool       // another node may go on with it
	gives   int        // how often it was given
	taken   bool       // its new owner has it
	used    time.Time  // when it was last asked for
	epoch   string
	offset  uint64 // of the last entry
	entries []stored
	ids     map[string]uint64 // offsets of the entries of the last two minutes
	order   []usedID
	keep    bus.Retention
}

type stored struct {
	bus.Entry
	at time.Time
}

type usedID struct {
	id string
	at time.Time
}

const (
	// repeatWithin is how long an id is remembered, as bus.Log says.
	repeatWithin = 2 * time.Minute
	// maxOwnIDs bounds the ids remembered for one subject.
	maxOwnIDs = 4096
	// ownLogPage bounds the bytes of entries in one answer.
	ownLogPage = 256 << 10
)

func newOwnLog(c *Cluster) *ownLog { return &ownLog{c: c, logs: make(map[string]*ownedLog)} }

func (l *ownLog) handle() {
	l.c.Handle("log.append", l.answerAppend)
	l.c.Handle("log.read", l.answerRead)
	l.c.Handle("log.tail", l.answerTail)
	l.c.Handle("log.delete", l.answerDelete)
	l.c.Handle("log.take", l.answerTake)
	l.c.HandleQuick("log.taken", l.answerTaken)
	l.c.Handle("log.ended", l.answerEnded)
}

// subjectKey is the key that a room's subject was made of.
func subjectKey(subject string) (k Key) {
	b, err := hex.DecodeString(strings.TrimPrefix(subject, "r."))
	if err == nil {
		copy(k[:], b)
	}
	return k
}

// Append implements bus.Log.
func (l *ownLog) Append(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	var w writer
	w.string(subject)
	w.string(id)
	w.uint(uint64(keep.Size))
	w.uint(uint64(keep.TTL))
	w = append(w, payload...)
	k := subjectKey(subject)
	var asked uint64 // the owner that may have taken it
	for {
		at := l.c.ownerOf(k)
		if asked != 0 && at != asked {
			return bus.Place{}, bus.ErrUnknown // a new owner does not know what the old one took
		}
		err := errNotYet
		if at != 0 {
			var answer []byte
			if answer, err = l.c.Ask(ctx, at, "log.append", w); err == nil {
				r := reader{b: answer}
				return bus.Place{Epoch: r.string(), Offset: r.uint(), Prev: r.uint()}, r.err()
			}
			if errors.Is(err, errNoAnswer) && err != errAway && err != errNotYet {
				asked = at
			}
		}
		switch {
		case err == errAway && asked == 0:
			return bus.Place{}, fmt.Errorf("append: %w", bus.ErrRefused)
		case asked == 0 && err != errAway && err != errNotYet:
			return bus.Place{}, err
		}
		if pause(ctx, askAgainAfter) != nil {
			if asked != 0 {
				return bus.Place{}, bus.ErrUnknown
			}
			return bus.Place{}, fmt.Errorf("append: %w: %w", bus.ErrRefused, err)
		}
	}
}

// Read implements bus.Log.
func (l *ownLog) Read(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
	var w writer
	w.string(subject)
	w.uint(after)
	w.uint(uint64(limit))
	answer, err := l.c.askOwner(ctx, subjectKey(subject), "log.read", w)
	if err != nil {
		return nil, bus.Tail{}, err
	}
	r := reader{b: answer}
	tail := bus.Tail{Epoch: r.string(), Offset: r.uint()}
	var list []bus.Entry
	for len(r.b) > 0 {
		offset, prev := r.uint(), r.uint()
		list = append(list, bus.Entry{Place: bus.Place{Epoch: tail.Epoch, Offset: offset, Prev: prev}, Payload: r.bytes()})
	}
	return list, tail, r.err()
}

// Delete implements bus.Log.
func (l *ownLog) Delete(ctx context.Context, subject string) error {
	_, err := l.c.askOwner(ctx, subjectKey(subject), "log.delete", text(subject))
	return err
}

// Tails implements bus.Log.
func (l *ownLog) Tails(ctx context.Context, subjects []string) ([]bus.Tail, error) {
	tails := make([]bus.Tail, len(subjects))
	for i, subject := range subjects {
		answer, err := l.c.askOwner(ctx, subjectKey(subject), "log.tail", text(subject))
		if err != nil {
			return nil, err
		}
		r := reader{b: answer}
		tails[i] = bus.Tail{Epoch: r.string(), Offset: r.uint()}
		if r.bad {
			return nil, r.err()
		}
	}
	return tails, nil
}
