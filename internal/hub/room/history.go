package room

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/chenxilol/gohub/internal/fault"
)

// history is the newest messages of a room, on this node. A position is the
// epoch, which changes whenever offsets begin anew, and an offset. Offsets grow
// by one where this node draws them, and in any steps where a log of the
// cluster does.
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

// position returns that of the last message; "" where it is not known.
func (h *history) position() string {
	if h.epoch == "" {
		return ""
	}
	return h.at(h.offset)
}

// next returns the last position and the one of the message to come.
func (h *history) next() (prev, position string) { return h.at(h.offset), h.at(h.offset + 1) }

// add takes the record of the message with the next position.
func (h *history) add(m *Record) {
	h.put(m, h.offset+1)
}

// put takes the record of a message that has an offset behind all others.
func (h *history) put(m *Record, offset uint64) {
	m.prev, m.offset = h.offset, offset
	h.offset = offset
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
	if !ok || offset > h.offset {
		return nil, false
	}
	kept := h.kept(now)
	n := h.behind(offset, kept)
	if n == kept && n > 0 && h.newestAt(n-1).prev != offset || n == 0 && offset != h.offset {
		return nil, false
	}
	for i := n - 1; i >= 0; i-- {
		frames = append(frames, h.newestAt(i).Frame)
	}
	return frames, true
}

// behind returns how many of the kept newest messages are behind an offset.
func (h *history) behind(offset uint64, kept int) int {
	return sort.Search(kept, func(i int) bool { return h.newestAt(i).offset <= offset })
}

func (h *history) parse(position string) (offset uint64, ok bool) {
	epoch, text, ok := strings.Cut(position, ":")
	if !ok || epoch != h.epoch && !fault.On("recovered-other-epoch") || epoch == "" {
		return 0, false
	}
	offset, err := strconv.ParseUint(text, 10, 64)
	return offset, err == nil
}

// IsPosition tells whether text has the form of a position, of whatever history.
func IsPosition(text string) bool {
	epoch, offset, ok := strings.Cut(text, ":")
	_, err := strconv.ParseUint(offset, 10, 64)
	return ok && epoch != "" && err == nil
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
		skip = h.behind(max(offset, 1)-1, kept)
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
