package hub

import (
	"encoding/binary"
	"time"

	"github.com/chenxilol/gohub/internal/hub/room"
)

// entry is a room_message as the history of the cluster keeps it: the frame is
// made of it where it is delivered, since its position is known only then.
type entry struct {
	boot     uint64 // the run of the hub it came from
	stamp    int64  // when the sender's connection began, which tells it from others of its id; 0: no client
	senderID string
	at       time.Time
	exclude  []string
	content  []byte // JSON
}

const entryVersion = 1

func (e entry) encode() []byte {
	b := make([]byte, 0, 40+len(e.senderID)+len(e.content))
	b = append(b, entryVersion)
	b = binary.BigEndian.AppendUint64(b, e.boot)
	b = binary.BigEndian.AppendUint64(b, uint64(e.stamp))
	b = binary.AppendVarint(b, e.at.UnixMilli())
	b = appendText(b, e.senderID)
	b = binary.AppendUvarint(b, uint64(len(e.exclude)))
	for _, id := range e.exclude {
		b = appendText(b, id)
	}
	return append(b, e.content...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// parseEntry reads what encode has written. The content is a part of b.
func parseEntry(b []byte) (e entry, ok bool) {
	if len(b) < 17 || b[0] != entryVersion {
		return e, false
	}
	e.boot, e.stamp = binary.BigEndian.Uint64(b[1:]), int64(binary.BigEndian.Uint64(b[9:]))
	millis, n := binary.Varint(b[17:])
	if n <= 0 {
		return e, false
	}
	e.at, b = time.UnixMilli(millis), b[17+n:]
	if e.senderID, b, ok = cutText(b); !ok {
		return e, false
	}
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return e, false
	}
	b = b[n:]
	for range count {
		var id string
		if id, b, ok = cutText(b); !ok {
			return e, false
		}
		e.exclude = append(e.exclude, id)
	}
	e.content = b
	return e, true
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n : n+int(size)]), b[n+int(size):], true
}

// record is the entry as a room keeps and delivers it.
func (e entry) record(roomID string, p room.Place) *room.Record {
	position, prev := p.Position()
	return &room.Record{
		Frame:   roomMessageFrame(roomID, publication{content: e.content, senderID: e.senderID}, position, prev, e.at.UnixMilli()),
		Content: e.content, SenderID: e.senderID, At: e.at, Position: position, Prev: prev,
	}
}
