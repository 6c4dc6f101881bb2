package room

import (
	"fmt"
	"testing"
	"time"
)

func TestDedup(t *testing.T) {
	d := newDedup()
	if _, seen := d.look(Key{"c", "a"}, noon); seen {
		t.Error("a new key was seen")
	}
	d.add(Key{"c", "a"}, "e:1", noon)
	d.add(Key{"c", "b"}, "", noon.Add(time.Second))
	d.add(Key{"", "b"}, "e:3", noon.Add(2*time.Second))
	for _, tt := range []struct {
		key  Key
		at   time.Duration
		want string
		seen bool
	}{
		{Key{"c", "a"}, 0, "e:1", true},
		{Key{"c", "A"}, 0, "", false},
		{Key{"d", "a"}, 0, "", false},
		{Key{"", "a"}, 0, "", false},
		{Key{"c", "b"}, time.Second, "", true},
		{Key{"", "b"}, 2 * time.Second, "e:3", true},
		{Key{"c", "a"}, dedupWindow, "e:1", true},
		{Key{"c", "a"}, dedupWindow + 1, "", false},
		{Key{"c", "b"}, dedupWindow + 1, "", true},
		{Key{"c", "b"}, dedupWindow + time.Second + 1, "", false},
		{Key{"", "b"}, dedupWindow + 2*time.Second, "e:3", true},
		{Key{"x", "x"}, dedupWindow + 2*time.Second + 1, "", false},
	} {
		if position, seen := d.look(tt.key, noon.Add(tt.at)); position != tt.want || seen != tt.seen {
			t.Errorf("look %q after %v: %q, %v; want %q, %v", tt.key, tt.at, position, seen, tt.want, tt.seen)
		}
	}
	wantKeys(t, d, 0, 0)
}

// wantKeys checks how much d holds, in all its parts.
func wantKeys(t *testing.T, d *dedup, clients, keys int) {
	t.Helper()
	held := 0
	for e := d.recent.Front(); e != nil; e = e.Next() {
		c := e.Value.(*clientKeys)
		if len(c.order) != len(c.positions) || len(c.order) == 0 || d.clients[c.client] != e {
			t.Fatalf("client %q: %d entries, %d keys", c.client, len(c.order), len(c.positions))
		}
		held += len(c.order)
	}
	if len(d.clients) != clients || d.recent.Len() != clients || d.keys != keys || held != keys {
		t.Fatalf("%d and %d clients, %d and %d keys; want %d and %d", len(d.clients), d.recent.Len(), d.keys, held, clients, keys)
	}
}

// use uses a key at noon, which must be new to d.
func use(t *testing.T, d *dedup, client string, i int) {
	t.Helper()
	key := Key{client, fmt.Sprint(i)}
	if _, seen := d.look(key, noon); seen {
		t.Fatalf("key %q was seen", key)
	}
	d.add(key, client+key.Text, noon)
}

// TestDedupOfOneClient: whoever uses more keys than are remembered pushes out
// its own.
func TestDedupOfOneClient(t *testing.T) {
	d := newDedup()
	use(t, d, "quiet", 0)
	for i := range 3 * dedupClientKeys {
		use(t, d, "busy", i)
	}
	wantKeys(t, d, 2, dedupClientKeys+1)
	for i := range 3 * dedupClientKeys {
		position, seen := d.look(Key{"busy", fmt.Sprint(i)}, noon)
		if want := i >= 2*dedupClientKeys; seen != want || seen && position != fmt.Sprint("busy", i) {
			t.Fatalf("key %d: %q, %v", i, position, seen)
		}
	}
	if position, seen := d.look(Key{"quiet", "0"}, noon); !seen || position != "quiet0" {
		t.Errorf("the other client's key: %q, %v", position, seen)
	}
}

// TestDedupBound: beyond what a room remembers the keys go that belong to
// whoever has used none for the longest time.
func TestDedupBound(t *testing.T) {
	d := newDedup()
	use(t, d, "idle", 0)
	use(t, d, "idle", 1)
	use(t, d, "steady", 0)
	const clients = 3 * dedupRoomKeys / dedupClientKeys
	for i := range dedupClientKeys / 2 {
		for c := range clients {
			use(t, d, fmt.Sprint(c), i)
		}
		use(t, d, "steady", i+1)
	}
	wantKeys(t, d, clients+1, dedupRoomKeys)
	if _, seen := d.look(Key{"idle", "1"}, noon); seen {
		t.Error("the idle client's keys are still there")
	}
	if _, seen := d.look(Key{"steady", fmt.Sprint(dedupClientKeys / 2)}, noon); !seen {
		t.Error("the last key is not there")
	}
}
