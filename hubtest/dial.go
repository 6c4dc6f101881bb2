package hubtest

import (
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/gorilla/websocket"
)

// Option changes how a client connects.
type Option func(*dial)

type dial struct {
	dialer websocket.Dialer
	header http.Header
	query  url.Values
	scheme string
}

// Token makes the client send a token in its Authorization header.
func Token(token string) Option {
	return func(d *dial) { d.header.Set("Authorization", "Bearer "+token) }
}

// ID makes the client ask for an id (with Options.EnableQueryClientID).
func ID(id string) Option { return Query("client_id", id) }

// Query adds a query parameter.
func Query(key, value string) Option { return func(d *dial) { d.query.Add(key, value) } }

// Header adds a header field.
func Header(key, value string) Option { return func(d *dial) { d.header.Add(key, value) } }

// Subprotocols makes the client offer subprotocols; gohub.v1 brings notices.
func Subprotocols(names ...string) Option {
	return func(d *dial) { d.dialer.Subprotocols = names }
}

// Compressed makes the client offer permessage-deflate.
func Compressed() Option { return func(d *dial) { d.dialer.EnableCompression = true } }

// Dialer lets f change the dialer, and scheme ("ws" or "wss") the URL.
func Dialer(scheme string, f func(*websocket.Dialer)) Option {
	return func(d *dial) { d.scheme = scheme; f(&d.dialer) }
}

// TryDial connects, or returns the response that refused it.
func (s *Server) TryDial(t testing.TB, opts ...Option) (*Client, *http.Response, error) {
	t.Helper()
	d := dial{header: http.Header{}, query: url.Values{}, scheme: "ws"}
	d.dialer.HandshakeTimeout = Timeout
	d.dialer.NetDialContext = (&net.Dialer{}).DialContext
	for _, o := range opts {
		o(&d)
	}
	address := s.URL(d.scheme) + "/ws"
	if len(d.query) > 0 {
		address += "?" + d.query.Encode()
	}
	conn, resp, err := d.dialer.Dial(address, d.header)
	if err != nil {
		return nil, resp, err
	}
	c := &Client{t: t, conn: conn, in: inbox{more: make(chan struct{}, 1)}}
	go c.read()
	t.Cleanup(func() { _ = conn.Close() })
	return c, resp, nil
}

// Dial connects.
func (s *Server) Dial(t testing.TB, opts ...Option) *Client {
	t.Helper()
	c, resp, err := s.TryDial(t, opts...)
	if err != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		t.Fatalf("hubtest: dial: %v (status %d)", err, status)
	}
	return c
}
