package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// filled returns a history of size with n messages, one a second from noon
// on, whose frames are their numbers from 1.
func filled(size int, ttl time.Duration, n int) *history {
	h := newHistory("e", size, ttl)
	for i := 1; i <= n; i++ {
		keep(h, noon.Add(time.Duration(i)*time.Second))
	}
	return h
}

func keep(h *history, at time.Time) {
	prev, position := h.next()
	h.add(&Record{Frame: fmt.Append(nil, h.offset+1), At: at, Position: position, Prev: prev})
}

func text(frames [][]byte) (all []string) {
	for _, f := range frames {
		all = append(all, string(f))
	}
	return all
}

func TestHistoryAfter(t *testing.T) {
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	for _, tt := range []struct {
		name      string
		h         *history
		since     string
		now       time.Time
		want      []string
		recovered bool
	}{
		{"nothing kept, from the beginning", filled(3, 0, 0), "e:0", at(0), nil, true},
		{"from the beginning", filled(3, 0, 2), "e:0", at(2), []string{"1", "2"}, true},
		{"from the middle", filled(3, 0, 2), "e:1", at(2), []string{"2"}, true},
		{"nothing missed", filled(3, 0, 2), "e:2", at(2), nil, true},
		{"the ring is just full", filled(3, 0, 3), "e:0", at(3), []string{"1", "2", "3"}, true},
		{"wrapped, all that is kept", filled(3, 0, 7), "e:4", at(7), []string{"5", "6", "7"}, true},
		{"wrapped, the last", filled(3, 0, 7), "e:6", at(7), []string{"7"}, true},
		{"wrapped, one is gone", filled(3, 0, 7), "e:3", at(7), nil, false},
		{"wrapped, from the beginning", filled(3, 0, 7), "e:0", at(7), nil, false},
		{"not yet reached", filled(3, 0, 2), "e:3", at(2), nil, false},
		{"far ahead", filled(3, 0, 2), "e:18446744073709551615", at(2), nil, false},
		{"expiry is exclusive", filled(3, 2*time.Second, 3), "e:0", at(3), []string{"1", "2", "3"}, true},
		{"one has expired", filled(3, 2*time.Second, 3), "e:0", at(4), nil, false},
		{"one has expired that is not asked for", filled(3, 2*time.Second, 3), "e:1", at(4), []string{"2", "3"}, true},
		{"all have expired", filled(3, 2*time.Second, 3), "e:2", at(60), nil, false},
		{"all have expired, nothing missed", filled(3, 2*time.Second, 3), "e:3", at(60), nil, true},
		{"another epoch", filled(3, 0, 2), "f:1", at(2), nil, false},
		{"no offset", filled(3, 0, 2), "e:", at(2), nil, false},
		{"no epoch", filled(3, 0, 2), ":1", at(2), nil, false},
		{"epoch only", filled(3, 0, 2), "e", at(2), nil, false},
		{"empty", filled(3, 0, 2), "", at(2), nil, false},
		{"negative", filled(3, 0, 2), "e:-1", at(2), nil, false},
		{"signed", filled(3, 0, 2), "e:+1", at(2), nil, false},
		{"hex", filled(3, 0, 2), "e:0x1", at(2), nil, false},
		{"too long for 64 bits", filled(3, 0, 2), "e:18446744073709551616", at(2), nil, false},
		{"two offsets", filled(3, 0, 2), "e:1:1", at(2), nil, false},
		{"space", filled(3, 0, 2), "e: 1", at(2), nil, false},
		{"text", filled(3, 0, 2), "e:one", at(2), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frames, recovered := tt.h.after(tt.since, tt.now)
			if got := text(frames); recovered != tt.recovered || !slices.Equal(got, tt.want) {
				t.Errorf("after %q: %v, %v; want %v, %v", tt.since, got, recovered, tt.want, tt.recovered)
			}
		})
	}
}

