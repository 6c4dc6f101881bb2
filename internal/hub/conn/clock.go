package conn

import "time"

// clock counts ticks, the engine's unit for every deadline: coarse enough to
// fit 32 bits a field, fine enough for the shortest timeout in use. Tick 0 is
// never now: it stands for "none".
type clock struct {
	start time.Time
	tick  time.Duration
	read  func() time.Time
}

func newClock(tick time.Duration, read func() time.Time) clock {
	return clock{start: read().Add(-tick), tick: tick, read: read}
}

// nanos returns the monotonic time since start.
func (c *clock) nanos() int64 { return int64(c.read().Sub(c.start)) }

func (c *clock) now() uint32 { return c.ticksOf(c.nanos()) }

func (c *clock) ticksOf(nanos int64) uint32 { return uint32(nanos / int64(c.tick)) }

// ticks returns d in whole ticks, rounded up; what is too long to count is
// never.
func (c *clock) ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/c.tick+1, never))
}

// ticksAt returns the first tick not before t.
func (c *clock) ticksAt(t time.Time) uint32 { return c.ticks(t.Sub(c.start)) }
