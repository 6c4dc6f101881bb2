package nats_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/test/natsserver"
)

// told is a log that passes its messages on.
type told chan string

func (told) Enabled(context.Context, slog.Level) bool { return true }
func (c told) Handle(_ context.Context, r slog.Record) error {
	c <- r.Message
	return nil
}
func (c told) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c told) WithGroup(string) slog.Handler      { return c }

func TestGivesUpAfterMaxReconnects(t *testing.T) {
	log := make(told, 10)
	c := nats.Config{URLs: []string{natsserver.FreeAddress(t)}, MaxReconnects: 3, ReconnectWait: time.Millisecond}
	b := connect(t, c, bus.Options{Logger: slog.New(log)})
	for m := range log {
		if strings.HasPrefix(m, "gave up") {
			break
		}
	}
	if err := b.Publish("room", nil); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("publish: %v, want ErrRefused", err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What the server forbids is lost in silence there, so the probe tells of it.
func TestForbidden(t *testing.T) {
	log := make(told, 10)
	s := natsserver.New(t, natsserver.Config{Lines: `authorization { users: [ { user: u, password: p, permissions: {
		publish: ["gohub.>"], subscribe: ["gohub.inbox.>"] } } ] }`})
	c := nats.Config{URLs: []string{s.URL()}, Username: "u", Password: "p"}
	b := connect(t, c, bus.Options{Logger: slog.New(log)})
	defer b.Close(t.Context())
	if err := b.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	if _, err := b.Subscribe("room", func(bus.Message) {}); err != nil {
		t.Errorf("subscribe: %v", err)
	}
	for m := range log {
		if strings.Contains(m, "forbids") {
			break
		}
	}
	if err := b.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "gohub.out.0.room") {
		t.Errorf("probe: %v, want what is forbidden", err)
	}
	if b.Stats().Dropped == 0 {
		t.Error("nothing is counted as dropped")
	}
}
