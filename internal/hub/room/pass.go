package room

import (
	"errors"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
)

// pass is one walk over the members with a batch of messages.
type pass struct {
	fan       *FanOut
	batch     []*Message
	variants  [4]joined // by what a member's connection understands
	excluded  map[*conn.Conn]struct{}
	delivered uint64
	dropped   uint64
}

// joined is a batch as one piece of bytes, made when the first member needs it.
type joined struct {
	bytes []byte
	count uint64
	prev  string // the position before the first of them; "" without history
	made  bool
}

func variant(v1, deflate bool) int {
	i := 0
	if v1 {
		i |= 1
	}
	if deflate {
		i |= 2
	}
	return i
}

func (p *pass) deliver(blocks []*block) {
	for _, m := range p.batch {
		if m.Sender != nil || len(m.Exclude) > 0 {
			p.collectExcluded()
			break
		}
	}
	first := p.batch[0].seq
	for _, b := range blocks {
		for _, m := range b.members {
			p.deliverTo(m, first)
		}
	}
}

func (p *pass) collectExcluded() {
	p.excluded = make(map[*conn.Conn]struct{}, len(p.batch))
	for _, m := range p.batch {
		if m.Sender != nil {
			p.excluded[m.Sender] = struct{}{}
		}
		for _, c := range m.Exclude {
			p.excluded[c] = struct{}{}
		}
	}
}

func (p *pass) deliverTo(m *Member, first uint64) {
	c := m.Conn
	var frames joined
	own := false // owed something else than the rest
	if p.excluded != nil {
		_, own = p.excluded[c]
	}
	c.Lock()
	defer c.Unlock()
	if m.gone || m.Muted {
		return
	}
	if own || m.from >= first {
		frames = p.own(m)
	} else {
		frames = p.shared(m)
	}
	if frames.count == 0 {
		return
	}
	if m.gap != nil {
		p.dropped += frames.count
		m.gap.begin(frames.prev)
		return
	}
	switch err := c.WriteLocked(frames.bytes); {
	case err == nil:
		p.delivered += frames.count
	case errors.Is(err, conn.ErrSlow):
		p.dropped += frames.count
		p.tooSlow(m, frames.prev)
	}
}

// gapMargin is how much earlier than a message came to this node it may have been
// published on another.
const gapMargin = 2 * time.Second

// tooSlow deals with a member whose queue is full; prev is the position before
// what it was to get.
func (p *pass) tooSlow(m *Member, prev string) {
	if !m.Drop {
		m.Conn.CloseLocked(conn.CodeTooSlow, "too slow: the send queue is full")
		return
	}
	since := p.fan.start.Add(p.batch[0].stamp)
	if m.Room.shared {
		since = since.Add(-gapMargin)
	}
	m.gap = &Gap{From: prev, Since: since}
}

// begin sets where the gap begins, once: what is dropped first may be no part
// of the history.
func (g *Gap) begin(prev string) {
	if g.From == "" {
		g.From = prev
	}
}

// shared returns the whole batch in the form that m understands.
func (p *pass) shared(m *Member) joined {
	deflate := m.Conn.Deflate()
	v := &p.variants[variant(m.V1, deflate)]
	if !v.made {
		*v = p.join(m.V1, deflate, func(*Message) bool { return true })
	}
	return *v
}

// own returns the part of the batch that is owed to m.
func (p *pass) own(m *Member) joined {
	return p.join(m.V1, m.Conn.Deflate(), func(msg *Message) bool {
		if msg.seq <= m.from || msg.Sender == m.Conn {
			return false
		}
		for _, c := range msg.Exclude {
			if c == m.Conn {
				return false
			}
		}
		return true
	})
}

// join puts the frames of the batch that are owed one behind the other. The
// result is never changed: slow connections keep it.
func (p *pass) join(v1, deflate bool, owed func(*Message) bool) joined {
	out := joined{made: true}
	frames := make([][]byte, 0, len(p.batch))
	size := 0
	for _, m := range p.batch {
		if m.V1Only && !v1 || !owed(m) {
			continue
		}
		if out.prev == "" && m.Record != nil {
			out.prev = m.Record.Prev
		}
		frame := m.Frame
		if deflate {
			frame = m.deflated(&p.fan.Deflater)
		}
		frames = append(frames, frame)
		size += len(frame)
	}
	out.count = uint64(len(frames))
	if len(frames) == 1 {
		out.bytes = frames[0]
		return out
	}
	out.bytes = make([]byte, 0, size)
	for _, f := range frames {
		out.bytes = append(out.bytes, f...)
	}
	return out
}

// finish counts the pass.
func (p *pass) finish() {
	p.fan.Delivered.Add(p.delivered)
	p.fan.Dropped.Add(p.dropped)
	p.fan.Passes.Add(1)
	if p.fan.Observe != nil {
		p.fan.Observe(p.fan.Now().Sub(p.fan.start) - p.batch[0].stamp)
	}
}

// TakeGap returns and forgets what m has missed; the caller holds its
// connection's lock and tells the member.
func (m *Member) TakeGap() *Gap {
	gap := m.gap
	m.gap = nil
	return gap
}

// PutGap takes back a gap that could not be told.
func (m *Member) PutGap(gap *Gap) { m.gap = gap }
