package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/sdk"
)

// TestEventsAmidClose: every listener that began has ended when Close returns,
// and none begins from then on.
func TestEventsAmidClose(t *testing.T) {
	for range 50 {
		h := newIdleHub(t)
		var begun, ended atomic.Int64
		h.On(sdk.EventRoomCreated, func(context.Context, sdk.Event) error {
			begun.Add(1)
			defer ended.Add(1)
			return nil
		})
		var makers sync.WaitGroup
		for maker := range 4 {
			makers.Go(func() {
				for i := range 200 {
					if err := h.CreateRoom(fmt.Sprint(maker, "-", i), "", 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
		atClose := ended.Load()
		makers.Wait()
		if begun.Load() != atClose || ended.Load() != atClose {
			t.Errorf("%d listeners had ended; %d have begun, %d ended", atClose, begun.Load(), ended.Load())
		}
	}
}

// TestCloseDoesNotWaitForItsListener: that would be for ever.
func TestCloseDoesNotWaitForItsListener(t *testing.T) {
	h := newIdleHub(t)
	closed := make(chan error, 1)

	h.On(sdk.EventRoomCreated, func(ctx context.Context, _ sdk.Event) error {
		closed <- h.Close(ctx)
		return nil
	})
	if err := h.CreateRoom("r", "", 0); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for its caller")
	}
}

// TestNothingBehindTheLast: what a client still does when it has been told to
// be gone is told as nobody's doing, if at all.
func TestNothingBehindTheLast(t *testing.T) {
	h := newIdleHub(t)
	events := make(chan sdk.Event, 10)
	for _, typ := range []sdk.EventType{sdk.EventClientDisconnected, sdk.EventRoomCreated, sdk.EventRoomMessage, sdk.EventClientMessage, sdk.EventClientError} {
		h.On(typ, func(_ context.Context, ev sdk.Event) error {
			events <- ev
			return nil
		})
	}
	s := &Session{hub: h, id: "me"}
	h.events.room(sdk.EventRoomCreated, s, "before")
	h.events.disconnected(s, nil, 1000, "")
	h.events.room(sdk.EventRoomCreated, s, "behind")
	h.events.message(s, []byte("x"))
	h.events.clientError(s, 1000, context.Canceled)
	h.events.roomMessage(s, sdk.Event{RoomID: "behind", SenderID: "me"}, []byte("1"))
	if err := h.Close(t.Context()); err != nil { // waits for the listeners
		t.Fatal(err)
	}
	close(events)
	var mine, others []string
	for ev := range events {
		if ev.ClientID == "me" {
			mine = append(mine, string(ev.Type)+" "+ev.RoomID)
		} else {
			others = append(others, string(ev.Type)+" "+ev.RoomID)
		}
	}
	if want := []string{"room_created before", "client_disconnected "}; !slices.Equal(mine, want) {
		t.Errorf("the client's events are %q, want %q", mine, want)
	}
	if want := []string{"room_created behind", "room_message behind"}; !slices.Equal(others, want) {
		t.Errorf("nobody's events are %q, want %q", others, want)
	}
}
