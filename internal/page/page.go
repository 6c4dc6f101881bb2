// Package page is the page a hub shows at "/": a small client to join rooms,
// chat, see members and watch latency. Everything is embedded; the page makes
// no request to any other host.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// Stats are the live numbers of one node, as GET /page/stats returns them.
// The counters only grow while the node lives; the page derives rates.
type Stats struct {
	Clients          int    `json:"clients"`           // connections open now
	Rooms            int    `json:"rooms"`             // rooms that exist now
	MessagesReceived uint64 `json:"messages_received"` // from clients, since the start
	MessagesSent     uint64 `json:"messages_sent"`     // to clients, since the start
	Node             string `json:"node"`              // the node's id
	Version          string `json:"version"`           // the hub's version
	UptimeSeconds    int64  `json:"uptime_s"`          // whole seconds since the start
}

// Handler serves the page at "/", its assets under "/page/" and the live
// numbers at "/page/stats". Every other path is 404 and every method but GET
// and HEAD is 405. stats is called once a request and must be safe for
// concurrent use; with a nil stats "/page/stats" is 404 and the page leaves
// the numbers out. The handler asks for no credentials: whoever may load the
// page may read the numbers.
func Handler(stats func() Stats) http.Handler {
	mux := http.NewServeMux()
	for route, asset := range loadAssets() {
		mux.Handle("GET "+route, asset)
	}
	if stats != nil {
		mux.HandleFunc("GET /page/stats", func(w http.ResponseWriter, _ *http.Request) {
			serveStats(w, stats())
		})
	}
	return secured(mux)
}

func serveStats(w http.ResponseWriter, stats Stats) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// A failed write means the reader has gone: there is nobody to tell.
	_ = json.NewEncoder(w).Encode(stats)
}

// asset is one embedded file and what its responses say about it.
type asset struct {
	name        string
	contentType string
	etag        string
	body        []byte
}

// ServeHTTP answers with the file, or 304 to a client that has it. Browsers
// ask again on each load (no-cache), so a new hub never runs with old scripts.
func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", a.etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}

// loadAssets maps each route to its embedded file: index.html to "/" alone,
// any other file to "/page/" and its name.
func loadAssets() map[string]asset {
	assets := make(map[string]asset)
	names, _ := fs.Glob(static, "static/*") // the only error is a bad pattern
	for _, file := range names {
		body, err := static.ReadFile(file)
		if err != nil {
			continue // a folder: there is none, and none would be served
		}
		sum := sha256.Sum256(body)
		name := path.Base(file)
		route := "/page/" + name
		if name == "index.html" {
			route = "/{$}"
		}
		assets[route] = asset{
			name:        name,
			contentType: contentType(name),
			etag:        `"` + hex.EncodeToString(sum[:8]) + `"`,
			body:        body,
		}
	}
	return assets
}

// contentType does not ask the system's MIME tables: they differ between
// machines, and nosniff makes a wrong answer fatal for scripts.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

// secured sets the headers every answer carries, refusals included. The two
// cross-origin headers isolate the page, which makes the browser's clock fine
// enough (5 us instead of 100 us in Chromium) for sub-millisecond latencies.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy(r.Host))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// plainHost is what a policy may quote: the host-source grammar of CSP3
// section 2.3.1, which has no IPv6 literals. It also keeps a crafted Host
// header from adding directives.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?$`)

// contentSecurityPolicy allows the page's own files and its own websocket. In
// CSP3 'self' covers ws and wss of the same origin; older browsers (Safari
// before 15.4) need the host by name, so a plain host is named as well.
func contentSecurityPolicy(host string) string {
	connect := "connect-src 'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		connect,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		// Makes innerHTML and its kin throw: text from others stays text.
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}
