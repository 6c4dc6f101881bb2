package cluster

import (
	"context"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// maxGivenIDs bounds the ids that go with a log.
const maxGivenIDs = 1024

// handOver has the new owners take over the logs that are not this node's any
// more, while it is here to give them.
func (l *ownLog) handOver(ctx context.Context) {
	l.mu.Lock()
	subjects := make([]string, 0, len(l.logs))
	for subject := range l.logs {
		subjects = append(subjects, subject)
	}
	l.mu.Unlock()
	for _, subject := range subjects {
		at := l.c.ownerOf(subjectKey(subject))
		if at == 0 || at == l.c.boot || !l.mine(subject) {
			continue
		}
		for range handOverTries {
			if l.giveTo(ctx, at, subject) == nil || ctx.Err() != nil {
				break
			}
		}
	}
}

// handOverTries is how often a new owner is asked to take a log over.
const handOverTries = 3

// giveTo has a node ask for a log, which it then owns.
func (l *ownLog) giveTo(ctx context.Context, at uint64, subject string) error {
	asked, cancel := context.WithTimeout(ctx, 2*answerWithin)
	defer cancel()
	answer, err := l.c.Ask(asked, at, "log.tail", text(subject))
	if err != nil {
		l.c.cfg.Logger.Debug("history not handed over", "error", err)
		return err
	}
	r := reader{b: answer}
	if x := l.log(subject); x != nil {
		l.givenUp(x, r.string())
	}
	return nil
}

// givenUp notes that the new owner of a log goes on with an epoch. Where that is
// another this log ends here: it is of nodes that were cut off from the owner.
// What was appended meanwhile comes to nobody else, and all nodes are told so.
func (l *ownLog) givenUp(x *ownedLog, epoch string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.taken {
		return
	}
	ends := x.epoch != epoch && len(x.entries) > 0
	if ends {
		x.ready, x.given = false, true
		last := x.entries[len(x.entries)-1]
		r := reader{b: last.Payload}
		w := writer(text(r.string()))
		w.uint(uint64(last.at.UnixMilli()))
		if err := l.c.Tell("log.ended", w); err != nil {
			l.c.cfg.Logger.Debug("end of a history not told", "error", err)
			return // handOver comes again
		}
	}
	x.taken = !x.ready
}

// endedMargin is how far clocks may differ, and how long before it was cut off
// a node may have been heard last.
const endedMargin = 2 * heartbeatEvery

// answerEnded tells the members here of a log that another node has given up:
// they have missed what was appended to it while the two nodes were apart.
func (l *ownLog) answerEnded(_ context.Context, from uint64, text []byte) ([]byte, error) {
	r := reader{b: text}
	room, last := r.string(), time.UnixMilli(int64(r.uint()))
	since := l.c.nodes.apart(from)
	if r.bad || since.IsZero() || last.Before(since.Add(-endedMargin)) {
		return nil, r.err()
	}
	if ch := l.c.rooms.find(room); ch != nil {
		held := ch.refs > 0
		ch.mu.Unlock()
		if held {
			l.c.tellGap(room, Gap{Reason: ReasonHistory, Since: since})
		}
	}
	return nil, nil
}

// log returns the log of a subject, nil where this node has none.
func (l *ownLog) log(subject string) *ownedLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logs[subject]
}

// mine tells whether a log has not been given up yet.
func (l *ownLog) mine(subject string) bool {
	x := l.log(subject)
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.offset > 0 && !x.taken
}

// takeOver asks every node for the log of a subject, which gives it up.
func (l *ownLog) takeOver(ctx context.Context, x *ownedLog, subject string) (found bool, err error) {
	missing := l.c.AskAll(ctx, "log.take", text(subject), func(_ NodeInfo, answer []byte) {
		if len(answer) == 0 {
			return
		}
		r := reader{b: answer}
		y := &ownedLog{epoch: r.string(), offset: r.uint(), ids: make(map[string]uint64)}
		for range r.count(2) {
			id, offset, at := r.string(), r.uint(), time.UnixMilli(int64(r.uint()))
			y.ids[id] = offset
			y.order = append(y.order, usedID{id, at})
		}
		for len(r.b) > 0 {
			at := time.UnixMilli(int64(r.uint()))
			offset, prev := r.uint(), r.uint()
			e := bus.Entry{Place: bus.Place{Epoch: y.epoch, Offset: offset, Prev: prev}, Payload: r.bytes()}
			y.entries = append(y.entries, stored{e, at})
		}
		if !r.bad && y.newer(x) {
			found = true
			x.epoch, x.offset, x.ids, x.order, x.entries = y.epoch, y.offset, y.ids, y.order, y.entries
		}
	})
	if !found && len(missing) > 0 {
		return false, errNotYet
	}
	return found, nil
}

// newer tells which of two logs of a subject goes on: the longer one of an epoch,
// else that which was appended to last.
func (y *ownedLog) newer(x *ownedLog) bool {
	switch {
	case x.epoch == "" || x.given:
		return true
	case x.epoch == y.epoch:
		return y.offset > x.offset
	default:
		return y.last().After(x.last())
	}
}

func (x *ownedLog) last() (at time.Time) {
	if n := len(x.entries); n > 0 {
		at = x.entries[n-1].at
	}
	return at
}

// answerTake gives up a log to its new owner, with the newest entries that go
// into one answer. It is kept for a while, and given again: the answer may be
// lost.
func (l *ownLog) answerTake(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject := r.string()
	if r.bad {
		return nil, errMalformed
	}
	x := l.log(subject)
	if x == nil {
		return nil, nil
	}
	if l.c.ownerOf(subjectKey(subject)) == l.c.boot {
		return nil, errNotYet // says who? It has another view, for a moment.
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.epoch == "" {
		return nil, nil
	}
	x.ready, x.given, x.used = false, true, l.c.cfg.Now()
	x.expire(l.c.cfg.Now())
	return x.encode(), nil
}

// answerTaken forgets a log that another node has taken over.
func (l *ownLog) answerTaken(_ context.Context, _ uint64, text []byte) ([]byte, error) {
	r := reader{b: text}
	subject, epoch := r.string(), r.string()
	x := l.log(subject)
	if x == nil || r.bad {
		return nil, r.err()
	}
	l.c.spawn(func() { // the log may be in use for as long as a question takes
		x.mu.Lock()
		given := x.given
		x.mu.Unlock()
		if !given {
			return
		}
		l.givenUp(x, epoch)
		x.mu.Lock()
		defer x.mu.Unlock()
		if !x.given {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.logs[subject] == x {
			delete(l.logs, subject)
		}
	})
	return nil, nil
}

func (x *ownedLog) encode() []byte {
	var w writer
	w.string(x.epoch)
	w.uint(x.offset)
	ids := x.order[max(len(x.order)-maxGivenIDs, 0):]
	w.uint(uint64(len(ids)))
	for _, u := range ids {
		w.string(u.id)
		w.uint(x.ids[u.id])
		w.uint(uint64(u.at.UnixMilli()))
	}
	first, size := len(x.entries), len(w)
	for first > 0 && size+len(x.entries[first-1].Payload) < ownLogPage {
		first--
		size += len(x.entries[first].Payload) + 16
	}
	for _, e := range x.entries[first:] {
		w.uint(uint64(e.at.UnixMilli()))
		w.uint(e.Offset)
		w.uint(e.Prev)
		w.bytes(e.Payload)
	}
	return w
}
