// Package page is the page a hub shows at "/": a small client to join rooms,
// chat, see members and watch latency. Everything is embedded; the page makes
// no request to any other host.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// Handler serves the page at "/", its assets under "/page/" and the live
// numbers at "/page/stats". Every other path is 404 and every method but GET
// and HEAD is 405. stats is called once a request and must be safe for
// concurrent use; with a nil stats "/page/stats" is 404 and the page leaves
// the numbers out. The handler asks for no credentials: whoever may load the
// page may read the numbers.
func Handler(stats func() Stats) http.Handler {
	mux := http.NewServeMux()
	assets := loadAssets()
	index := assets[indexRoute]
	delete(assets, indexRoute)
	for route, asset := range assets {
		mux.Handle("GET "+route, asset)
	}
	mux.HandleFunc("GET "+indexRoute, func(w http.ResponseWriter, r *http.Request) {
		var nodes []Node
		if stats != nil {
			nodes = withHosts(r.Host, stats().Nodes)
		}
		serveIndex(w, r, index, nodes)
	})
	if stats != nil {
		mux.HandleFunc("GET /page/stats", func(w http.ResponseWriter, r *http.Request) {
			serveStats(w, r, stats())
		})
	}
	return secured(mux)
}

// serveIndex serves the page itself, which may go on with any of the nodes.
// The policy is part of the ETag: a 304 need not renew the one that a browser
// keeps.
func serveIndex(w http.ResponseWriter, r *http.Request, index asset, nodes []Node) {
	policy := contentSecurityPolicy(r.Host, nodes)
	w.Header().Set("Content-Security-Policy", policy)
	index.etag = etagOf(append([]byte(policy), index.body...))
	index.ServeHTTP(w, r)
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// indexRoute is where the page itself is.
const indexRoute = "/{$}"

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
		name := path.Base(file)
		route := "/page/" + name
		if name == "index.html" {
			route = indexRoute
		}
		assets[route] = asset{
			name:        name,
			contentType: contentType(name),
			etag:        etagOf(body),
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
		h.Set("Content-Security-Policy", contentSecurityPolicy(r.Host, nil))
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
// before 15.4) need the host by name, so a plain host is named as well. So are
// the hosts of other nodes, with their numbers; an insecure scheme stands for
// its secure form, too (CSP3 section 6.7.2.8).
func contentSecurityPolicy(host string, nodes []Node) string {
	connect := "connect-src 'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	for _, n := range nodes {
		if n.Host != "" && n.Host != host {
			connect += " ws://" + n.Host + " http://" + n.Host
		}
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
