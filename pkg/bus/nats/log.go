package nats

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/chenxilol/gohub/pkg/bus"
)

const (
	// entryOverhead is more than the headers of an entry take, in bytes, which
	// count against the server's limit.
	entryOverhead = 256
	// Pauses between two attempts double from the first to the second.
	minPause = 10 * time.Millisecond
	maxPause = 500 * time.Millisecond
	// liveWait is how long an append waits for its own live copy when it has the
	// acknowledgement, which the server sends behind it.
	liveWait = 50 * time.Millisecond
)

// eventLog is a [bus.Log] in a stream of JetStream.
//
// Retention.Size of a subject is Options.History's; a smaller one given to
// Append has no effect, as a stream has one limit. A smaller TTL has, in whole
// seconds. Offsets are the stream's sequence numbers.
type eventLog struct {
	b      *Bus
	stream *stream
	fences rounds[uint64]

	waiting atomic.Int64 // len(waits)
	mu      sync.Mutex   // guards waits
	waits   map[string]chan bus.Place
}

func newEventLog(b *Bus) *eventLog {
	return &eventLog{b: b, stream: newStream(b), waits: make(map[string]chan bus.Place)}
}

// appending is one Append.
type appending struct {
	l       *eventLog
	subject string
	id      string
	payload []byte
	ttl     time.Duration
	// unknown is set when an attempt may have been taken, since then, by the log
	// of epoch.
	unknown bool
	since   time.Time
	epoch   string
}

// maybe notes that an attempt may have been taken.
func (a *appending) maybe(e *epoch) {
	if !a.unknown {
		a.unknown, a.since, a.epoch = true, time.Now(), e.name
	}
}

// Append adds an entry to a log: see [bus.Log]. Prev of an append that was tried
// again is looked up; it is 0 when the entry before is not kept any more.
func (l *eventLog) Append(ctx context.Context, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	if err := bus.CheckSubject(subject); err != nil {
		return bus.Place{}, err
	}
	if err := checkPayload(payload, l.b.MaxPayload()); err != nil {
		return bus.Place{}, err
	}
	if id == "" {
		id = nuid.Next()
	}
	a := &appending{l: l, subject: subject, id: id, payload: payload, ttl: keep.TTL}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err := ctx.Err(); err != nil {
			return bus.Place{}, a.verdict(err)
		}
		place, err := a.try(ctx)
		if err == nil {
			l.b.published.Add(1)
			l.b.publishedBytes.Add(uint64(len(payload)))
			return place, nil
		}
		if a.final(err) {
			return bus.Place{}, a.verdict(err)
		}
		sleep(ctx, pause)
	}
}

// sleep waits for a time or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// errEpoch ends an append whose outcome is unknown when the log it went to is
// lost: in another log it could arrive a second time.
var errEpoch = errors.New("the log was lost meanwhile")

// final says whether an error cannot be helped by another attempt. As long as
// the outcome is unknown, only another attempt can tell it.
func (a *appending) final(err error) bool {
	var api *apiError
	switch {
	case errors.Is(err, errEpoch), errors.Is(err, bus.ErrClosed):
		return true
	case a.unknown:
		// Behind the window for duplicates it could be taken a second time.
		return time.Since(a.since) > duplicates-2*requestTimeout
	case errors.As(err, &api):
		return api.Code != 503
	}
	return !errors.Is(err, bus.ErrRefused) && !errors.Is(err, bus.ErrUnknown) && !errors.Is(err, errNotFound)
}

// verdict is what Append returns after an error.
func (a *appending) verdict(err error) error {
	var api *apiError
	kind := bus.ErrRefused
	switch {
	case a.unknown:
		kind = bus.ErrUnknown
	case errors.Is(err, bus.ErrClosed):
		kind = bus.ErrClosed
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &api) && api.ErrCode == codeMessageTooLarge:
		return fmt.Errorf("append: %w", err)
	}
	// The text only: what went wrong last may be of another kind.
	return fmt.Errorf("append: %w: %v", kind, err)
}

