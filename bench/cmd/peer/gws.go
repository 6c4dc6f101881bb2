package main

import (
	"bytes"
	"net"
	"net/http"
	"sync"

	"github.com/lxzan/gws"
)

// gwsServer is lxzan/gws: one goroutine a connection, its Broadcaster for the room.
type gwsServer struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader

	mu      sync.RWMutex
	members map[*gws.Conn]struct{} // guarded by mu
}

func newGWS(options) (server, error) {
	s := &gwsServer{members: map[*gws.Conn]struct{}{}}
	// Small buffers favour it: the defaults of 4 KiB only add memory.
	s.upgrader = gws.NewUpgrader(s, &gws.ServerOption{ReadBufferSize: 512, WriteBufferSize: 512})
	return s, nil
}

func (s *gwsServer) Serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := s.upgrader.Upgrade(w, r)
		if err != nil {
			return // Upgrade has answered
		}
		s.mu.Lock()
		s.members[c] = struct{}{}
		s.mu.Unlock()
		go c.ReadLoop()
	})
}

// OnClose implements gws.Event.
func (s *gwsServer) OnClose(c *gws.Conn, _ error) {
	s.mu.Lock()
	delete(s.members, c)
	s.mu.Unlock()
}

// OnPing implements gws.Event.
func (s *gwsServer) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

// OnMessage implements gws.Event.
func (s *gwsServer) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	if isPublish(m.Bytes()) {
		s.send(bytes.Clone(m.Bytes()), c)
	} else {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
	}
}

func (s *gwsServer) send(payload []byte, except *gws.Conn) {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer func() { _ = b.Close() }()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for c := range s.members {
		if c != except {
			_ = b.Broadcast(c) // a broken member leaves through OnClose
		}
	}
}

// Publish implements server.
func (s *gwsServer) Publish(_ string, payloads [][]byte) error {
	for _, p := range payloads {
		s.send(p, nil)
	}
	return nil
}

// Gauges implements server.
func (s *gwsServer) Gauges() (clients, rooms int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.members), -1
}
