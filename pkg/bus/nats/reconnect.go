package nats

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
)

// What became of the first attempt to connect, which Connect waits for.
const (
	firstPending int32 = iota
	firstMade          // while Connect waited: it is no news
	firstMissed        // Connect returned without; the first connection is news
)

// keepConnected makes a connection, and another when it ends, until the bus is
// closed. It closes attempted after the first attempt.
func (b *Bus) keepConnected(attempted chan struct{}) {
	var discovered []string
	failures := 0
	for b.life.Err() == nil {
		began := time.Now()
		s, err := b.dial(discovered)
		if err == nil {
			if err = b.install(s); err == nil {
				b.connected(s)
			} else {
				s.nc.Close()
			}
		}
		if attempted != nil {
			close(attempted)
			attempted = nil
		}
		if err != nil {
			failures++
			if failures == 1 && b.life.Err() == nil {
				b.log.Warn("cannot connect to NATS, trying again", "error", err)
			}
			if most := b.cfg.MaxReconnects; most > 0 && failures >= most {
				b.log.Error("gave up connecting to NATS", "attempts", failures, "error", err)
				return
			}
			b.pause(b.cfg.ReconnectWait)
			continue
		}
		failures = 0
		select {
		case <-s.ended:
		case <-b.life.Done():
		}
		discovered = s.nc.DiscoveredServers()
		b.disconnected(s, began)
		b.pause(0)
	}
}

// connected puts a session in force and tells of it.
func (b *Bus) connected(s *session) {
	b.maxPayload.Store(s.nc.MaxPayload())
	b.ready.Store(s)
	select {
	case <-s.ended: // perhaps before it was ready
		b.ready.CompareAndSwap(s, nil)
	default:
	}
	if b.events != nil {
		b.events.stream.connected()
	}
	if b.first.CompareAndSwap(firstPending, firstMade) {
		return
	}
	if !b.first.CompareAndSwap(firstMissed, firstMade) {
		b.reconnects.Add(1)
	}
	b.log.Info("connected to NATS", "server", s.nc.ConnectedServerName())
	b.notices.give(bus.Notice{Kind: bus.Connected})
}

// disconnected tells of a session's end. Closing it again ends what waits for
// it in the library.
func (b *Bus) disconnected(s *session, began time.Time) {
	err := s.nc.LastError()
	if err == nil {
		err = errors.New("closed by the server")
	}
	s.nc.Close()
	s.end()
	s.requests.stop()
	if b.life.Err() != nil {
		return
	}
	err = fmt.Errorf("connection to NATS lost after %v: %w", time.Since(began).Round(time.Millisecond), err)
	b.log.Warn("disconnected from NATS", "error", err)
	b.notices.give(bus.Notice{Kind: bus.Disconnected, Err: err})
}

// pause waits for a time and up to half of ReconnectWait more, so that the hubs
// of a cluster do not all come back at once.
func (b *Bus) pause(atLeast time.Duration) {
	timer := time.NewTimer(atLeast + rand.N(max(b.cfg.ReconnectWait/2, 1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.life.Done():
	}
}