func TestHistoryNewest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		h      *history
		limit  int
		before string
		age    time.Duration // of the last message
		want   []string
		more   bool
		count  int
	}{
		{"nothing kept", filled(3, 0, 0), 5, "", 0, nil, false, 0},
		{"all", filled(3, 0, 2), 5, "", 0, []string{"1", "2"}, false, 2},
		{"exactly all", filled(3, 0, 2), 2, "", 0, []string{"1", "2"}, false, 2},
		{"the last", filled(3, 0, 2), 1, "", 0, []string{"2"}, true, 2},
		{"none asked for", filled(3, 0, 2), 0, "", 0, nil, true, 2},
		{"wrapped", filled(3, 0, 7), 2, "", 0, []string{"6", "7"}, true, 3},
		{"wrapped, before", filled(3, 0, 7), 2, "e:6", 0, []string{"5"}, false, 3},
		{"wrapped, before the oldest", filled(3, 0, 7), 2, "e:5", 0, nil, false, 3},
		{"wrapped, before what is gone", filled(3, 0, 7), 2, "e:1", 0, nil, false, 3},
		{"before the beginning", filled(3, 0, 7), 2, "e:0", 0, nil, false, 3},
		{"before the last", filled(3, 0, 7), 1, "e:7", 0, []string{"6"}, true, 3},
		{"before what is not yet", filled(3, 0, 7), 1, "e:8", 0, nil, false, 3},
		{"another epoch", filled(3, 0, 7), 1, "f:6", 0, nil, false, 3},
		{"garbage", filled(3, 0, 7), 1, "garbage", 0, nil, false, 3},
		{"one has expired", filled(3, 2*time.Second, 7), 5, "", time.Second, []string{"6", "7"}, false, 2},
		{"all have expired", filled(3, 2*time.Second, 7), 5, "", time.Minute, nil, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := noon.Add(time.Duration(tt.h.offset)*time.Second + tt.age)
			page, more, count := tt.h.newest(tt.limit, tt.before, now)
			var got []string
			for _, r := range page {
				got = append(got, string(r.Frame))
			}
			if !slices.Equal(got, tt.want) || more != tt.more || count != tt.count {
				t.Errorf("%v, %v, %d; want %v, %v, %d", got, more, count, tt.want, tt.more, tt.count)
			}
		})
	}
}

// TestHistoryModel holds a history against a plain list of all messages.
func TestHistoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		ttl := time.Duration(rapid.IntRange(0, 20).Draw(t, "ttl")) * time.Second
		h, now := newHistory("e", size, ttl), noon
		var all []*Record
		kept := func() []*Record {
			from := max(0, len(all)-size)
			for ttl > 0 && from < len(all) && now.Sub(all[from].At) > ttl {
				from++
			}
			return all[from:]
		}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 8).Draw(t, "s")) * time.Second) },
			"publish": func(*rapid.T) {
				keep(h, now)
				all = append(all, h.newestAt(0))
			},
			"": func(t *rapid.T) {
				since := rapid.IntRange(0, len(all)+1).Draw(t, "since")
				frames, recovered := h.after(h.at(uint64(since)), now)
				if want := since <= len(all) && len(all)-since <= len(kept()); recovered != want {
					t.Fatalf("recovered is %v after %d of %d, %d kept", recovered, since, len(all), len(kept()))
				}
				for i, f := range frames {
					if string(f) != string(all[since+i].Frame) {
						t.Fatalf("message %d after %d is %s", i, since, f)
					}
				}
				if recovered && len(frames) != len(all)-since {
					t.Fatalf("%d messages after %d of %d", len(frames), since, len(all))
				}
				var walked []*Record
				limit, before, more := rapid.IntRange(1, 10).Draw(t, "limit"), "", true
				for more {
					var page []*Record
					page, more, _ = h.newest(limit, before, now)
					if walked = append(slices.Clone(page), walked...); more {
						before = page[0].Position
					}
				}
				if !slices.Equal(walked, kept()) {
					t.Fatalf("the pages hold %d messages, want %d", len(walked), len(kept()))
				}
			},
		})
	})
}
