package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// subprotocol is what makes a hub send notices.
	subprotocol = "gohub.v1"

	readBuffer  = 1 << 10
	writeBuffer = 4 << 10
	maxRefusal  = 1 << 10 // bytes read of the body of a refusal
	// maxRetryAfter bounds what a server may ask a client to wait.
	maxRetryAfter = 10 * time.Minute
)

// connect makes one connection.
func (c *Client) connect(ctx context.Context) (*wire, error) {
	token, err := c.getToken(ctx)
	if err != nil {
		return nil, err
	}
	c.setToken(token)
	header := c.opts.Header.Clone()
	if token != "" {
		if header == nil {
			header = http.Header{}
		}
		header.Set("Authorization", "Bearer "+token)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer cancel()
	w := newWire(&c.opts, token)
	ws, resp, err := c.dialer(ctx, w).DialContext(ctx, c.addresses[c.address], header)
	if err != nil {
		w.close()
		return nil, dialError(ctx, resp, err)
	}
	w.ws = ws
	ws.SetReadLimit(int64(c.opts.MaxMessageSize))
	if err := w.greet(); err != nil {
		w.close()
		if cause := ctx.Err(); cause != nil {
			return nil, fmt.Errorf("wait for the hub's first message: %w", cause)
		}
		return nil, err
	}
	if !w.stopWatching() {
		return nil, fmt.Errorf("connect: %w", ctx.Err())
	}
	c.attempts.connected()
	return w, nil
}

// dialer returns a dialer whose connection becomes w's at once, so that it ends
// with ctx even in the midst of a handshake.
func (c *Client) dialer(ctx context.Context, w *wire) *websocket.Dialer {
	d := &websocket.Dialer{
		TLSClientConfig: c.opts.TLS,
		ReadBufferSize:  readBuffer, WriteBufferSize: writeBuffer, WriteBufferPool: c.opts.WriteBuffers,
		Subprotocols: []string{subprotocol}, EnableCompression: c.opts.Compression,
	}
	open := c.opts.DialContext
	if open == nil {
		open = new(net.Dialer).DialContext
		d.Proxy = http.ProxyFromEnvironment
	}
	d.NetDialContext = func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.own(ctx, conn)
		return conn, nil
	}
	return d
}

// dialError says why a handshake failed.
func dialError(ctx context.Context, resp *http.Response, err error) error {
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return fmt.Errorf("%w: its handshake is wrong", ErrNotHub)
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // read already
		return &RefusedError{
			Status: resp.StatusCode, Err: decodeError(body),
			RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		}
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("connect: %w", cause)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) { // the connection has ctx's deadline, and was quicker
		return fmt.Errorf("connect: %w", context.DeadlineExceeded)
	}
	return fmt.Errorf("connect: %w", err)
}

// retryAfter reads the header field of that name (RFC 9110, section 10.2.3):
// seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// welcome is what the hub says first.
type welcome struct {
	ID             string `json:"client_id"`
	Node           string `json:"node"`
	ReadTimeoutMS  int64  `json:"read_timeout_ms"`
	MaxMessageSize int    `json:"max_message_size"`
}

// readTimeout is how long the hub keeps a silent connection at most.
func (w welcome) readTimeout() time.Duration {
	const usual, most = time.Minute, time.Hour
	d := time.Duration(min(w.ReadTimeoutMS, most.Milliseconds())) * time.Millisecond
	if d <= 0 {
		return usual
	}
	return d
}
