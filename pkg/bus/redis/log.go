package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// idMemory is how long an id makes an append count once.
	idMemory = 2 * time.Minute
	// A counter outlives the entries by this, and a log without any lives as
	// long: who comes back later finds a new epoch.
	counterMore = 24 * time.Hour
)

// eventLog keeps each subject's log in three kinds of keys: a stream with the
// entries, a counter with the epoch, and one short-lived key for each append.
type eventLog struct {
	bus  *Bus
	most bus.Retention
}

// Append implements [bus.Log].
func (l *eventLog) Append(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	b := l.bus
	if err := b.check(subject, payload); err != nil {
		return bus.Place{}, fmt.Errorf("append: %w", err)
	}
	if keep.Size < 1 || keep.Size > l.most.Size {
		keep.Size = l.most.Size
	}
	if keep.TTL <= 0 || l.most.TTL > 0 && keep.TTL > l.most.TTL {
		keep.TTL = l.most.TTL
	}
	if id == "" {
		id = random()
	}
	payload = bytes.Clone(payload) // it may be being sent when ctx ends
	epoch := random()
	value, err := b.request(ctx, partitionOf(subject), true, len(payload), func(s server) []any {
		publish := "PUBLISH"
		if s.sharded {
			publish = "SPUBLISH"
		}
		return []any{
			"EVALSHA", b.scripts.append.Hash(), 3,
			b.names.counterKey(subject), b.names.streamKey(subject), b.names.idKey(subject, id),
			epoch, s.run, keep.Size, keep.TTL.Milliseconds(), (keep.TTL + counterMore).Milliseconds(),
			payload, b.names.channel(subject), publish, idMemory.Milliseconds(),
		}
	})
	if err != nil {
		return bus.Place{}, fmt.Errorf("append to redis: %w", err)
	}
	text, _ := value.(string)
	place, err := parsePlace(text)
	if err != nil {
		return bus.Place{}, fmt.Errorf("append to redis: %w: %w", bus.ErrUnknown, err)
	}
	return place, nil
}

// Read implements [bus.Log]. Every entry's Prev is exact, even if the entry
// before it is not kept any more.
func (l *eventLog) Read(ctx context.Context, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return nil, bus.Tail{}, fmt.Errorf("read: %w", err)
	}
	limit = max(limit, 0)
	for {
		page, err := l.read(ctx, subject, after, limit)
		if err != nil {
			return nil, bus.Tail{}, fmt.Errorf("read from redis: %w", err)
		}
		// Old entries stay until newer ones push them out or the last one is too
		// old: there may be younger ones behind a page of nothing but those.
		if len(page.entries) > 0 || page.all < limit || limit == 0 {
			return page.entries, page.tail, nil
		}
		after = page.last
	}
}

// Tails implements [bus.Log].
func (l *eventLog) Tails(ctx context.Context, subjects []string) ([]bus.Tail, error) {
	for _, s := range subjects {
		if err := bus.CheckSubject(s); err != nil {
			return nil, fmt.Errorf("tails: %w", err)
		}
	}
	tails := make([]bus.Tail, len(subjects))
	errs := make([]error, len(subjects))
	next := make(chan int)
	var asking sync.WaitGroup
	// They share round trips: as many at a time as one batch takes.
	for range min(len(subjects), batchRequests) {
		asking.Go(func() {
			for i := range next {
				page, err := l.read(ctx, subjects[i], 0, 0)
				tails[i], errs[i] = page.tail, err
			}
		})
	}
	for i := range subjects {
		next <- i
	}
	close(next)
	asking.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("tails from redis: %w", err)
		}
	}
	return tails, nil
}

// Delete implements [bus.Log]. The next log of the subject has another epoch.
func (l *eventLog) Delete(ctx context.Context, subject string) error {
	err := bus.CheckSubject(subject)
	if err == nil {
		b := l.bus
		_, err = b.request(ctx, partitionOf(subject), true, 0, func(server) []any {
			return []any{"DEL", b.names.counterKey(subject), b.names.streamKey(subject)}
		})
	}
	if err != nil {
		return fmt.Errorf("delete from redis: %w", err)
	}
	return nil
}

// page is what one read returns.
type page struct {
	entries []bus.Entry // without those that are too old
	all     int         // how many there were with them
	last    uint64      // offset of the newest one
	tail    bus.Tail
}

func (l *eventLog) read(ctx context.Context, subject string, after uint64, limit int) (page, error) {
	b := l.bus
	epoch := random()
	// It writes where the log does not exist; but that needs no replica, since
	// another epoch is all that can be lost.
	value, err := b.request(ctx, partitionOf(subject), false, 0, func(server) []any {
		return []any{
			"EVALSHA", b.scripts.read.Hash(), 2, b.names.counterKey(subject), b.names.streamKey(subject),
			epoch, (l.most.TTL + counterMore).Milliseconds(), strconv.FormatUint(after, 10), limit,
		}
	})
	if err != nil {
		return page{}, err
	}
	return parsePage(value)
}

// errReply is an answer that read.lua does not give.
var errReply = errors.New("the answer of redis is not what was asked for")

// parsePage reads the answer of read.lua.
func parsePage(value any) (page, error) {
	parts, _ := value.([]any)
	if len(parts) != 4 {
		return page{}, errReply
	}
	var p page
	epoch, ok := parts[0].(string)
	rows, ok2 := parts[3].([]any)
	newest, err := number(parts[1])
	now, err2 := number(parts[2])
	if !ok || !ok2 || err != nil || err2 != nil {
		return page{}, errReply
	}
	p.tail = bus.Tail{Epoch: epoch, Offset: newest}
	p.all = len(rows)
	for _, row := range rows {
		e, dies, err := parseEntry(row)
		if err != nil {
			return page{}, err
		}
		p.last = e.Offset
		if dies == 0 || dies > now {
			e.Epoch = epoch
			p.entries = append(p.entries, e)
		}
	}
	return p, nil
}

// parseEntry reads an entry of a stream: its id, and names and values.
func parseEntry(row any) (e bus.Entry, dies uint64, err error) {
	pair, _ := row.([]any)
	if len(pair) != 2 {
		return e, 0, errReply
	}
	id, _ := pair[0].(string)
	fields, _ := pair[1].([]any)
	if len(fields) != 6 {
		return e, 0, errReply
	}
	payload, ok := fields[5].(string)
	offset, _, _ := bytes.Cut([]byte(id), []byte("-"))
	e.Payload = []byte(payload)
	var errs [3]error
	e.Offset, errs[0] = number(string(offset))
	e.Prev, errs[1] = number(fields[1])
	dies, errs[2] = number(fields[3])
	if !ok || errors.Join(errs[:]...) != nil {
		return e, 0, errReply
	}
	return e, dies, nil
}

func number(value any) (uint64, error) {
	text, _ := value.(string)
	return strconv.ParseUint(text, 10, 64)
}

// random returns 96 unguessable bits as text.
func random() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
