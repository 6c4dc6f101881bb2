package room_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/internal/hub/wire"
)

// owner is a client without a socket: its memberships must be muted.
type owner struct {
	conn conn.Conn
	id   string
}

func (o *owner) ID() string { return o.id }

func (o *owner) member() *room.Member {
	return &room.Member{Conn: &o.conn, Owner: o, Muted: true}
}

func (o *owner) join(rooms *room.Registry, id string, create func() (room.Spec, error)) (*room.Member, *room.Room, error) {
	o.conn.Lock()
	defer o.conn.Unlock()
	m := o.member()
	_, created, err := rooms.Join(m, id, "", create)
	return m, created, err
}

func (o *owner) leave(rooms *room.Registry, m *room.Member) *room.Room {
	o.conn.Lock()
	defer o.conn.Unlock()
	return rooms.Leave(m)
}

// fullRoom returns a room whose first pass does not end before release is
// closed, and which has taken as much behind it as it may.
func fullRoom(t *testing.T) (rooms *room.Registry, r *room.Room, release chan struct{}) {
	release = make(chan struct{})
	fan := room.NewFanOut(time.Now, func(time.Duration) { <-release })
	rooms = room.NewRegistry(fan, "epoch", func(string) room.Rule { return room.Rule{} }, room.Limits{})
	r, err := rooms.Create(room.Spec{ID: "r", Explicit: true})
	if err != nil {
		t.Fatal(err)
	}
	go r.Broadcast(plain("begin"))
	synctest.Wait()
	for size := 0; size <= maxPending; {
		m := megabyte()
		size += len(m.Frame)
		if !r.Broadcast(m) {
			t.Fatal("the room is gone")
		}
	}
	return rooms, r, release
}

func megabyte() *room.Message {
	return &room.Message{Frame: wire.Frame(wire.Binary, make([]byte, 1<<20)), Op: wire.Binary}
}

// publishers has n goroutines publish, half of them small messages.
func publishers(r *room.Room, n int) (took, refused *atomic.Int64) {
	took, refused = new(atomic.Int64), new(atomic.Int64)
	for i := range n {
		go func() {
			m := megabyte()
			if i%2 == 0 {
				m = plain("small")
			}
			if r.Broadcast(m) {
				took.Add(1)
			} else {
				refused.Add(1)
			}
		}()
	}
	return took, refused
}

func TestPublishersWaitForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, release := fullRoom(t)
		took, refused := publishers(r, 100)
		synctest.Wait()
		if took.Load() != 0 || refused.Load() != 0 {
			t.Errorf("a full room took %d messages and refused %d", took.Load(), refused.Load())
		}
		close(release)
		synctest.Wait()
		if took.Load() != 100 {
			t.Errorf("%d publishers went on, want 100", took.Load())
		}
	})
}

// TestDuplicatesWaitForSpace has publishers wait of whom all but one add
// nothing: none must depend on another to go on.
func TestDuplicatesWaitForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, release := fullRoom(t)
		var done, made atomic.Int64
		for range 100 {
			go func() {
				r.Publish(time.Now(), room.Key{Text: "the same key"}, func(string, string) *room.Message {
					made.Add(1)
					return plain("x")
				})
				done.Add(1)
			}()
		}
		synctest.Wait()
		if done.Load() != 0 {
			t.Errorf("%d did not wait", done.Load())
		}
		close(release)
		synctest.Wait()
		if done.Load() != 100 || made.Load() != 1 {
			t.Errorf("%d publishers went on with %d messages, want 100 with 1", done.Load(), made.Load())
		}
	})
}

func TestDeleteWhilePublishersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rooms, r, release := fullRoom(t)
		took, refused := publishers(r, 100)
		synctest.Wait()
		if _, _, err := rooms.Delete("r"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if took.Load() != 0 || refused.Load() != 100 {
			t.Errorf("the deleted room took %d messages and refused %d", took.Load(), refused.Load())
		}
		close(release)
	})
}
