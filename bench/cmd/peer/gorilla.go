package main

import (
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// chat is built as gorilla/websocket's chat example is: a hub goroutine owns the
// members, each connection has a reader, a writer and a queue of 256 messages,
// and a member whose queue is full is cut off. Unlike the example each message is
// a frame of its own, so that all servers put the same bytes on the wire.
type chat struct {
	upgrader   websocket.Upgrader
	register   chan *chatClient
	unregister chan *chatClient
	broadcast  chan chatMessage
	count      chan int
}

type chatMessage struct {
	data []byte
	from *chatClient
}

type chatClient struct {
	conn *websocket.Conn
	send chan []byte
}

const (
	chatWriteWait = 10 * time.Second
	chatPongWait  = 60 * time.Second
)

func newGorilla(options) (server, error) {
	s := &chat{
		upgrader:   websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}, // as in the example
		register:   make(chan *chatClient),
		unregister: make(chan *chatClient),
		broadcast:  make(chan chatMessage),
		count:      make(chan int),
	}
	go s.run()
	return s, nil
}

func (s *chat) run() {
	members := map[*chatClient]bool{}
	remove := func(c *chatClient) {
		if members[c] {
			delete(members, c)
			close(c.send)
		}
	}
	for {
		select {
		case c := <-s.register:
			members[c] = true
		case c := <-s.unregister:
			remove(c)
		case m := <-s.broadcast:
			for c := range members {
				if c == m.from {
					continue
				}
				select {
				case c.send <- m.data:
				default:
					remove(c)
				}
			}
		case s.count <- len(members):
		}
	}
}

func (s *chat) Serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		conn, err := s.upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		c := &chatClient{conn: conn, send: make(chan []byte, 256)}
		s.register <- c
		go s.write(c)
		go s.read(c)
	})
}

func (s *chat) read(c *chatClient) {
	defer func() {
		s.unregister <- c
		_ = c.conn.Close()
	}()
	c.conn.SetReadLimit(64 << 10)
	extend := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(chatPongWait)) }
	_ = extend("")
	c.conn.SetPongHandler(extend)
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if isPublish(data) {
			s.broadcast <- chatMessage{data, c}
		} else {
			c.send <- data
		}
	}
}

func (s *chat) write(c *chatClient) {
	ticker := time.NewTicker(chatPongWait * 9 / 10)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close()
	}()
	for {
		select {
		case data, open := <-c.send:
			_ = c.conn.SetWriteDeadline(time.Now().Add(chatWriteWait))
			if !open || c.conn.WriteMessage(websocket.TextMessage, data) != nil {
				return
			}
		case <-ticker.C:
			_ = c.conn.SetWriteDeadline(time.Now().Add(chatWriteWait))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func (s *chat) Publish(_ string, payloads [][]byte) error {
	for _, p := range payloads {
		s.broadcast <- chatMessage{data: p}
	}
	return nil
}

func (s *chat) Gauges() (clients, rooms int) { return <-s.count, -1 }
