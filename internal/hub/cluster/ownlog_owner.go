package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/hub"
)

// answerAppend appends, as the owner: the entry is there once the bus has taken
// its copies.
func (l *ownLog) answerAppend(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject, id := r.string(), r.string()
	keep := bus.Retention{Size: int(r.uint()), TTL: time.Duration(r.uint())}
	payload := r.rest()
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(ctx, subject)
	if err != nil {
		return nil, err
	}
	place, err := l.append(x, subject, id, payload, keep)
	if err != nil {
		return nil, err
	}
	var w writer
	w.string(place.Epoch)
	w.uint(place.Offset)
	w.uint(place.Prev)
	return w, nil
}

func (l *ownLog) append(x *ownedLog, subject, id string, payload []byte, keep bus.Retention) (bus.Place, error) {
	now := l.c.cfg.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.given || !l.c.mayDecide(now) {
		return bus.Place{}, errNotYet
	}
	x.keep = keep
	x.expire(now)
	if offset, seen := x.ids[id]; seen {
		return bus.Place{Epoch: x.epoch, Offset: offset, Prev: offset - 1}, nil
	}
	place := bus.Place{Epoch: x.epoch, Offset: x.offset + 1, Prev: x.offset}
	w := l.c.message(kindEntry)
	w.string(place.Epoch)
	w.uint(place.Offset)
	w.uint(place.Prev)
	w = append(w, payload...)
	if err := l.c.bus.Publish(subject, w); err != nil {
		if errors.Is(err, bus.ErrRefused) || errors.Is(err, bus.ErrClosed) {
			return bus.Place{}, errNotYet
		}
		return bus.Place{}, hub.NewError(hub.CodeServer, "publish the entry: %s", err)
	}
	x.offset++
	own := append([]byte(nil), payload...)
	x.entries = append(x.entries, stored{bus.Entry{Place: place, Payload: own}, now})
	if over := len(x.entries) - keep.Size; over > 0 {
		x.entries = append(x.entries[:0:0], x.entries[over:]...)
	}
	x.ids[id] = place.Offset
	x.order = append(x.order, usedID{id, now})
	if len(x.order) > maxOwnIDs {
		delete(x.ids, x.order[0].id)
		x.order = x.order[1:]
	}
	l.c.receiveEntry(place, own) // in order: under the log's lock
	return place, nil
}

// expire forgets ids and entries that are old.
func (x *ownedLog) expire(now time.Time) {
	for len(x.order) > 0 && now.Sub(x.order[0].at) > repeatWithin {
		delete(x.ids, x.order[0].id)
		x.order = x.order[1:]
	}
	for x.keep.TTL > 0 && len(x.entries) > 0 && now.Sub(x.entries[0].at) > x.keep.TTL {
		x.entries = x.entries[1:]
	}
}

// open returns the log of a subject that this node owns.
func (l *ownLog) open(ctx context.Context, subject string) (*ownedLog, error) {
	if l.c.ownerOf(subjectKey(subject)) != l.c.boot {
		return nil, errNotYet
	}
	l.mu.Lock()
	x := l.logs[subject]
	if x == nil {
		x = &ownedLog{ids: make(map[string]uint64)}
		l.logs[subject] = x
	}
	l.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.given:
		return nil, errNotYet
	case x.ready:
		return x, nil
	}
	found, err := l.takeOver(ctx, x, subject)
	if err != nil {
		return nil, err
	}
	if !found && !l.c.mayOpen(subjectKey(subject)) {
		return nil, errNotYet
	}
	if !found && x.epoch == "" {
		b := newBoot()
		x.epoch = hex.EncodeToString([]byte{byte(b >> 40), byte(b >> 32), byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)})
	}
	x.ready = true
	return x, nil
}

// doubt makes this node ask the others again before it goes on with a log:
// another may have taken its place meanwhile.
func (l *ownLog) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.logs {
		x.mu.Lock()
		x.ready = false
		x.mu.Unlock()
	}
}

func (l *ownLog) answerRead(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject, after, limit := r.string(), r.uint(), int(r.uint())
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(ctx, subject)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.expire(l.c.cfg.Now())
	var w writer
	w.string(x.epoch)
	w.uint(x.offset)
	n := 0
	for _, e := range x.entries {
		if e.Offset <= after {
			continue
		}
		if n == limit || n > 0 && len(w)+len(e.Payload) > ownLogPage {
			break
		}
		n++
		w.uint(e.Offset)
		w.uint(e.Prev)
		w.bytes(e.Payload)
	}
	return w, nil
}

func (l *ownLog) answerTail(ctx context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	x, err := l.open(ctx, r.string())
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var w writer
	w.string(x.epoch)
	w.uint(x.offset)
	return w, r.err()
}
