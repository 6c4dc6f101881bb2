// Package hubclient speaks the admin API of single hubs for the operator:
// what a hub has to do, drain, undrain, and how the hub is.
package hubclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chenxilol/gohub/pkg/api"
)

const (
	// DefaultTimeout bounds a call of a Client made without a timeout.
	DefaultTimeout = 3 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes; those of a hub are
	// under 1 KiB.
	maxAnswer = 64 << 10
	// pathHealth is not part of the admin API and needs no key.
	pathHealth = "/health"
)

// Options configure a Client.
type Options struct {
	// Timeout bounds each call, connecting included; 0 is DefaultTimeout.
	Timeout time.Duration
	// TLS is for hubs whose URL is https; nil verifies them with the system's
	// authorities. The certificate of a hub that is called by its address hardly
	// names it, so ServerName is to be set.
	TLS *tls.Config
}

// Client calls hubs. It keeps at most one idle connection to each, for a minute.
// All methods may be called at the same time, and return an *Error.
type Client struct {
	http    *http.Client
	timeout time.Duration
}

// New returns a client. Nothing is connected before a call. Proxies of the
// environment are not used: pods are near.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{
		timeout: o.Timeout,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
				TLSClientConfig:     o.TLS.Clone(),
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     time.Minute,
				// An answer is one small object.
				DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			},
			// A hub never redirects, and the key is for it alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Hub is where one hub's admin API is, and the key to it. It prints without
// the key.
type Hub struct {
	URL string // scheme://host:port, see PodURL
	Key string // sent as "Authorization: Bearer <key>"
}

// String returns the URL.
func (h Hub) String() string { return h.URL }

// GoString returns the URL.
func (h Hub) GoString() string { return h.URL }

// WithKeys calls a hub with each key in turn until one is not refused: hubs that
// have not been updated yet have the key of before. Without keys the error is
// ErrUnauthorized.
func WithKeys(url string, keys []string, call func(Hub) error) error {
	var err error = &Error{URL: url, Kind: ErrUnauthorized}
	for _, key := range keys {
		if err = call(Hub{URL: url, Key: key}); !errors.Is(err, ErrUnauthorized) {
			return err
		}
	}
	return err
}

// PodURL returns the URL of a pod's admin API: its address, IPv4 or IPv6, and
// the port of the API. secure is for hubs that speak TLS there.
func PodURL(address string, port int32, secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(address, strconv.Itoa(int(port)))
}

// Stats returns what the hub has to do.
func (c *Client) Stats(ctx context.Context, h Hub) (api.Stats, error) {
	var s api.Stats
	err := c.call(ctx, h, http.MethodGet, api.PathStats, nil, &s, func() bool { return s.Node != "" && s.Clients >= 0 })
	return s, err
}

// Drain are the settings of a drain; 0 is none, not the hub's own setting.
type Drain struct {
	Delay   time.Duration // not ready, but connections are still taken
	Window  time.Duration // over which the clients are sent away
	Timeout time.Duration // bounds all of it; not less than both together
}

// Drain makes the hub send its clients away, and returns it as that begins: not
// ready any more. A hub that drains already goes on as it does.
func (c *Client) Drain(ctx context.Context, h Hub, d Drain) (api.Node, error) {
	body := api.DrainRequest{Delay: d.Delay.String(), Window: d.Window.String(), Timeout: d.Timeout.String()}
	return c.node(ctx, h, api.PathDrain, body)
}

// Undrain makes the hub take clients again. A hub that does not drain stays as
// it is; ErrStopping is one whose process ends.
func (c *Client) Undrain(ctx context.Context, h Hub) (api.Node, error) {
	return c.node(ctx, h, api.PathUndrain, nil)
}

func (c *Client) node(ctx context.Context, h Hub, path string, body any) (api.Node, error) {
	var n api.Node
	err := c.call(ctx, h, http.MethodPost, path, body, &n, func() bool { return n.ID != "" })
	return n, err
}

// Health is how a hub and what it depends on are.
type Health struct {
	Status  string            `json:"status"` // "ok" or "degraded"
	Node    string            `json:"node"`
	Version string            `json:"version"`
	Checks  map[string]string `json:"checks"` // bus: "ok" or "away", or "noop" for none; cluster and auth: "ok" or what is missing
}

// Health asks how the hub is. It needs no key.
func (c *Client) Health(ctx context.Context, h Hub) (Health, error) {
	var x Health
	err := c.call(ctx, h, http.MethodGet, pathHealth, nil, &x, func() bool { return x.Status != "" })
	return x, err
}

// call sends a request and reads the answer into answer; valid tells whether
// that is a hub's. Fields that answer does not have are those of a newer hub.
func (c *Client) call(ctx context.Context, h Hub, method, path string, body, answer any, valid func() bool) error {
	fail := func(kind, cause error) error {
		return &Error{Call: method + " " + path, URL: h.URL, Kind: kind, Err: cause}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := newRequest(ctx, h, method, path, body)
	if err != nil {
		return fail(ErrRequest, err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fail(ErrUnreachable, withoutURL(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fail(ErrUnreachable, err)
	case len(data) > maxAnswer:
		return fail(ErrAnswer, fmt.Errorf("it is longer than %d bytes", maxAnswer))
	case resp.StatusCode >= http.StatusMultipleChoices:
		e := &Error{Call: method + " " + path, URL: h.URL, Kind: kindOf(resp.StatusCode), Status: resp.StatusCode}
		if json.Unmarshal(data, &e.Answer) != nil {
			e.Answer = api.Error{} // a gateway's page, for one
		}
		return e
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fail(ErrAnswer, errors.New("it is not the JSON object of a hub"))
	}
	if !valid() {
		return fail(ErrAnswer, errors.New("it lacks what a hub says"))
	}
	return nil
}

func newRequest(ctx context.Context, h Hub, method, path string, body any) (*http.Request, error) {
	if strings.ContainsAny(h.Key, "\r\n") {
		return nil, errors.New("the key holds a line end")
	}
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the body: %w", err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, h.URL+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if h.Key != "" {
		r.Header.Set("Authorization", "Bearer "+h.Key)
	}
	return r, nil
}
