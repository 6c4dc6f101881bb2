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
func (l *ownLog) answerAppend(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject, id := r.string(), r.string()
	keep := bus.Retention{Size: int(r.uint()), TTL: time.Duration(r.uint())}
	payload := r.rest()
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(subject)
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
	if !l.ready(x) || !l.c.mayDecide(now) {
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
	err := l.c.bus.Publish(subject, w)
	switch {
	case err == nil:
	case errors.Is(err, bus.ErrRefused):
		return bus.Place{}, errNotYet
	case !errors.Is(err, bus.ErrUnknown):
		return bus.Place{}, hub.NewError(hub.CodeServer, "publish the entry: %s", err)
	}
	// Where the outcome is unknown other nodes may have it: the place is taken.
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
	if err != nil {
		return bus.Place{}, errNoAnswer // asked again with the same id it is there
	}
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
func (l *ownLog) open(subject string) (*ownedLog, error) {
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
	x.used = l.c.cfg.Now()
	switch {
	case l.ready(x):
		return x, nil
	case x.asking: // by another caller, who need not be waited for: whoever asks comes again
		return nil, errNotYet
	}
	lapses, gives := l.lapses.Load(), x.gives
	x.asking = true
	x.mu.Unlock()
	// Not by the caller's context, which may end while a node gives it up.
	asked, cancel := context.WithTimeout(l.c.ctx, answerWithin)
	best, all := l.takeOver(asked, subject)
	cancel()
	x.mu.Lock()
	x.asking = false
	if x.gives != gives || !l.goOn(x, subject, best, all) {
		return nil, errNotYet // it has been given away meanwhile, or some node may have it
	}
	x.ready, x.lapses, x.given, x.taken = true, lapses, false, false
	return x, nil
}

// ready tells whether this node may go on with a log as it is. The caller holds
// its lock.
func (l *ownLog) ready(x *ownedLog) bool { return x.ready && x.lapses == l.lapses.Load() }

// goOn makes a log the best that other nodes have given, or an empty one, unless
// it is good itself. It does nothing, and returns false, where a better one may be
// on a node that did not answer, or in use by an owner that was before. The
// caller holds its lock.
func (l *ownLog) goOn(x *ownedLog, subject string, best *ownedLog, all bool) bool {
	found := best != nil && best.newer(x)
	switch {
	case found:
		x.epoch, x.offset, x.ids, x.order, x.entries = best.epoch, best.offset, best.ids, best.order, best.entries
	case !all || !l.c.mayOpen(subjectKey(subject)):
		return false
	case x.epoch == "" || x.given:
		// Offsets of a log that another node may have gone on with, and taken
		// with it, must not be used again.
		x.begin()
	}
	if found {
		// Copies elsewhere are old from now on, and must not be gone on with.
		w := writer(text(subject))
		w.string(x.epoch)
		if err := l.c.Tell("log.taken", w); err != nil {
			l.c.cfg.Logger.Debug("history taken over, and not told", "error", err)
		}
	}
	return true
}

// begin makes the log an empty one that there has not been before.
func (x *ownedLog) begin() {
	x.offset, x.entries, x.ids, x.order = 0, nil, make(map[string]uint64), nil
	x.epoch = newEpoch()
}

// newEpoch returns a name that no log had before.
func newEpoch() string {
	b := newBoot()
	return hex.EncodeToString([]byte{byte(b >> 40), byte(b >> 32), byte(b >> 24), byte(b >> 16), byte(b >> 8), byte(b)})
}

// answerDelete begins a log anew, as the owner.
func (l *ownLog) answerDelete(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject := r.string()
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(subject)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !l.ready(x) || !l.c.mayDecide(l.c.cfg.Now()) {
		return nil, errNotYet
	}
	x.begin()
	return nil, nil
}

// doubt makes this node ask the others again before it goes on with a log:
// another may have taken its place meanwhile.
func (l *ownLog) doubt() { l.lapses.Add(1) }

// sweep frees what has expired, and logs that other nodes have taken over.
func (l *ownLog) sweep() {
	now := l.c.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for subject, x := range l.logs {
		if !x.mu.TryLock() {
			continue // in use
		}
		x.expire(now)
		idle := now.Sub(x.used)
		mine := l.c.ownerOf(subjectKey(subject)) == l.c.boot
		if idle > keepGiven && (!mine || len(x.entries) == 0 && x.keep.TTL > 0 && idle > x.keep.TTL) || idle > keepGiven && x.offset == 0 {
			delete(l.logs, subject)
		}
		x.mu.Unlock()
	}
}

// keepGiven is how long a log is kept that another node has taken over, or that
// nobody has ever appended to.
const keepGiven = 10 * time.Minute

func (l *ownLog) answerRead(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject, after, limit := r.string(), r.uint(), int(r.uint())
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(subject)
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

func (l *ownLog) answerTail(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	x, err := l.open(r.string())
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
