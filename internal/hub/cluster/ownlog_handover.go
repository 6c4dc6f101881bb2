package cluster

import (
	"context"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

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
		if at == 0 || at == l.c.boot {
			continue
		}
		var w writer
		w.string(subject)
		asked, cancel := context.WithTimeout(ctx, answerWithin)
		_, err := l.c.Ask(asked, at, "log.tail", w)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.c.cfg.Logger.Debug("history not handed over", "error", err)
		}
	}
}

// takeOver asks every node for the log of a subject, which gives it up.
func (l *ownLog) takeOver(ctx context.Context, x *ownedLog, subject string) (found bool, err error) {
	var w writer
	w.string(subject)
	var holder uint64
	missing := l.c.AskAll(ctx, "log.take", w, func(n NodeInfo, answer []byte) {
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
		if !r.bad && (holder == 0 || y.offset > x.offset) {
			holder = n.Boot
			x.epoch, x.offset, x.ids, x.order, x.entries = y.epoch, y.offset, y.ids, y.order, y.entries
		}
	})
	if holder == 0 && len(missing) > 0 {
		return false, errNotYet
	}
	return holder != 0, nil
}

// answerTake gives up a log to its new owner, with the newest entries that go
// into one answer.
func (l *ownLog) answerTake(_ context.Context, _ uint64, question []byte) ([]byte, error) {
	r := reader{b: question}
	subject := r.string()
	if r.bad {
		return nil, errMalformed
	}
	l.mu.Lock()
	x := l.logs[subject]
	l.mu.Unlock()
	if x == nil {
		return nil, nil
	}
	if l.c.ownerOf(subjectKey(subject)) == l.c.boot {
		return nil, errNotYet // says who? It has another view, for a moment.
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready {
		return nil, nil
	}
	x.given = true
	l.mu.Lock()
	if l.logs[subject] == x {
		delete(l.logs, subject)
	}
	l.mu.Unlock()
	x.expire(l.c.cfg.Now())
	return x.encode(), nil
}

func (x *ownedLog) encode() []byte {
	var w writer
	w.string(x.epoch)
	w.uint(x.offset)
	w.uint(uint64(len(x.order)))
	for _, u := range x.order {
		w.string(u.id)
		w.uint(x.ids[u.id])
		w.uint(uint64(u.at.UnixMilli()))
	}
	first, size := len(x.entries), 0
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
