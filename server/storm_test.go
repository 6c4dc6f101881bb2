package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// witness follows what one client gets of rooms and complains where it is not
// what a member is promised.
type witness struct {
	t    *testing.T
	name string
	in   map[string]bool
	last map[string]int // by room and publisher: the number of the last message heard
}

func newWitness(t *testing.T, name string) *witness {
	return &witness{t: t, name: name, in: map[string]bool{}, last: map[string]int{}}
}

// publication is a message of the storm.
type publication struct {
	RoomID   string `json:"room_id"`
	SenderID string `json:"sender_id"`
	Content  int
}

// take takes a message and tells its type and, for a room_message, what it is.
func (w *witness) take(m hubtest.Message) (string, publication) {
	w.t.Helper()
	p := into[publication](w.t, m)
	switch m.Type {
	case "room_joined":
		w.in[p.RoomID] = true
	case "room_left":
		w.in[p.RoomID] = false
		for key := range w.last {
			if room, _ := splitKey(key); room == p.RoomID {
				delete(w.last, key)
			}
		}
	case "room_message":
		key := p.RoomID + "/" + p.SenderID
		last, heard := w.last[key]
		switch {
		case !w.in[p.RoomID]:
			w.t.Fatalf("%s is not in %s and got %+v", w.name, p.RoomID, p)
		case p.SenderID == w.name:
			w.t.Fatalf("%s hears itself: %+v", w.name, p)
		case heard && p.Content != last+1:
			w.t.Fatalf("%s: %d came after %d of %s", w.name, p.Content, last, key)
		}
		w.last[key] = p.Content
	default:
		w.t.Fatalf("%s got %s %s", w.name, m.Type, m.Data)
	}
	return m.Type, p
}

func splitKey(key string) (room, sender string) {
	i := slices.Index([]byte(key), '/')
	return key[:i], key[i+1:]
}

// storm is several members that publish to two rooms at the same time.
type storm struct {
	t       *testing.T
	rooms   []string
	clients []*hubtest.Client
	names   []string
	started []atomic.Int64 // by publisher: the number of the last message that may be on its way
	bursts  []chan int
	done    sync.WaitGroup
}

func newStorm(t *testing.T, srv *hubtest.Server, rooms []string, publishers int) *storm {
	s := &storm{t: t, rooms: rooms, started: make([]atomic.Int64, publishers)}
	for i := range publishers {
		name := fmt.Sprint("p", i)
		c := srv.Dial(t, hubtest.ID(name))
		for _, room := range rooms {
			c.Join(room)
		}
		s.clients, s.names = append(s.clients, c), append(s.names, name)
	}
	for i := range publishers {
		bursts := make(chan int, 100)
		s.bursts = append(s.bursts, bursts)
		s.done.Go(func() {
			n := 0
			for count := range bursts {
				for range count {
					n++
					s.started[i].Store(int64(n))
					s.publish(i, n)
				}
			}
		})
	}
	return s
}

func (s *storm) publish(i, n int) {
	for _, room := range s.rooms {
		text, _ := json.Marshal(fields{"message_type": "room_message", "data": fields{"room_id": room, "content": n}})
		if err := s.clients[i].Conn().WriteMessage(websocket.TextMessage, text); err != nil {
			s.t.Errorf("publish: %v", err)
		}
	}
}

// burst has every publisher publish count messages more; it does not wait.
func (s *storm) burst(count int) {
	for _, b := range s.bursts {
		b <- count
	}
}

// end waits until everything has been sent; it returns how much each sent.
func (s *storm) end() int {
	for _, b := range s.bursts {
		close(b)
	}
	s.done.Wait()
	return int(s.started[0].Load())
}

// hear takes messages until all of the storm have been heard.
func (s *storm) hear(w *witness, next func() hubtest.Message, total int) {
	s.t.Helper()
	want := len(s.rooms) * len(s.names)
	if slices.Contains(s.names, w.name) {
		want -= len(s.rooms)
	}
	for complete := 0; complete < want; {
		if _, p := w.take(next()); p.Content == total {
			complete++
		}
	}
}

// TestStorm has members publish to two rooms while others join and leave, and
// one does not read until it is over.
func TestStorm(t *testing.T) {
	const publishers, rounds, burst = 4, 25, 8
	rooms := []string{"one", "two"}
	srv := start(t, server.Options{EnableQueryClientID: true, SendQueueBytes: -1, RateLimit: server.RateLimit{MessagesPerSecond: -1}})
	slow, _, err := websocket.DefaultDialer.Dial(srv.URL("ws")+"/ws?client_id=slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	for _, room := range rooms {
		if err := slow.WriteJSON(fields{"message_type": "join_room", "data": fields{"room_id": room}}); err != nil {
			t.Fatal(err)
		}
	}
	slowWitness := newWitness(t, "slow")
	read := func() (m hubtest.Message) {
		if err := slow.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for range rooms {
		slowWitness.take(read())
	}
	s := newStorm(t, srv, rooms, publishers)
	passing := dialEach(t, srv, "x0", "x1", "x2")
	witnesses := make([]*witness, len(passing))
	for i := range passing {
		witnesses[i] = newWitness(t, fmt.Sprint("x", i))
	}
	heard := 0
	for range rounds {
		for i, c := range passing {
			s.burst(burst)
			c.Send("join_room", fields{"room_id": rooms[i%2]})
			if kind, _ := witnesses[i].take(c.Next()); kind != "room_joined" {
				t.Fatalf("%s before room_joined", kind)
			}
			begun := make([]int, publishers)
			for p := range begun {
				begun[p] = int(s.started[p].Load())
			}
			s.burst(burst)
			c.Send("leave_room", fields{"room_id": rooms[i%2]})
			first := map[string]bool{}
			for {
				kind, p := witnesses[i].take(c.Next())
				if kind == "room_left" {
					break
				}
				heard++
				sender := slices.Index(s.names, p.SenderID)
				if !first[p.SenderID] && p.Content > begun[sender]+1 {
					t.Fatalf("x%d had joined when %s began with %d, and heard %d first", i, p.SenderID, begun[sender], p.Content)
				}
				first[p.SenderID] = true
			}
		}
	}
	total := s.end()
	if want := 2 * rounds * burst * len(passing); total != want || heard == 0 {
		t.Fatalf("each published %d of %d, those passing by heard %d", total, want, heard)
	}
	for i, c := range s.clients {
		w := newWitness(t, s.names[i])
		w.in["one"], w.in["two"] = true, true
		s.hear(w, c.Next, total)
		c.Silent()
	}
	s.hear(slowWitness, read, total)
	for _, c := range passing {
		c.Silent()
	}
}
