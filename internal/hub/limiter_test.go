package hub

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimiter(t *testing.T) {
	const ms = int64(time.Millisecond)
	type step struct {
		at    int64 // ms
		times int
		want  verdict
	}
	for _, tt := range []struct {
		name     string
		interval int64
		burst    int
		steps    []step
	}{
		{"no limit", 0, 1, []step{{0, 10000, permitted}}},
		{"the burst, and no more", 10 * ms, 3, []step{{0, 3, permitted}, {0, 1, refused}}},
		{"one for each interval", 10 * ms, 3, []step{{0, 3, permitted}, {9, 1, refused}, {10, 1, permitted}, {10, 1, refused}, {20, 1, permitted}}},
		{"what is refused costs nothing", 10 * ms, 2, []step{{0, 2, permitted}, {0, 3, refused}, {10, 1, permitted}, {30, 2, permitted}, {30, 1, refused}}},
		{"rest gives no more than the burst", 10 * ms, 3, []step{{100000, 3, permitted}, {100000, 1, refused}}},
		{"flooding", 10 * ms, 2, []step{{0, 2, permitted}, {0, 6, refused}, {0, 5, flooding}}},
		{"steady excess floods in the end", 10 * ms, 1, []step{
			{0, 1, permitted}, {0, 1, refused}, {5, 1, refused}, {10, 1, permitted}, {10, 1, refused}, {10, 1, flooding}}},
		{"a flood ebbs", 10 * ms, 1, []step{{0, 1, permitted}, {0, 3, refused}, {0, 1, flooding}, {1000, 1, permitted}}},
		{"no burst", 10 * ms, 0, []step{{0, 1, flooding}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l limiter
			for i, s := range tt.steps {
				for range s.times {
					if got := l.take(s.at*ms, tt.interval, tt.burst); got != s.want {
						t.Fatalf("step %d: verdict %d, want %d", i, got, s.want)
					}
				}
			}
		})
	}
}

func TestLimiterCharge(t *testing.T) {
	var l limiter
	l.charge(9, 0, 0, 3) // no limit
	if got := l.take(0, 10, 3); got != permitted {
		t.Errorf("the first: %d", got)
	}
	l.charge(1, 0, 10, 3)
	if got := []verdict{l.take(0, 10, 3), l.take(0, 10, 3)}; got[0] != permitted || got[1] != refused {
		t.Errorf("of a burst of 3, 2 of which are used: %d", got)
	}
	l.charge(100, 0, 10, 3)
	if got := []verdict{l.take(9, 10, 3), l.take(10, 10, 3)}; got[0] != refused || got[1] != permitted {
		t.Errorf("charged beyond the burst, an interval later: %d", got)
	}
}

// TestLimiterBounds checks every span of time: no more than the burst and what
// is due in it goes through, and less only where that was used up; flooding is
// told exactly where that many bursts and what is due have come.
func TestLimiterBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l limiter
		interval := rapid.Int64Range(1, 1000).Draw(t, "interval")
		burst := rapid.IntRange(1, 10).Draw(t, "burst")
		now := rapid.Int64Range(0, math.MaxInt32).Draw(t, "start")
		var came, passed []int64
		// over tells by how much the times, and one more now, exceed the rate.
		over := func(times []int64) (most int64) {
			for i, at := range times {
				most = max(most, int64(len(times)-i+1)*interval-(now-at))
			}
			return max(most, interval)
		}
		for range rapid.IntRange(1, 100).Draw(t, "messages") {
			if rapid.Bool().Draw(t, "pause") {
				now += rapid.Int64Range(0, 3*interval).Draw(t, "for")
			}
			want := permitted
			switch {
			case over(came) > floodFactor*int64(burst)*interval:
				want = flooding
			case over(passed) > int64(burst)*interval:
				want = refused
			}
			if want != flooding { // what floods is not counted
				came = append(came, now)
			}
			if got := l.take(now, interval, burst); got != want {
				t.Fatalf("verdict %d, want %d", got, want)
			}
			if want == permitted {
				passed = append(passed, now)
			}
		}
	})
}
