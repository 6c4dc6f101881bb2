package hub

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func newClients() *clients {
	c := new(clients)
	c.init()
	return c
}

func TestClients(t *testing.T) {
	c := newClients()
	oldest, older, newest := &Session{id: "a"}, &Session{id: "a"}, &Session{id: "a"}
	other := &Session{id: "b"}
	for i, tt := range []struct {
		s      *Session
		only   bool
		others []*Session
		ok     bool
	}{
		{oldest, true, nil, true},
		{older, true, nil, false},
		{older, false, []*Session{oldest}, true},
		{newest, false, []*Session{older, oldest}, true},
		{other, true, nil, true},
	} {
		if others, ok := c.add(tt.s, tt.only); ok != tt.ok || !slices.Equal(others, tt.others) {
			t.Errorf("step %d: %d others, %v", i, len(others), ok)
		}
	}
	check := func(want ...*Session) {
		t.Helper()
		if got := c.every("a"); !slices.Equal(got, want) {
			t.Errorf("%d sessions of a, want %d", len(got), len(want))
		}
		var first *Session
		if len(want) > 0 {
			first = want[0]
		}
		if c.get("a") != first {
			t.Error("get returns another one than the newest")
		}
		if n := len(want) + 1; len(c.all()) != n || int(c.count.Load()) != n {
			t.Errorf("%d sessions and a count of %d, want %d", len(c.all()), c.count.Load(), n)
		}
	}
	check(newest, older, oldest)
	c.remove(older)
	check(newest, oldest)
	c.remove(older) // again
	c.remove(&Session{id: "a"})
	c.remove(&Session{id: "nobody"})
	check(newest, oldest)
	c.remove(newest)
	check(oldest)
	c.remove(oldest)
	check()
	if c.get("nobody") != nil || c.every("nobody") != nil {
		t.Error("nobody is somebody")
	}
}

// TestClientsModel holds the table against plain lists.
func TestClientsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, model := newClients(), map[string][]*Session{} // newest first
		id := rapid.SampledFrom([]string{"a", "b", "c", "房"})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				s, only := &Session{id: id.Draw(t, "id")}, rapid.Bool().Draw(t, "only")
				_, ok := c.add(s, only)
				if want := !only || len(model[s.id]) == 0; ok != want {
					t.Fatalf("added: %v", ok)
				}
				if ok {
					model[s.id] = append([]*Session{s}, model[s.id]...)
				}
			},
			"remove": func(t *rapid.T) {
				list := model[id.Draw(t, "id")]
				if len(list) == 0 {
					t.Skip("nobody there")
				}
				s := list[rapid.IntRange(0, len(list)-1).Draw(t, "which")]
				c.remove(s)
				model[s.id] = slices.DeleteFunc(list, func(x *Session) bool { return x == s })
			},
			"": func(t *rapid.T) {
				n := 0
				for id, want := range model {
					if !slices.Equal(c.every(id), want) {
						t.Fatalf("the sessions of %s are not in order", id)
					}
					n += len(want)
				}
				if len(c.all()) != n || int(c.count.Load()) != n {
					t.Fatalf("%d sessions and a count of %d, want %d", len(c.all()), c.count.Load(), n)
				}
			},
		})
	})
}

func TestClientsConcurrently(t *testing.T) {
	c := newClients()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				s := &Session{id: fmt.Sprint(i % 5)}
				if _, ok := c.add(s, i%3 == 0); !ok {
					continue
				}
				if !slices.Contains(c.every(s.id), s) {
					t.Error("a session that was added is not found")
				}
				c.all()
				c.remove(s)
			}
		})
	}
	wg.Wait()
	if len(c.all()) != 0 || c.count.Load() != 0 {
		t.Errorf("%d sessions are left, with a count of %d", len(c.all()), c.count.Load())
	}
}
