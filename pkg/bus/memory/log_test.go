package memory_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
)

func TestIDsAreRememberedForTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(t, memory.NewBroker(), "a")
		first, err := a.append("1")
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		for _, step := range []struct {
			after time.Duration
			again bool
		}{{time.Minute, true}, {time.Minute, true}, {time.Second, false}} {
			time.Sleep(step.after) // of faked time
			p, err := a.append("1")
			if err != nil || (p == first) != step.again {
				t.Errorf("the same id %v later: %+v, %v; the first was at %+v", step.after, p, err, first)
			}
		}
	})
}

func TestRetention(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		name       string
		most, keep bus.Retention
		every      time.Duration // between 10 appends
		want       int
	}{
		{"by size", bus.Retention{Size: 8}, bus.Retention{Size: 3}, 0, 3},
		{"by the size of the bus", bus.Retention{Size: 8}, bus.Retention{Size: 20}, 0, 8},
		{"by time", bus.Retention{Size: 20}, bus.Retention{Size: 20, TTL: 4 * hour}, hour, 4},
		{"by the time of the bus", bus.Retention{Size: 20, TTL: 3 * hour}, bus.Retention{Size: 20, TTL: 6 * hour}, hour, 3},
		{"by the time of the bus alone", bus.Retention{Size: 20, TTL: 3 * hour}, bus.Retention{Size: 20}, hour, 3},
		{"for ever", bus.Retention{Size: 20}, bus.Retention{Size: 20}, 1000 * hour, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := connect(t, memory.NewBroker(), bus.Options{History: test.most})
				defer shut(t, &peer{Bus: b})
				var newest bus.Place
				for i := range 10 {
					time.Sleep(test.every) // of faked time
					var err error
					newest, err = b.Log().Append(t.Context(), "s", string(rune('a'+i)), nil, test.keep)
					if err != nil {
						t.Fatalf("append: %v", err)
					}
				}
				entries, tail, err := b.Log().Read(t.Context(), "s", 0, 100)
				if err != nil || len(entries) != test.want || tail.Offset != newest.Offset {
					t.Errorf("%d entries, tail %+v, %v; want %d up to %d", len(entries), tail, err, test.want, newest.Offset)
				}
			})
		})
	}
}

func TestArguments(t *testing.T) {
	broker := memory.NewBroker()
	for _, most := range []bus.Retention{{Size: -1}, {Size: 1, TTL: -1}} {
		if _, err := broker.Connect(bus.Options{History: most}); err == nil || !strings.Contains(err.Error(), "History") {
			t.Errorf("connect with %+v: %v", most, err)
		}
	}
	a := join(t, broker, "a")
	for _, test := range []struct {
		id    string
		keep  bus.Retention
		names string
	}{
		{"", logged, "id"},
		{"1", bus.Retention{}, "Size"},
		{"1", bus.Retention{Size: -1}, "Size"},
		{"1", bus.Retention{Size: 1, TTL: -1}, "TTL"},
	} {
		if _, err := a.Log().Append(t.Context(), "s", test.id, nil, test.keep); err == nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("append %q with %+v: %v, want an error that names %s", test.id, test.keep, err, test.names)
		}
	}
	if _, _, err := a.Log().Read(t.Context(), "s", 0, -1); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("read with limit -1: %v", err)
	}
	if err := a.Leaser().Confirm(t.Context(), "a", 0); err == nil || !strings.Contains(err.Error(), "ttl") {
		t.Errorf("confirm with ttl 0: %v", err)
	}
}
