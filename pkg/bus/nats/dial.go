package nats

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"

	"github.com/nats-io/nats.go"
)

// dialer opens connections that end with the bus.
type dialer struct{ b *Bus }

// Dial tries the addresses of a host in random order, so that hubs spread over
// the servers behind one name.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", address, err)
	}
	ctx, cancel := context.WithTimeout(d.b.life, 2*dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	var conn net.Conn
	for _, a := range addresses {
		dialer := net.Dialer{Timeout: dialTimeout}
		if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(a, port)); err == nil {
			return d.b.track(conn), nil
		}
	}
	return nil, err
}

// inProcess connects to a server in this process.
type inProcess struct {
	server nats.InProcessConnProvider
	b      *Bus
}

func (p inProcess) InProcessConn() (net.Conn, error) {
	conn, err := p.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	return p.b.track(conn), nil
}

// strictConn is closed by the first write that fails. The library goes on after
// a write that timed out before its first byte, and has lost what it was to
// send.
type strictConn struct {
	net.Conn
	untrack func() bool
}

// track makes conn strict, and has it closed when the life of the bus ends.
func (b *Bus) track(conn net.Conn) net.Conn {
	return &strictConn{Conn: conn, untrack: context.AfterFunc(b.life, func() { _ = conn.Close() })}
}

func (c *strictConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *strictConn) Close() error {
	c.untrack()
	return c.Conn.Close()
}

// servers are those to try next: the configured ones, and those which the last
// server has told of. With TLS the latter are left out unless there is one name
// for all, as they come as addresses that no certificate need hold.
func (b *Bus) servers(discovered []string) []string {
	all := append([]string(nil), b.cfg.URLs...)
	if b.opts.Secure && b.cfg.TLS.ServerName == "" {
		return all
	}
	var user *url.Userinfo
	for _, text := range b.cfg.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil: // host:port
		case u.Scheme == "tls" || u.Scheme == "wss":
			return all
		case user == nil:
			user = u.User
		}
	}
	for _, text := range discovered {
		if u, err := url.Parse(text); err == nil {
			u.User = user
			all = append(all, u.String())
		}
	}
	return all
}
