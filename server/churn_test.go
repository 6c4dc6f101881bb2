package server_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// descriptors returns how many files the process holds; 0 where the system
// does not say.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// TestChurnLeavesNothing: clients that come, say something and go, some of
// them rudely, leave no descriptor, goroutine, room or byte behind.
func TestChurnLeavesNothing(t *testing.T) {
	const rounds, clients = 15, 20
	srv := start(t, server.Options{Rooms: []server.RoomRule{{Pattern: "*", Presence: true}}})
	churn := func() {
		var all []*hubtest.Client
		for i := range clients {
			c := srv.Dial(t, hubtest.Subprotocols([]string{"gohub.v1", "other"}[i%2]))
			c.Send("join_room", fields{"room_id": "common"})
			c.Send("join_room", fields{"room_id": fmt.Sprint("own", i)})
			c.Send("room_message", fields{"room_id": "common", "content": i})
			all = append(all, c)
		}
		for i, c := range all {
			switch i % 3 {
			case 0:
				c.Close()
			case 1:
				c.Request("ping", nil)
				c.Drop()
			default: // in the middle of a message
				_, _ = c.Conn().NetConn().Write([]byte("\x81\xfe"))
				c.Drop()
			}
		}
		wantClients(t, srv, 0)
	}
	churn()
	eventually(t, "the first clients' goroutines are gone", func() bool { return srv.Stats().QueuedBytes == 0 })
	files, goroutines := descriptors(), runtime.NumGoroutine()
	for range rounds {
		churn()
	}
	eventually(t, fmt.Sprintf("%d descriptors", files), func() bool { return descriptors() <= files })
	eventually(t, fmt.Sprintf("%d goroutines and a few", goroutines), func() bool { return runtime.NumGoroutine() <= goroutines+10 })
	if s := srv.Stats(); s.Clients != 0 || s.Rooms != 0 || s.QueuedBytes != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if n := metric(t, srv, "gohub_connected_clients"); n != 0 {
		t.Errorf("%v clients are counted", n)
	}
}
