package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// log is the [bus.Log] of a bus.
type log Bus

func (l *log) bus() *Bus { return (*Bus)(l) }

// Append implements [bus.Log]. Keep is cut to Options.History; its Size must be
// over 0, and id must not be empty.
func (l *log) Append(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	if err := checkAppend(subject, id, payload, keep); err != nil {
		return bus.Place{}, fmt.Errorf("append: %w", err)
	}
	c := l.bus()
	keep = within(keep, c.options.History)
	payload = bytes.Clone(payload)
	var place bus.Place
	err := c.tryUntil(ctx, len(payload), func() {
		b, isNew := c.broker, false
		place, isNew = b.logs.append(time.Now(), appendID{subject, id}, payload, keep)
		if isNew {
			b.publish(0, nil, bus.Message{Subject: subject, Payload: payload, Entry: place})
		}
	})
	if err != nil {
		return bus.Place{}, fmt.Errorf("append: %w", err)
	}
	return place, nil
}

// tryUntil tries again while the broker is away, until ctx ends.
func (c *Bus) tryUntil(ctx context.Context, size int, f func()) error {
	for {
		c.broker.mu.RLock()
		changed := c.broker.changed
		c.broker.mu.RUnlock()
		err := c.try(ctx, toMajority, size, f)
		if !errors.Is(err, bus.ErrRefused) {
			return err
		}
		select {
		case <-changed:
		case <-c.closed:
			return bus.ErrClosed
		case <-ctx.Done():
			return err
		}
	}
}

// Read implements [bus.Log]. It fails at once with [bus.ErrRefused] while the
// broker is away. A negative limit is an error.
func (l *log) Read(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, bus.Tail{}, fmt.Errorf("read: %w", err)
	}
	if limit < 0 {
		return nil, bus.Tail{}, fmt.Errorf("read: limit is %d; it must be 0 or more", limit)
	}
	var entries []bus.Entry
	var tail bus.Tail
	err := l.bus().try(ctx, toMajority, 0, func() {
		entries, tail = l.broker.logs.read(time.Now(), subject, after, limit)
	})
	if err != nil {
		return nil, bus.Tail{}, fmt.Errorf("read: %w", err)
	}
	return entries, tail, nil
}

// Tails implements [bus.Log]. It fails at once with [bus.ErrRefused] while the
// broker is away.
func (l *log) Tails(ctx context.Context, subjects []string) ([]bus.Tail, error) {
	for _, subject := range subjects {
		if err := bus.CheckSubject(subject); err != nil {
			return nil, fmt.Errorf("tails: %w", err)
		}
	}
	tails := make([]bus.Tail, len(subjects))
	err := l.bus().try(ctx, toMajority, 0, func() {
		now := time.Now()
		for i, subject := range subjects {
			tails[i] = l.broker.logs.tail(now, subject)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("tails: %w", err)
	}
	return tails, nil
}

// Delete implements [bus.Log].
func (l *log) Delete(ctx context.Context, subject string) error {
	err := bus.CheckSubject(subject)
	if err == nil {
		err = l.bus().tryUntil(ctx, 0, func() { delete(l.broker.logs.subjects, subject) })
	}
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

func checkAppend(subject, id string, payload []byte, keep bus.Retention) error {
	if err := checkMessage(subject, payload); err != nil {
		return err
	}
	if id == "" {
		return errors.New("id is empty; each append must have one of its own")
	}
	if keep.Size < 1 || keep.TTL < 0 {
		return fmt.Errorf("keep is %+v; Size must be 1 or more, TTL 0 or more", keep)
	}
	return nil
}

// within cuts a retention to what may be kept at most.
func within(keep, most bus.Retention) bus.Retention {
	keep.Size = min(keep.Size, most.Size)
	if most.TTL > 0 && (keep.TTL == 0 || keep.TTL > most.TTL) {
		keep.TTL = most.TTL
	}
	return keep
}
