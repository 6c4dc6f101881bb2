package hub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
)

func newIdleHub(t *testing.T) *Hub {
	t.Helper()
	h, err := New(Config{
		Engine: conn.Config{Goroutines: true}, // synctest can see it wait
		Logger: slog.New(slog.DiscardHandler), Rule: func(string) room.Rule { return room.Rule{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// TestDrainAfterUndrain begins a drain before the one that was undone has had
// the time to end.
func TestDrainAfterUndrain(t *testing.T) {
	h := newIdleHub(t)
	for range 100 {
		h.StartDrain(DrainConfig{Delay: time.Hour})
		if !h.Draining() {
			t.Fatal("not draining after StartDrain")
		}
		if err := h.Undrain(); err != nil || h.Draining() {
			t.Fatal("draining after Undrain")
		}
	}
}

func TestDrainEnds(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	running := newIdleHub(t)
	running.StartDrain(DrainConfig{Delay: time.Hour})
	for _, tt := range []struct {
		name string
		hub  *Hub
		ctx  context.Context
		cfg  DrainConfig
		want error
	}{
		{"context ends", newIdleHub(t), ended, DrainConfig{Delay: time.Hour}, context.Canceled},
		{"timeout", newIdleHub(t), context.Background(), DrainConfig{Delay: time.Hour, Timeout: time.Nanosecond}, context.DeadlineExceeded},
		{"timeout of its own while another runs", running, context.Background(), DrainConfig{Delay: time.Hour, Timeout: time.Nanosecond}, context.DeadlineExceeded},
		{"nobody there", newIdleHub(t), context.Background(), DrainConfig{}, nil},
	} {
		if err := tt.hub.Drain(tt.ctx, tt.cfg); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestDrainIsFinal(t *testing.T) {
	h := newIdleHub(t)
	for range 2 {
		if err := h.Drain(context.Background(), DrainConfig{}); err != nil {
			t.Fatal(err)
		}
		if err := h.Undrain(); !errors.Is(err, ErrStopping) || !h.Draining() {
			t.Fatalf("undrain while stopping: %v", err)
		}
	}
}

// TestDrainHurries: a drain in its delay goes on by a final one that has less
// time, and both end together.
func TestDrainHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ first, second, takes time.Duration }{
			{time.Hour, 0, time.Minute},
			{time.Hour, time.Second, time.Minute + time.Second},
			{2 * time.Minute, time.Hour, 2 * time.Minute},
		} {
			h := newIdleHub(t)
			begin := time.Now()
			h.StartDrain(DrainConfig{Delay: tt.first})
			time.Sleep(time.Minute)
			var ends sync.WaitGroup
			for range 2 {
				ends.Go(func() {
					if err := h.Drain(t.Context(), DrainConfig{Delay: tt.second}); err != nil {
						t.Error(err)
					}
				})
			}
			ends.Wait()
			if took := time.Since(begin); took != tt.takes {
				t.Errorf("%v and %v after a minute took %v, want %v", tt.first, tt.second, took, tt.takes)
			}
			if err := h.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