// try makes one attempt.
func (a *appending) try(ctx context.Context) (bus.Place, error) {
	l := a.l
	e, err := l.stream.current(ctx)
	if err != nil {
		return bus.Place{}, err
	}
	if a.unknown && e.name != a.epoch {
		return bus.Place{}, errEpoch
	}
	s, err := l.b.connection()
	if err != nil {
		return bus.Place{}, err
	}
	id := messageID(e.name, a.subject, a.id)
	live := l.await(a.subject, id)
	defer l.forget(id, live)
	newest := e.newest.Load()
	attempt, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answers, err := s.do(attempt, a.message(e, id), nil)
	switch {
	case errors.Is(err, errNoResponders): // another epoch, or no leader
		l.stream.forget(e)
	case errors.Is(err, bus.ErrUnknown):
		a.maybe(e)
	}
	if err != nil {
		return bus.Place{}, err
	}
	return a.acknowledged(ctx, e, answers[0].Data, newest, live)
}

// message is what is published to the stream.
func (a *appending) message(e *epoch, id string) *nats.Msg {
	m := nats.NewMsg(e.in + a.subject)
	m.Data = a.payload
	m.Header[idHeader] = []string{id}
	if a.ttl > 0 && (e.maxAge == 0 || a.ttl < e.maxAge) {
		m.Header[ttlHeader] = []string{strconv.FormatInt(int64((a.ttl+time.Second-1)/time.Second), 10)}
	}
	return m
}

// messageID is an id for JetStream, whose window for duplicates is one for all
// subjects of a stream. It has a fixed length and no character that means
// something in a header.
func messageID(epoch, subject, id string) string {
	sum := sha256.Sum256([]byte(epoch + " " + subject + " " + id))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// pubAck is what JetStream answers to what was published to a stream.
type pubAck struct {
	Error     *apiError `json:"error"`
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
}

// acknowledged turns an acknowledgement into a place.
func (a *appending) acknowledged(ctx context.Context, e *epoch, data []byte, newest uint64, live chan bus.Place) (bus.Place, error) {
	var ack pubAck
	if err := json.Unmarshal(data, &ack); err != nil {
		a.maybe(e)
		return bus.Place{}, fmt.Errorf("%w: acknowledgement: %w", bus.ErrUnknown, err)
	}
	switch {
	case ack.Error != nil && ack.Error.ErrCode == codeInProcess:
		a.maybe(e)
		return bus.Place{}, fmt.Errorf("%w: %w", bus.ErrUnknown, ack.Error)
	case ack.Error != nil:
		return bus.Place{}, ack.Error
	case !ack.Duplicate && ack.Seq <= newest:
		// The stream has begun anew without another epoch: it has lost its data.
		a.l.stream.forget(e)
		a.maybe(e)
		return bus.Place{}, errEpoch
	}
	e.note(ack.Seq)
	if live != nil && !ack.Duplicate {
		timer := time.NewTimer(liveWait)
		defer timer.Stop()
		select {
		case place := <-live:
			if place.Epoch == e.name && place.Offset == ack.Seq {
				return place, nil
			}
		case <-timer.C:
		}
	}
	// It is stored, whatever becomes of the question for the one before it.
	prev, err := a.l.prev(ctx, e, a.subject, ack.Seq)
	if err != nil {
		a.maybe(e)
		return bus.Place{}, err
	}
	return bus.Place{Epoch: e.name, Offset: ack.Seq, Prev: prev}, nil
}

// await returns a channel for the place of the live copy with a message id, nil
// if this node has not subscribed to the subject and will get none.
func (l *eventLog) await(subject, id string) chan bus.Place {
	l.b.mu.RLock()
	subscribed := l.b.subs[subject] != nil
	l.b.mu.RUnlock()
	if !subscribed {
		return nil
	}
	live := make(chan bus.Place, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits[id] = live
	l.waiting.Store(int64(len(l.waits)))
	return live
}

func (l *eventLog) forget(id string, live chan bus.Place) {
	if live == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits[id] == live { // two appends with the same id may be on their way
		delete(l.waits, id)
		l.waiting.Store(int64(len(l.waits)))
	}
}

// liveEntry returns the place of a live copy, and gives it to the append that
// waits for it.
func (b *Bus) liveEntry(epoch string, m *nats.Msg) bus.Place {
	place := bus.Place{Epoch: epoch, Offset: number(m, seqHeader), Prev: number(m, prevHeader)}
	l := b.events
	if l == nil {
		return place
	}
	l.stream.note(place)
	if l.waiting.Load() > 0 {
		id := m.Header.Get(idHeader)
		l.mu.Lock()
		if live := l.waits[id]; live != nil {
			select {
			case live <- place:
			default:
			}
		}
		l.mu.Unlock()
	}
	return place
}

// number returns a header that is a number, 0 without it.
func number(m *nats.Msg, header string) uint64 {
	n, _ := strconv.ParseUint(m.Header.Get(header), 10, 64)
	return n
}
