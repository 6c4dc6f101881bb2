package hubclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
	"github.com/chenxilol/gohub/test/certs"
)

const key = "operators-key-3f9c"

func newClient(t *testing.T, o hubclient.Options) *hubclient.Client {
	t.Helper()
	o.Timeout = hubtest.Timeout
	c := hubclient.New(o)
	t.Cleanup(c.Close)
	return c
}

func TestDrainAndUndrain(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{APIKey: key, NodeID: "hub-1", Drain: server.Drain{Delay: time.Hour, Window: time.Hour, Timeout: 2 * time.Hour}})
	user := srv.Dial(t)
	c := newClient(t, hubclient.Options{})
	hub := hubclient.Hub{URL: srv.URL("http"), Key: key}

	stats, err := c.Stats(t.Context(), hub)
	if err != nil || stats.Node != "hub-1" || stats.Clients != 1 || stats.Draining {
		t.Errorf("stats %+v, %v; want 1 client of hub-1", stats, err)
	}
	health, err := c.Health(t.Context(), hub)
	if err != nil || health.Status != "ok" || health.Node != "hub-1" || health.Checks["bus"] != "noop" {
		t.Errorf("health %+v, %v", health, err)
	}
	for range 2 { // as often as wanted
		node, err := c.Drain(t.Context(), hub, hubclient.Drain{Delay: time.Minute, Window: 90 * time.Second, Timeout: 3 * time.Minute})
		if err != nil || node.ID != "hub-1" || !node.Draining {
			t.Fatalf("drain: %+v, %v", node, err)
		}
	}
	if stats, err = c.Stats(t.Context(), hub); err != nil || !stats.Draining {
		t.Errorf("stats %+v, %v; want draining", stats, err)
	}
	for range 2 {
		node, err := c.Undrain(t.Context(), hub)
		if err != nil || node.ID != "hub-1" || node.Draining {
			t.Fatalf("undrain: %+v, %v", node, err)
		}
	}
	user.Request("ping", nil) // it was never sent away
	// The settings count, not the hub's own: 0 is at once.
	if _, err := c.Drain(t.Context(), hub, hubclient.Drain{}); err != nil {
		t.Fatal(err)
	}
	if code, _ := user.ExpectClose(); code != 1012 {
		t.Errorf("closed with %d, want 1012", code)
	}
}

