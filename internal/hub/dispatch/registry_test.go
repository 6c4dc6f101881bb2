package dispatch_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/chenxilol/gohub/internal/hub/dispatch"
)

func TestRegistry(t *testing.T) {
	r := dispatch.NewRegistry(map[string]int{"ping": 1})
	for _, tt := range []struct {
		name string
		want error
	}{
		{"chat", nil},
		{"Ping", nil},
		{"", dispatch.ErrEmptyType},
		{"ping", dispatch.ErrBuiltin},
		{"chat", dispatch.ErrRegistered},
	} {
		err := r.Add(tt.name, 2)
		if !errors.Is(err, tt.want) {
			t.Errorf("Add(%q): %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), tt.name) {
			t.Errorf("Add(%q): %v does not name it", tt.name, err)
		}
	}
	r.Seal()
	r.Seal()
	for _, name := range []string{"late", "chat", "ping"} {
		if err := r.Add(name, 3); !errors.Is(err, dispatch.ErrSealed) {
			t.Errorf("Add(%q) behind Seal: %v", name, err)
		}
	}
	for name, want := range map[string]int{"ping": 1, "chat": 2, "Ping": 2, "late": 0, "": 0} {
		if got, ok := r.Find(name); got != want || ok != (want != 0) {
			t.Errorf("Find(%q) is %d, %v", name, got, ok)
		}
		if got := r.Intern([]byte(name)); got != name {
			t.Errorf("Intern(%q) is %q", name, got)
		}
	}
	known := []byte("chat")
	if got := testing.AllocsPerRun(100, func() { r.Intern(known) }); got != 0 {
		t.Errorf("Intern allocates %v times", got)
	}
}

// TestRegistryConcurrently registers one name many times, and seals.
func TestRegistryConcurrently(t *testing.T) {
	r := dispatch.NewRegistry(map[string]int{})
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { errs[i] = r.Add("chat", i+1) })
	}
	wg.Go(r.Seal)
	wg.Wait()
	winner := 0
	for i, err := range errs {
		if err == nil {
			if winner != 0 {
				t.Error("two have registered the name")
			}
			winner = i + 1
		}
	}
	if got, ok := r.Find("chat"); got != winner || ok != (winner != 0) {
		t.Errorf("Find: %d, %v; want %d", got, ok, winner)
	}
}
