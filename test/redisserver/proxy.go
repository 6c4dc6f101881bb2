//go:build unix

package redisserver

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// Proxy stands between clients and a server and can hold back what they say to
// each other, without closing a connection.
type Proxy struct {
	// Addr is its host:port.
	Addr string

	to     string
	listen net.Listener
	ctx    context.Context
	done   sync.WaitGroup

	mu    sync.Mutex
	flows []*flow       // guarded by mu: of all connections so far
	open  chan struct{} // guarded by mu: closed while new connections flow
}

// flow is one direction of a connection.
type flow struct {
	addr string // of the client, as the server sees it

	mu   sync.Mutex
	open chan struct{} // guarded by mu: closed while it flows
}

// StartProxy starts a proxy of a server. It ends with the test.
func StartProxy(t testing.TB, to *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{Addr: l.Addr().String(), to: to.Addr, listen: l, ctx: ctx, open: closed()}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		p.done.Wait()
	})
	return p
}

// Hold holds back everything on the connections that there are, or on those of
// some clients, by their addresses in the server's CLIENT LIST.
func (p *Proxy) Hold(clients ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.flows {
		if len(clients) == 0 || slices.Contains(clients, f.addr) {
			f.hold()
		}
	}
}

// Cut holds back everything, on new connections, too.
func (p *Proxy) Cut() {
	p.Hold()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// Heal lets everything flow again, what was held back first.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isClosed(p.open) {
		close(p.open)
	}
	for _, f := range p.flows {
		f.mu.Lock()
		if !isClosed(f.open) {
			close(f.open)
		}
		f.mu.Unlock()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		stop := context.AfterFunc(p.ctx, func() {
			_ = client.Close()
			_ = server.Close()
		})
		p.mu.Lock()
		addr := server.LocalAddr().String()
		up, down := &flow{addr: addr, open: p.open}, &flow{addr: addr, open: p.open}
		p.flows = append(p.flows, up, down)
		p.mu.Unlock()
		p.done.Go(func() { p.copy(server, client, up); stop() })
		p.done.Go(func() { p.copy(client, server, down) })
	}
}

// copy ends with the connection it reads, when what was read is written.
func (p *Proxy) copy(to, from net.Conn, f *flow) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		f.mu.Lock()
		open := f.open
		f.mu.Unlock()
		select {
		case <-open:
		case <-p.ctx.Done():
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				_, _ = io.Copy(io.Discard, from)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (f *flow) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isClosed(f.open) {
		f.open = make(chan struct{})
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