func TestErrors(t *testing.T) {
	open := hubtest.NewServer(t, &server.Options{APIKey: key})
	off := hubtest.NewServer(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + ln.Addr().String()
	ln.Close()
	foreign := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", open.URL("http")+"/api/v1/stats")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, c := range []struct {
		name   string
		hub    hubclient.Hub
		want   error
		status int
		text   string
	}{
		{"wrong key", hubclient.Hub{URL: open.URL("http"), Key: key + "x"}, hubclient.ErrUnauthorized, 401, "the key is wrong"},
		{"no key", hubclient.Hub{URL: open.URL("http")}, hubclient.ErrUnauthorized, 401, "a key or token is needed"},
		{"API off", hubclient.Hub{URL: off.URL("http"), Key: key}, hubclient.ErrOff, 404, "status 404"},
		{"gone", hubclient.Hub{URL: gone, Key: key}, hubclient.ErrUnreachable, 0, "connection refused"},
		{"TLS to a plain hub", hubclient.Hub{URL: open.URL("https"), Key: key}, hubclient.ErrUnreachable, 0, "HTTP response to HTTPS"},
		{"stopping", hubclient.Hub{URL: foreign(409, `{"code":1003,"message":"the hub is stopping"}`), Key: key}, hubclient.ErrStopping, 409, "stopping"},
		{"forbidden", hubclient.Hub{URL: foreign(403, `{"code":2001,"message":"no"}`), Key: key}, hubclient.ErrUnauthorized, 403, `"no"`},
		{"failed", hubclient.Hub{URL: foreign(502, `<html>`), Key: key}, hubclient.ErrRefused, 502, "status 502"},
		{"redirect", hubclient.Hub{URL: foreign(307, ``), Key: key}, hubclient.ErrRefused, 307, "status 307"},
		{"no JSON", hubclient.Hub{URL: foreign(200, `hello`), Key: key}, hubclient.ErrAnswer, 0, "JSON object"},
		{"another program", hubclient.Hub{URL: foreign(200, `{"clients":3}`), Key: key}, hubclient.ErrAnswer, 0, "lacks"},
		{"impossible", hubclient.Hub{URL: foreign(200, `{"node":"a","clients":-3}`), Key: key}, hubclient.ErrAnswer, 0, "lacks"},
		{"endless", hubclient.Hub{URL: foreign(200, strings.Repeat(" ", 1<<17)), Key: key}, hubclient.ErrAnswer, 0, "longer than"},
		{"bad URL", hubclient.Hub{URL: "http://[::1", Key: key}, hubclient.ErrRequest, 0, "missing ']'"},
		{"bad key", hubclient.Hub{URL: open.URL("http"), Key: key + "\n"}, hubclient.ErrRequest, 0, "line end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := newClient(t, hubclient.Options{})
			_, err := client.Stats(t.Context(), c.hub)
			e, ok := errors.AsType[*hubclient.Error](err)
			if !ok || !errors.Is(err, c.want) || e.Status != c.status || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v, status %d, %q", err, c.want, c.status, c.text)
			}
			if err != nil && strings.Contains(err.Error(), key) {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}

// TestRefusedDrain checks that the hub's words reach the caller.
func TestRefusedDrain(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{APIKey: key})
	c := newClient(t, hubclient.Options{})
	_, err := c.Drain(t.Context(), hubclient.Hub{URL: srv.URL("http"), Key: key}, hubclient.Drain{Window: 2 * time.Second, Timeout: time.Second})
	e, ok := errors.AsType[*hubclient.Error](err)
	if !ok || e.Kind != hubclient.ErrRefused || e.Status != 400 || !strings.Contains(e.Answer.Message, "timeout (1s)") {
		t.Errorf("got %v, want 400 with the hub's reason", err)
	}
}

func TestTLS(t *testing.T) {
	files := certs.New(t)
	srv := hubtest.NewServer(t, &server.Options{APIKey: key, TLS: server.TLSFiles{CertFile: files.Cert, KeyFile: files.Key}})
	pem, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	hub := hubclient.Hub{URL: srv.URL("https"), Key: key}
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"by address", &tls.Config{RootCAs: pool}, true},
		{"by name", &tls.Config{RootCAs: pool, ServerName: "localhost"}, true},
		{"another name", &tls.Config{RootCAs: pool, ServerName: "elsewhere"}, false},
		{"unknown authority", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newClient(t, hubclient.Options{TLS: c.tls}).Stats(t.Context(), hub)
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, hubclient.ErrUnreachable) {
				t.Errorf("got %v, want ok %v", err, c.ok)
			}
		})
	}
}

// TestTimeout checks that a hub that never answers holds a call no longer than
// the timeout, and one whose caller gives up no longer than that.
func TestTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	hub := hubclient.Hub{URL: "http://" + ln.Addr().String(), Key: key}
	short := hubclient.New(hubclient.Options{Timeout: 20 * time.Millisecond})
	defer short.Close()
	if _, err := short.Stats(t.Context(), hub); !errors.Is(err, hubclient.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newClient(t, hubclient.Options{}).Stats(ctx, hub); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestHubPrintsWithoutItsKey(t *testing.T) {
	hub := hubclient.Hub{URL: "http://10.0.0.1:8081", Key: key}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(format, hub); strings.Contains(got, key) || !strings.Contains(got, "10.0.0.1") {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

func TestPodURL(t *testing.T) {
	for want, got := range map[string]string{
		"http://10.0.0.1:8081":   hubclient.PodURL("10.0.0.1", 8081, false),
		"https://[fd00::1]:8081": hubclient.PodURL("fd00::1", 8081, true),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWithKeys(t *testing.T) {
	srv := hubtest.NewServer(t, &server.Options{APIKey: key})
	c := newClient(t, hubclient.Options{})
	for _, test := range []struct {
		name  string
		keys  []string
		calls int
		want  error
	}{
		{"the newest", []string{key, "old"}, 1, nil},
		{"the one before", []string{"new", key}, 2, nil},
		{"none of them", []string{"new", "old"}, 2, hubclient.ErrUnauthorized},
		{"no key", nil, 0, hubclient.ErrUnauthorized},
	} {
		calls := 0
		err := hubclient.WithKeys(srv.URL("http"), test.keys, func(h hubclient.Hub) error {
			calls++
			_, err := c.Stats(t.Context(), h)
			return err
		})
		if calls != test.calls || !errors.Is(err, test.want) {
			t.Errorf("%s: %d calls, %v; want %d, %v", test.name, calls, err, test.calls, test.want)
		}
	}
	away := &hubclient.Error{Kind: hubclient.ErrUnreachable}
	calls := 0
	if err := hubclient.WithKeys("x", []string{"a", "b"}, func(hubclient.Hub) error { calls++; return away }); err != away || calls != 1 {
		t.Errorf("a hub that is away was called %d times: %v", calls, err)
	}
}
