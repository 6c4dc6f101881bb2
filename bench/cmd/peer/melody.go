package main

import (
	"net"
	"net/http"

	"github.com/olahol/melody"
)

// melodyServer is olahol/melody with its default configuration.
type melodyServer struct{ m *melody.Melody }

func newMelody(options) (server, error) {
	m := melody.New()
	m.Config.MaxMessageSize = 64 << 10
	m.HandleMessage(func(s *melody.Session, data []byte) {
		if isPublish(data) {
			_ = m.BroadcastOthers(data, s)
		} else {
			_ = s.Write(data)
		}
	})
	return &melodyServer{m}, nil
}

func (s *melodyServer) Serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		_ = s.m.HandleRequest(w, r) // holds the goroutine until the client leaves; the client sees the error
	})
}

func (s *melodyServer) Publish(_ string, payloads [][]byte) error {
	for _, p := range payloads {
		if err := s.m.Broadcast(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *melodyServer) Gauges() (clients, rooms int) { return s.m.Len(), -1 }
