package room

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// history is the newest messages of a room, on this node. A position is the
// epoch, which changes whenever offsets begin anew, and an offset.
type history struct {
	epoch  string
	offset uint64 // of the last message
	size   int
	ttl    time.Duration // 0: no limit
	ring   []*Record     // oldest first from head, when full
	head   int
}

func newHistory(epoch string, size int, ttl time.Duration) *history {
	return &history{epoch: epoch, size: size, ttl: ttl}
}

func (h *history) at(offset uint64) string {
	return h.epoch + ":" + strconv.FormatUint(offset, 10)
}

// position returns that of the last message.
func (h *history) position() string { return h.at(h.offset) }

// next returns the last position and the one of the message to come.
func (h *history) next() (prev, position string) { return h.at(h.offset), h.at(h.offset + 1) }

// add takes the record of the message with the next position.
func (h *history) add(m *Record) {
	h.offset++
	if len(h.ring) < h.size {
		h.ring = append(h.ring, m)
		return
	}
	h.ring[h.head] = m
	h.head = (h.head + 1) % h.size
}

// kept returns how many of the newest messages are within the time to live.
func (h *history) kept(now time.Time) int {
	n := len(h.ring)
	if h.ttl <= 0 {
		return n
	}
	for n > 0 && now.Sub(h.newestAt(n-1).At) > h.ttl {
		n--
	}
	return n
}

// newestAt returns the i-th newest message.
func (h *history) newestAt(i int) *Record {
	return h.ring[(h.head+len(h.ring)-1-i)%len(h.ring)]
}

// after returns the frames of the messages after position since. recovered is
// false, and nothing is returned, where since is of another epoch, not yet
// reached, or so old that messages after it are gone.
func (h *history) after(since string, now time.Time) (frames [][]byte, recovered bool) {
	offset, ok := h.parse(since)
	if !ok || offset > h.offset || h.offset-offset > uint64(h.kept(now)) {
		return nil, false
	}
	for i := int(h.offset-offset) - 1; i >= 0; i-- {
		frames = append(frames, h.newestAt(i).Frame)
	}
	return frames, true
}

func (h *history) parse(position string) (offset uint64, ok bool) {
	epoch, text, ok := strings.Cut(position, ":")
	if !ok || epoch != h.epoch {
		return 0, false
	}
	offset, err := strconv.ParseUint(text, 10, 64)
	return offset, err == nil
}

// maxPageBytes bounds the contents of a page, which holds one message at least.
const maxPageBytes = 256 << 10

// newest returns up to limit records before position before ("" for the end),
// oldest first, whether there are older ones, and the number of all.
func (h *history) newest(limit int, before string, now time.Time) (page []*Record, more bool, count int) {
	kept := h.kept(now)
	skip := 0
	if before != "" {
		offset, ok := h.parse(before)
		if !ok || offset > h.offset {
			return nil, false, kept
		}
		skip = int(min(h.offset-offset+1, uint64(kept)))
	}
	size := 0
	for len(page) < min(limit, kept-skip) {
		m := h.newestAt(skip + len(page))
		if size += len(m.Content); size > maxPageBytes && len(page) > 0 {
			break
		}
		page = append(page, m)
	}
	slices.Reverse(page)
	return page, skip+len(page) < kept, kept
}

// dedupWindow is how long an idempotency key is remembered, as JetStream's
// duplicate window does; dedupKeys is how many a room remembers.
const (
	dedupWindow = 2 * time.Minute
	dedupKeys   = 1024
)

// dedup remembers the idempotency keys of a room's last messages.
type dedup struct {
	positions map[string]string
	order     []dedupEntry
}

type dedupEntry struct {
	key string
	at  time.Time
}

func newDedup() *dedup { return &dedup{positions: make(map[string]string)} }

// look tells whether key was used within the window, and with what result.
func (d *dedup) look(key string, now time.Time) (position string, seen bool) {
	for len(d.order) > 0 && now.Sub(d.order[0].at) > dedupWindow {
		d.forgetOldest()
	}
	position, seen = d.positions[key]
	return position, seen
}

// add remembers a key that look has not seen.
func (d *dedup) add(key, position string, now time.Time) {
	if len(d.order) == dedupKeys {
		d.forgetOldest()
	}
	d.positions[key] = position
	d.order = append(d.order, dedupEntry{key, now})
}

func (d *dedup) forgetOldest() {
	delete(d.positions, d.order[0].key)
	d.order = d.order[1:]
}
