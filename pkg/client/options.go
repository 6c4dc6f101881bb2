package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/chenxilol/gohub/pkg/hub"
)

// Options say how a client connects and what it is told. The zero value works
// where the hub asks for no token.
type Options struct {
	// Token returns the token (JWT) to connect with; nil connects without one.
	// It is asked before every connection, and before the token's exp for one
	// that renews it in place. It should return a new token whenever the last
	// one is about to expire. ctx has a time limit. A renewal may ask while the
	// connection is lost and a reconnect asks, too.
	Token func(ctx context.Context) (string, error)
	// ClientID is sent as the query parameter client_id, for hubs that take the
	// id from there. It does not count where there is a token.
	ClientID string
	// Header is sent with every handshake, besides what the protocol needs.
	Header http.Header

	// Alternatives are the addresses of other hubs of the same cluster: after a
	// failure the client goes on to the next one.
	Alternatives []string
	// RetryDial makes Dial try again, at the pace of Backoff, until its ctx ends
	// where a later try may succeed. Without it Dial tries each address once.
	RetryDial bool
	// Backoff is the pace of reconnecting.
	Backoff Backoff

	// HandshakeTimeout bounds each of: asking for a token, connecting, and the
	// websocket handshake with the hub's first message; 10 s by default.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long the hub may take nothing of a message before
	// the connection counts as lost; 10 s by default.
	WriteTimeout time.Duration
	// PingInterval is how long the hub may be silent before the client sends a
	// ping; after as long again the connection counts as lost. 25 s by default,
	// negative never. Hubs ping, too: below their interval it is the client
	// that pings.
	PingInterval time.Duration

	// MaxMessageSize is the size, in bytes after inflation, over which a message
	// of the hub ends the client with ErrTooLarge; 1 MiB by default.
	MaxMessageSize int
	// MaxPending is the number of calls that may be under way at once, waiting
	// for a connection, for their turn to write or for an answer; more fail
	// with ErrBusy. 1024 by default.
	MaxPending int
	// InboxBytes is how much may wait for handlers before the client stops
	// reading; 1 MiB by default. While calls wait for answers, as those of
	// handlers do, it is four times as much.
	InboxBytes int

	// Compression offers permessage-deflate (RFC 7692).
	Compression bool
	// TLS is used for wss addresses; nil means the defaults of crypto/tls.
	TLS *tls.Config
	// DialContext opens connections; nil means a net.Dialer, through the proxy
	// that the environment names (see http.ProxyFromEnvironment).
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// WriteBuffers holds buffers of 4 KiB that are in use only while a message
	// is written. Many clients of one process should share one pool; nil makes
	// one for this client.
	WriteBuffers *sync.Pool

	// OnRoomMessage gets the messages of rooms that were joined without a
	// handler of their own.
	OnRoomMessage func(ctx context.Context, m RoomMessage)
	// OnDirect gets direct messages.
	OnDirect func(ctx context.Context, m DirectMessage)
	// OnMessage gets messages of all other types, the server's own.
	OnMessage func(ctx context.Context, m Message)
	// OnFrame gets what is no message of the protocol: binary frames, and text
	// that is not a JSON object with a message_type.
	OnFrame func(ctx context.Context, f hub.Frame)
	// OnRequest answers a question of the hub (sdk.SDK.Request): what it returns
	// becomes the answer's data. An error becomes an error answer; only that of
	// a *hub.Error is told, any other is CodeServer without its text. Without
	// OnRequest the hub is told that the client cannot answer.
	OnRequest func(ctx context.Context, m Message) (data any, err error)
	// OnEvent gets all that happens besides: see Event.
	OnEvent func(ctx context.Context, e Event)
}

// Handler is called with the messages of a room.
type Handler = func(ctx context.Context, m RoomMessage)

// StaticToken returns a function for Options.Token that always returns token.
// The client ends when that token has expired.
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

const (
	defaultTimeout  = 10 * time.Second
	defaultPing     = 25 * time.Second
	defaultMaxBytes = 1 << 20
	defaultPending  = 1024
)

// complete fills in the defaults and checks what can be wrong.
func (o *Options) complete() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"HandshakeTimeout", &o.HandshakeTimeout, defaultTimeout},
		{"WriteTimeout", &o.WriteTimeout, defaultTimeout},
		{"Backoff.Min", &o.Backoff.Min, defaultBackoffMin},
		{"Backoff.Max", &o.Backoff.Max, max(defaultBackoffMax, o.Backoff.Min)},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
		if *d.value < 0 {
			return fmt.Errorf("%s is %v: it must be positive, or 0 for %v", d.name, *d.value, d.def)
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxMessageSize", &o.MaxMessageSize, defaultMaxBytes},
		{"MaxPending", &o.MaxPending, defaultPending},
		{"InboxBytes", &o.InboxBytes, defaultMaxBytes},
	} {
		if *n.value == 0 {
			*n.value = n.def
		}
		if *n.value < 0 {
			return fmt.Errorf("%s is %d: it must be positive, or 0 for %d", n.name, *n.value, n.def)
		}
	}
	if o.Backoff.Max < o.Backoff.Min {
		return fmt.Errorf("Backoff.Max is %v: it must not be below Backoff.Min, %v", o.Backoff.Max, o.Backoff.Min)
	}
	if o.PingInterval == 0 {
		o.PingInterval = defaultPing
	}
	if o.WriteBuffers == nil {
		o.WriteBuffers = new(sync.Pool)
	}
	return nil
}

// addresses returns what to connect to, with the id in its query.
func (o *Options) addresses(first string) ([]string, error) {
	var all []string
	for _, address := range append([]string{first}, o.Alternatives...) {
		u, err := url.Parse(address)
		if err != nil {
			// url.Error quotes the address, which may carry a token.
			return nil, fmt.Errorf("the hub's address is no URL")
		}
		switch u.Scheme {
		case "ws", "wss":
		case "http":
			u.Scheme = "ws"
		case "https":
			u.Scheme = "wss"
		default:
			return nil, fmt.Errorf("the hub's address has the scheme %q: allowed are ws, wss, http and https", u.Scheme)
		}
		if u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("the hub's address must have a host, and no user")
		}
		u.Fragment = ""
		if o.ClientID != "" {
			query := u.Query()
			query.Set("client_id", o.ClientID)
			u.RawQuery = query.Encode()
		}
		all = append(all, u.String())
	}
	return all, nil
}
