package load_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/memory"
	"github.com/chenxilol/gohub/server"
	"github.com/chenxilol/gohub/test/chaos/history"
	"github.com/chenxilol/gohub/test/e2e/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A load finds nothing wrong with hubs of which one is drained, and all that is
// wrong where one is cut off.
func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, s *service, l *load.Load)
		ok   bool
	}{
		{"drain", func(t *testing.T, s *service, l *load.Load) {
			begin := l.Now()
			s.drain(t)
			l.Fault(history.Fault{Kind: "drain", Nodes: []string{"hub-0"}, Begin: begin, End: l.Now(), Drain: true})
		}, true},
		{"drain that nobody has ordered", func(t *testing.T, s *service, _ *load.Load) { s.drain(t) }, false},
		{"cut", func(_ *testing.T, s *service, _ *load.Load) { s.cut() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // they wait for most of the time
			s := startService(t, 3)
			l, err := load.Start(t.Context(), load.Options{
				Address: "ws://" + s.listener.Addr().String() + "/ws", Clients: 60, Members: 6, Rate: 100, Name: "test",
			})
			if err != nil {
				t.Fatal(err)
			}
			l.Publish()
			time.Sleep(500 * time.Millisecond)
			if err := l.Add(6); err != nil {
				t.Fatal(err)
			}
			l.Remove(3)
			before := l.Held()["hub-0"]
			if before == 0 {
				t.Fatal("no client is on hub-0")
			}
			tt.do(t, s, l)
			r, err := l.Stop()
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			if problems := r.Problems(); (len(problems) == 0) != tt.ok {
				t.Errorf("problems: %q", problems)
			}
			if r.Clients != 66 || r.Acknowledged == 0 || r.Deliveries < r.Owed || r.Owed == 0 {
				t.Error("too little was done")
			}
			if r.Reconnects != before || r.LeastHeld < 66-before-3 {
				t.Errorf("%d reconnects of %d clients, least %d", r.Reconnects, before, r.LeastHeld)
			}
			if tt.name == "cut" {
				if r.Unannounced() != before || r.Dropped != before {
					t.Errorf("%d unannounced, %d dropped, want %d", r.Unannounced(), r.Dropped, before)
				}
			} else if r.Unannounced() != 0 || r.Told != before {
				t.Errorf("%d unannounced, %d told, want %d", r.Unannounced(), r.Told, before)
			}
		})
	}
}

// service is hubs behind one address, as a Service of Kubernetes is.
type service struct {
	listener net.Listener
	hubs     []*hubtest.Server

	mu    sync.Mutex // guards all below
	ready []*hubtest.Server
	next  int
	first []net.Conn // to the first hub
}

func startService(t *testing.T, n int) *service {
	t.Helper()
	s := &service{}
	broker := memory.NewBroker()
	for i := range n {
		opts := server.Options{
			EnableCluster: true, NodeID: fmt.Sprint("hub-", i), EnableQueryClientID: true,
			OpenBus: func(o bus.Options) (bus.Bus, error) { return broker.Connect(o) },
			Rooms:   []server.RoomRule{{Pattern: "*", HistorySize: 1000}},
			Drain:   server.Drain{Delay: -1, Window: time.Second},
		}
		s.hubs = append(s.hubs, hubtest.NewServer(t, &opts))
	}
	s.ready = slices.Clone(s.hubs)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { s.listener.Close(); open.Wait() })
	open.Go(func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { s.serve(c) })
		}
	})
	return s
}

// serve joins a connection with one to the hub whose turn it is.
func (s *service) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	hub := s.ready[s.next%len(s.ready)]
	s.next++
	s.mu.Unlock()
	to, err := net.Dial("tcp", hub.Addr().String())
	if err != nil {
		return
	}
	defer to.Close()
	if hub == s.hubs[0] {
		s.mu.Lock()
		s.first = append(s.first, c)
		s.mu.Unlock()
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(to, c)
		to.Close()
		close(done)
	}()
	_, _ = io.Copy(c, to)
	c.Close()
	<-done
}

func (s *service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = s.hubs[1:]
}

// drain stops the first hub.
func (s *service) drain(t *testing.T) {
	t.Helper()
	s.leave()
	if err := s.hubs[0].Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// cut ends the connections to the first hub.
func (s *service) cut() {
	s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.first {
		c.Close()
	}
}
