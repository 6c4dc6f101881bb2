package room

import (
	"sync"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// Message is something for the members of a room: framed once, and compressed
// at most once, whatever the number of members.
type Message struct {
	Frame   []byte       // one frame, ready for the wire
	Op      wire.Opcode  // of Frame
	Sender  *conn.Conn   // does not get it; nil: none
	Exclude []*conn.Conn // do not get it
	V1Only  bool         // a notice for members that speak gohub.v1
	Record  *Record      // what history keeps; nil: nothing to keep

	seq    uint64        // its place in the room's fan-out
	stamp  time.Duration // when it was published, for the fan-out latency
	once   sync.Once     // makes packed
	packed []byte        // the compressed frame, or Frame where that is no shorter
}

// Record is what a history holds of a message.
type Record struct {
	Frame    []byte
	Content  []byte // JSON
	SenderID string
	At       time.Time
	Position string
	Prev     string

	offset, prev uint64 // of Position and Prev
}

// minDeflate is the payload size from which compressing is worth its CPU: a
// message of 100 bytes shrinks by a few bytes and costs 4 us.
const minDeflate = 128

// deflated returns the frame for members that negotiated compression.
func (m *Message) deflated(d *wire.Deflater) []byte {
	m.once.Do(func() {
		m.packed = m.Frame
		payload := m.Frame[wire.HeaderSize(payloadSize(m.Frame)):]
		if len(payload) >= minDeflate {
			if packed := d.Frame(m.Op, payload); packed != nil {
				m.packed = packed
			}
		}
	})
	return m.packed
}

// For returns the frame that fits a connection.
func (m *Message) For(c *conn.Conn, d *wire.Deflater) []byte {
	if c.Deflate() {
		return m.deflated(d)
	}
	return m.Frame
}

// payloadSize returns the payload length of a whole unmasked frame.
func payloadSize(frame []byte) int {
	for _, header := range [...]int{2, 4, 10} {
		if n := len(frame) - header; n >= 0 && wire.HeaderSize(n) == header {
			return n
		}
	}
	return 0
}
