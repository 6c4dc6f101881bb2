package memory

import (
	"bytes"
	"slices"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// idTime is how long an append's id is remembered.
const idTime = 2 * time.Minute

// logs are the logs of all subjects. Offsets are of all of them together, so that
// those of one subject have gaps.
type logs struct {
	epoch    string
	offset   uint64 // of the newest entry of any subject
	subjects map[string]*history
	ids      map[appendID]bus.Place
	idOrder  []rememberedID // oldest first
}

// appendID names an append; ids of different subjects are different.
type appendID struct{ subject, id string }

type rememberedID struct {
	appendID
	at time.Time
}

// history is the log of one subject.
type history struct {
	entries []entry // oldest first
	keep    bus.Retention
}

type entry struct {
	bus.Entry
	at time.Time
}

func newLogs() logs {
	return logs{epoch: newEpoch(), subjects: map[string]*history{}, ids: map[appendID]bus.Place{}}
}

// append adds an entry, whose payload it keeps; false means that this id was
// appended before, at the place returned.
func (l *logs) append(now time.Time, id appendID, payload []byte, keep bus.Retention) (bus.Place, bool) {
	l.forget(now)
	if place, ok := l.ids[id]; ok {
		return place, false
	}
	h := l.subjects[id.subject]
	if h == nil {
		h = &history{}
		l.subjects[id.subject] = h
	}
	h.trim(now)
	l.offset++
	place := bus.Place{Epoch: l.epoch, Offset: l.offset}
	if n := len(h.entries); n > 0 {
		place.Prev = h.entries[n-1].Offset
	}
	h.entries = append(h.entries, entry{bus.Entry{Place: place, Payload: payload}, now})
	h.keep = keep
	h.trim(now)
	l.ids[id] = place
	l.idOrder = append(l.idOrder, rememberedID{id, now})
	return place, true
}

// forget drops the ids that are too old.
func (l *logs) forget(now time.Time) {
	n := 0
	for n < len(l.idOrder) && now.Sub(l.idOrder[n].at) > idTime {
		delete(l.ids, l.idOrder[n].appendID)
		n++
	}
	clear(l.idOrder[:n])
	l.idOrder = l.idOrder[n:]
}

// read returns entries as [bus.Log] has them.
func (l *logs) read(now time.Time, subject string, after uint64, limit int) ([]bus.Entry, bus.Tail) {
	tail := l.tail(now, subject)
	h := l.subjects[subject]
	if h == nil {
		return nil, tail
	}
	i, _ := slices.BinarySearchFunc(h.entries, after, func(e entry, after uint64) int {
		if e.Offset <= after {
			return -1
		}
		return 1
	})
	found := h.entries[i:]
	found = found[:min(limit, len(found))]
	entries := make([]bus.Entry, len(found))
	for i, e := range found {
		entries[i] = bus.Entry{Place: e.Place, Payload: bytes.Clone(e.Payload)}
	}
	return entries, tail
}

// tail returns where the log of a subject ends.
func (l *logs) tail(now time.Time, subject string) bus.Tail {
	t := bus.Tail{Epoch: l.epoch}
	h := l.subjects[subject]
	if h == nil {
		return t
	}
	h.trim(now)
	if n := len(h.entries); n > 0 {
		t.Offset = h.entries[n-1].Offset
	} else {
		delete(l.subjects, subject)
	}
	return t
}

// trim drops what is not to be kept any more.
func (h *history) trim(now time.Time) {
	n := max(0, len(h.entries)-h.keep.Size)
	if h.keep.TTL > 0 {
		for n < len(h.entries) && now.Sub(h.entries[n].at) >= h.keep.TTL {
			n++
		}
	}
	clear(h.entries[:n])
	h.entries = h.entries[n:]
}
