package conn

import (
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	all := timeouts{read: 100, ping: 30, write: 50}
	for _, tc := range []struct {
		name   string
		limits timeouts
		now    uint32
		times  times
		want   action
		next   uint32
	}{
		{"nothing set", timeouts{}, 1000, times{lastRead: 1}, actNone, never},
		{"fresh", all, 10, times{lastRead: 10}, actNone, 40},
		{"before the ping", all, 39, times{lastRead: 10}, actNone, 40},
		{"ping", all, 40, times{lastRead: 10}, actPing, 40},
		{"pinged", all, 41, times{lastRead: 10, pinged: 40}, actNone, 70},
		{"pinged again", all, 70, times{lastRead: 10, pinged: 40}, actPing, 70},
		{"read comes before the next ping", all, 101, times{lastRead: 10, pinged: 100}, actNone, 110},
		{"read", all, 110, times{lastRead: 10, pinged: 100}, actReadTimeout, 110},
		{"read before ping", all, 500, times{lastRead: 10}, actReadTimeout, 500},
		{"partial waits", all, 50, times{lastRead: 49, partial: 20, pinged: 49}, actNone, 79},
		{"partial", all, 120, times{lastRead: 119, partial: 20}, actPartialTimeout, 120},
		{"write waits", all, 50, times{lastRead: 49, moved: 10}, actNone, 60},
		{"write", all, 60, times{lastRead: 59, moved: 10}, actWriteTimeout, 60},
		{"write off", timeouts{read: 100}, 90, times{lastRead: 50, moved: 1}, actNone, 150},
		{"expires", all, 20, times{lastRead: 10, expire: 25}, actNone, 25},
		{"expired", all, 25, times{lastRead: 10, expire: 25}, actExpire, 25},
		{"expired long ago", timeouts{}, 25, times{expire: 1}, actExpire, 25},
		{"expiry comes first", all, 500, times{lastRead: 1, moved: 1, partial: 1, expire: 400}, actExpire, 500},
		{"never is never", timeouts{read: never, ping: never, write: never}, never - 1, times{lastRead: 5, moved: 5, partial: 5, expire: never}, actNone, never},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, next := tc.limits.due(tc.now, tc.times); got != tc.want || next != tc.next {
				t.Errorf("got %d, look again at %d; want %d, %d", got, next, tc.want, tc.next)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := start
	c := newClock(100*time.Millisecond, func() time.Time { return at })
	if c.now() != 1 {
		t.Errorf("begins at tick %d, 0 stands for none", c.now())
	}
	if at = start.Add(time.Second - 1); c.now() != 10 {
		t.Errorf("tick %d after a second less a nanosecond", c.now())
	}
	for _, tc := range []struct {
		d    time.Duration
		want uint32
	}{
		{-time.Hour, 0}, {0, 0}, {1, 1}, {100 * time.Millisecond, 1}, {100*time.Millisecond + 1, 2}, {time.Minute, 600},
		{100 * time.Millisecond * (never - 1), never - 1}, {100 * time.Millisecond * (never + 7), never}, {1<<63 - 1, never},
	} {
		if got := c.ticks(tc.d); got != tc.want {
			t.Errorf("%v is %d ticks, want %d", tc.d, got, tc.want)
		}
	}
	if got := c.ticksAt(start.Add(250 * time.Millisecond)); got != 4 {
		t.Errorf("a quarter of a second later is tick %d, want the first not before it", got)
	}
}

func TestTickFor(t *testing.T) {
	for _, tc := range []struct {
		timeouts []time.Duration
		want     time.Duration
	}{
		{nil, 100 * time.Millisecond},
		{[]time.Duration{0, -1, time.Minute}, 100 * time.Millisecond},
		{[]time.Duration{time.Minute, 200 * time.Millisecond}, 50 * time.Millisecond},
		{[]time.Duration{time.Nanosecond}, time.Millisecond},
	} {
		if got := tickFor(tc.timeouts...); got != tc.want {
			t.Errorf("%v: tick %v, want %v", tc.timeouts, got, tc.want)
		}
	}
}

func TestPingAfter(t *testing.T) {
	for _, tc := range []struct{ interval, read, want time.Duration }{
		{0, time.Minute, 0}, {-1, time.Minute, 0}, {-1, 0, 0},
		{30 * time.Second, 0, 30 * time.Second}, {30 * time.Second, -1, 30 * time.Second},
		{30 * time.Second, time.Minute, 20 * time.Second}, {10 * time.Second, time.Minute, 10 * time.Second},
	} {
		if got := pingAfter(tc.interval, tc.read); got != tc.want {
			t.Errorf("interval %v, read timeout %v: ping after %v, want %v", tc.interval, tc.read, got, tc.want)
		}
	}
}
