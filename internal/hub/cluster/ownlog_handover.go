package cluster

import (
	"context"
	"fmt"
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
	for err == errNotYet && pause(asked, askAgainAfter) == nil {
		answer, err = l.c.Ask(asked, at, "log.tail", text(subject))
	}
	if err != nil {
		l.c.cfg.Logger.Debug("history not handed over", "error", err)
		return err
	}
	r := reader{b: answer}
	if x := l.log(subject); x != nil {
		return l.givenUp(asked, at, x, subject, r.string())
	}
	return nil
}

// givenUp notes that the new owner of a log goes on with an epoch. Where that is
// another, this log ends here, as one of nodes that were cut off from the owner:
// what was appended to it comes to nobody else, and the owner is told so.
func (l *ownLog) givenUp(ctx context.Context, at uint64, x *ownedLog, subject, epoch string) error {
	x.mu.Lock()
	if x.epoch == epoch {
		x.taken = !l.ready(x)
		x.mu.Unlock()
		return nil
	}
	x.ready, x.given = false, true
	had, last := len(x.entries) > 0, x.last()
	x.mu.Unlock()
	if had {
		w := writer(text(subject))
		w.uint(uint64(last.UnixMilli()))
		if _, err := l.c.Ask(ctx, at, "log.ended", w); err != nil {
			return fmt.Errorf("tell of the end of a history: %w", err) // handOver comes again
		}
	}
	l.forget(subject, x)
	return nil
}

// forget drops a log that another node goes on with, or nobody.
func (l *ownLog) forget(subject string, x *ownedLog) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.given && !x.asking && l.logs[subject] == x {
		delete(l.logs, subject)
	}
}

// answerEnded begins a new epoch, as the owner, where members elsewhere had
// another log that is given up: nobody who comes with a position of before has
// all there was, and whoever follows the log is told so.
func (l *ownLog) answerEnded(_ context.Context, from uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject, last := r.string(), time.UnixMilli(int64(r.uint()))
	if r.bad {
		return nil, errMalformed
	}
	x, err := l.open(subject)
	if err != nil {
		return nil, err
	}
	if since := l.c.nodes.apart(from); !since.IsZero() && last.Before(since.Add(-apartMargin)) {
		return nil, nil // it has had none since they were together
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !l.ready(x) {
		return nil, errNotYet
	}
	x.epoch = newEpoch()
	for i := range x.entries {
		x.entries[i].Epoch = x.epoch
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

// takeOver asks every node for the log of a subject, which gives it up, and returns
// the best, nil where none has it, and whether all nodes have answered.
func (l *ownLog) takeOver(ctx context.Context, subject string) (best *ownedLog, all bool) {
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
		if !r.bad && (best == nil || y.newer(best)) {
			best = y
		}
	})
	return best, len(missing) == 0
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
	x.gives++
	x.expire(l.c.cfg.Now())
	return x.encode(), nil
}

// answerTaken forgets a log that another node has taken over.
func (l *ownLog) answerTaken(_ context.Context, from uint64, text []byte) ([]byte, error) {
	r := reader{b: text}
	subject, epoch := r.string(), r.string()
	x := l.log(subject)
	if x == nil || r.bad {
		return nil, r.err()
	}
	l.c.spawn(func() { // the log may be in use for as long as a question takes
		x.mu.Lock()
		given, ends := x.given, x.epoch != epoch
		x.mu.Unlock()
		switch {
		case !given:
		case !ends:
			l.forget(subject, x)
		default:
			asked, cancel := context.WithTimeout(l.c.ctx, answerWithin)
			defer cancel()
			if err := l.givenUp(asked, from, x, subject, epoch); err != nil {
				l.c.cfg.Logger.Debug("history not given up", "error", err)
			}
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
