package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/sdk"
	"github.com/chenxilol/gohub/server"
)

// TestShutdownTwice: the second call waits for the first and has its result.
func TestShutdownTwice(t *testing.T) {
	for name, deadline := range map[string]time.Duration{"in time": time.Hour, "too late": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			release, entered := make(chan struct{}), make(chan struct{})
			s := newServer(t, server.Options{})
			s.On(sdk.EventClientDisconnected, func(context.Context, sdk.Event) error {
				close(entered)
				<-release
				return nil
			})
			done := make(chan error, 1)
			go func() { done <- s.Start() }()
			conn := upgradeBare(t, hubtest.Attach(t, s))
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			results := make(chan error, 2)
			go func() { results <- s.Shutdown(ctx) }()
			if deadline == time.Hour {
				conn.frame()
				_ = conn.Close()
			}
			<-entered
			go func() { results <- s.Shutdown(t.Context()) }()
			impatient, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Shutdown(impatient); !errors.Is(err, context.Canceled) {
				t.Errorf("a call without patience: %v", err)
			}
			if deadline == time.Hour && len(results) > 0 {
				t.Error("a call has returned before the end")
			}
			close(release)
			a, b := within(t, "the first result", results), within(t, "the second", results)
			if a != b || (a == nil) != (deadline == time.Hour) {
				t.Errorf("%v and %v", a, b)
			}
			<-done
		})
	}
}

// TestShutdownFromListener: a listener may end the server, with its context.
func TestShutdownFromListener(t *testing.T) {
	s := newServer(t, server.Options{})
	shut := make(chan error, 1)
	s.On(sdk.EventRoomCreated, func(ctx context.Context, _ sdk.Event) error {
		shut <- s.Shutdown(ctx)
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- s.Start() }()
	hubtest.Attach(t, s)
	if err := s.SDK().CreateRoom("r", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "end of Shutdown", shut); err != nil {
		t.Error(err)
	}
	if err := within(t, "end of Start", done); err != nil {
		t.Error(err)
	}
}
