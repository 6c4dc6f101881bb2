package probe_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/chenxilol/gohub/bench/internal/probe"
	"github.com/chenxilol/gohub/bench/internal/wire"
)

func TestPublishSplitsIntoBursts(t *testing.T) {
	var bursts []int
	next := uint32(5)
	h := probe.Handler(func(room string, payloads [][]byte) error {
		bursts = append(bursts, len(payloads))
		for _, p := range payloads {
			if room != "r" || len(p) != 64 {
				t.Errorf("room %q, %d bytes", room, len(p))
			}
			wire.EachMarker(p, func(m wire.Marker) {
				if m.Seq != next {
					t.Errorf("sequence %d, want %d", m.Seq, next)
				}
				next++
			})
		}
		return nil
	}, func() (int, int) { return 3, 2 })

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/publish?room=r&n=7&burst=3&size=64&from=5", nil))
	if w.Code != 200 || next != 12 || len(bursts) != 3 || bursts[2] != 1 {
		t.Fatalf("status %d, next %d, bursts %v", w.Code, next, bursts)
	}
	for _, bad := range []string{"n=0", "n=x", "burst=-1", "size=4"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/publish?"+bad, nil))
		if w.Code != 400 {
			t.Errorf("%s was answered with %d", bad, w.Code)
		}
	}

	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/debug/stats", nil))
	var s probe.Stats
	if err := json.NewDecoder(w.Body).Decode(&s); err != nil || s.Clients != 3 || s.Rooms != 2 || s.Goroutines < 1 {
		t.Fatalf("stats %+v, %v", s, err)
	}
}
