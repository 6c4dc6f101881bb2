package chaos_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxySource is the address that proxies connect from. Nobody listens there,
// so that servers that tell each other of it find no way past the proxies.
const proxySource = "127.99.0.1"

// proxy forwards TCP connections to one target, until it is told not to.
type proxy struct {
	address string
	target  string
	listen  net.Listener
	wait    sync.WaitGroup

	mu    sync.Mutex // guards all below
	cond  *sync.Cond // held has changed
	held  bool
	cut   bool
	pairs map[*pair]struct{}
}

// pair is one forwarded connection.
type pair struct{ client, server net.Conn }

func (p *pair) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

// newProxy returns a proxy to target that ends with the test.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), target: target, listen: l, pairs: make(map[*pair]struct{})}
	p.cond = sync.NewCond(&p.mu)
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.release()
		p.sever()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() { p.forward(c) })
	}
}

func (p *proxy) forward(client net.Conn) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(proxySource)}}
	server, err := d.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	x := &pair{client, server}
	p.mu.Lock()
	cut := p.cut
	p.pairs[x] = struct{}{}
	p.mu.Unlock()
	if cut {
		x.close()
	}
	var copying sync.WaitGroup
	copying.Go(func() { p.copy(client, server); x.close() })
	copying.Go(func() { p.copy(server, client); x.close() })
	copying.Wait()
	p.mu.Lock()
	delete(p.pairs, x)
	p.mu.Unlock()
}

func (p *proxy) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for p.held {
			p.cond.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold keeps all connections open and lets nothing through.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
}

// release ends hold: what has waited goes through.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	p.cond.Broadcast()
}

// refuse closes all connections, and each new one, until allow.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.cut = true
	p.mu.Unlock()
	p.sever()
}

func (p *proxy) allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// sever closes all connections.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for x := range p.pairs {
		x.close()
	}
}
