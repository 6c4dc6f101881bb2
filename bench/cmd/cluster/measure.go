package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

func (b *bench) run() error {
	if err := b.start(); err != nil {
		return err
	}
	for _, step := range []func() error{b.latency, b.joinStorm, b.history, b.manyRooms} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Printf("%-9s "+format+"\n", append([]any{b.bus}, args...)...)
}

// client is a websocket that counts the replies it is owed.
type client struct {
	conn *websocket.Conn
	id   int64
}

func (b *bench) dial(i int) (*client, error) {
	dialer := websocket.Dialer{ReadBufferSize: 1024, WriteBufferSize: 1024}
	conn, _, err := dialer.Dial("ws://"+b.hubs[i].addr+"/ws", nil)
	if err != nil {
		return nil, fmt.Errorf("connect to hub %d: %w", i, err)
	}
	return &client{conn: conn}, nil
}

type message struct {
	Type      string          `json:"message_type"`
	Data      json.RawMessage `json:"data"`
	RequestID int64           `json:"request_id"`
}

// send sends a request and does not wait.
func (c *client) send(messageType string, data any) error {
	c.id++
	return c.conn.WriteJSON(map[string]any{"message_type": messageType, "data": data, "message_id": c.id})
}

// answer reads until the answer to the last request.
func (c *client) answer() (message, error) {
	for {
		var m message
		if err := c.conn.ReadJSON(&m); err != nil {
			return m, fmt.Errorf("read: %w", err)
		}
		if m.RequestID == c.id {
			if m.Type == "error" {
				return m, fmt.Errorf("refused: %s", m.Data)
			}
			return m, nil
		}
	}
}

func (c *client) request(messageType string, data any) error {
	if err := c.send(messageType, data); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}

type roomData struct {
	Room    string `json:"room_id"`
	Content any    `json:"content,omitempty"`
}

// latency publishes on one hub and hears on another, 500 a second; and counts
// what the bus and the third hub, without members, saw of it.
func (b *bench) latency() error {
	a, err := b.dial(0)
	if err != nil {
		return err
	}
	c, err := b.dial(1)
	if err != nil {
		return err
	}
	for _, x := range []*client{a, c} {
		if err := x.request("join_room", roomData{Room: "lobby"}); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Second)
	brokerBefore, counted := b.atBroker()
	idleBefore, _ := b.metric(2, "gohub_bus_received_messages_total")
	begin := time.Now()
	took := make([]time.Duration, 0, b.messages)
	done := make(chan error, 1)
	go func() {
		for len(took) < b.messages {
			var m message
			if err := c.conn.ReadJSON(&m); err != nil {
				done <- err
				return
			}
			if m.Type == "room_message" {
				var d struct{ Content int64 }
				_ = json.Unmarshal(m.Data, &d)
				took = append(took, time.Since(begin)-time.Duration(d.Content))
			}
		}
		done <- nil
	}()
	ticker := time.NewTicker(2 * time.Millisecond)
	for range b.messages {
		<-ticker.C
		data := roomData{Room: "lobby", Content: int64(time.Since(begin))}
		if err := a.conn.WriteJSON(map[string]any{"message_type": "room_message", "data": data}); err != nil {
			return err
		}
	}
	ticker.Stop()
	if err := c.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	err = <-done
	elapsed := time.Since(begin)
	slices.Sort(took)
	if len(took) > 0 {
		b.say("publish on one hub, hear on another: p50 %v p99 %v max %v, %d of %d heard", took[len(took)/2], took[len(took)*99/100], took[len(took)-1], len(took), b.messages)
	}
	if counted {
		after, _ := b.atBroker()
		b.say("messages into the broker for %d publishes: %d (heartbeats of 3 hubs in %v among them)", b.messages, after-brokerBefore, elapsed.Round(time.Second))
	}
	idleAfter, _ := b.metric(2, "gohub_bus_received_messages_total")
	b.say("messages into the hub without members: %.0f in %v", idleAfter-idleBefore, elapsed.Round(time.Second))
	return err
}

// joinStorm joins as many new rooms as fast as it can, on one hub.
func (b *bench) joinStorm() error {
	const clients = 100
	list := make([]*client, clients)
	for i := range list {
		var err error
		if list[i], err = b.dial(0); err != nil {
			return err
		}
	}
	begin := time.Now()
	err := each(list, func(i int, c *client) error {
		for k := range b.joins / clients {
			if err := c.send("join_room", roomData{Room: fmt.Sprint("storm-", i, "-", k)}); err != nil {
				return err
			}
		}
		_, err := c.answer() // to the last
		return err
	})
	b.say("%d joins of %d new rooms: %v", b.joins, b.joins, time.Since(begin).Round(time.Millisecond))
	return err
}

// each does something with every client at once.
func each(list []*client, f func(i int, c *client) error) error {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for i, c := range list {
		wg.Go(func() {
			if err := f(i, c); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// history publishes to rooms with a history, each message acknowledged before a
// client sends its next.
func (b *bench) history() error {
	const clients = 200
	list := make([]*client, clients)
	for i := range list {
		var err error
		if list[i], err = b.dial(i % 2); err != nil {
			return err
		}
	}
	if err := each(list, func(i int, c *client) error {
		return c.request("join_room", roomData{Room: fmt.Sprint("h.", i)})
	}); err != nil {
		return err
	}
	begin := time.Now()
	err := each(list, func(i int, c *client) error {
		for range b.appends / clients {
			if err := c.request("room_message", roomData{Room: fmt.Sprint("h.", i), Content: "a message of some hundred bytes, as they are, or so it is said: lorem ipsum dolor sit amet, consectetur"}); err != nil {
				return err
			}
		}
		return nil
	})
	took := time.Since(begin)
	b.say("history: %d acknowledged publishes by %d clients: %.0f a second", b.appends, clients, float64(b.appends)/took.Seconds())
	return err
}

// manyRooms keeps rooms active on one hub, which has no other work.
func (b *bench) manyRooms() error {
	const perClient = 1000
	before := memory(b.hubs[2].pid)
	goroutines, _ := b.metric(2, "go_goroutines")
	list := make([]*client, b.rooms/perClient)
	for i := range list {
		var err error
		if list[i], err = b.dial(2); err != nil {
			return err
		}
	}
	begin := time.Now()
	err := each(list, func(i int, c *client) error {
		go func() {
			for k := range perClient {
				if c.send("join_room", roomData{Room: fmt.Sprint("room-", i, "-", k)}) != nil {
					return
				}
			}
		}()
		for range perClient {
			var m message
			if err := c.conn.ReadJSON(&m); err != nil {
				return err
			}
			if m.Type != "room_joined" {
				return fmt.Errorf("%s %s", m.Type, m.Data)
			}
		}
		return nil
	})
	took := time.Since(begin)
	grown := memory(b.hubs[2].pid) - before
	now, _ := b.metric(2, "go_goroutines")
	rooms, _ := b.metric(2, "gohub_rooms")
	runtime.KeepAlive(list) // collected connections close themselves
	b.say("%.0f rooms on one hub in %v: %d bytes of resident memory each, %+.0f goroutines", rooms, took.Round(time.Millisecond), grown/int64(max(b.rooms, 1)), now-goroutines)
	return err
}
