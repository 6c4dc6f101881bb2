package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/page"
)

var sample = page.Stats{
	Clients: 3, Rooms: 2, MessagesReceived: 40, MessagesSent: 1 << 60,
	Node: "node-a", Version: "v1.2.3", UptimeSeconds: 61,
}

func handler() http.Handler {
	return page.Handler(func() page.Stats { return sample })
}

func request(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, target string) string {
	t.Helper()
	resp := request(handler(), http.MethodGet, target)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %d, want 200", target, resp.StatusCode)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read %s: %v", target, err)
	}
	return string(text)
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/page/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/page/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/page/icon.svg", 200, "image/svg+xml"},
		{"GET", "/page/stats", 200, "application/json"},
		{"POST", "/", 405, ""},
		{"POST", "/page/stats", 405, ""},
		{"DELETE", "/page/app.js", 405, ""},
		{"GET", "/index.html", 404, ""},
		{"GET", "/page/", 404, ""},
		{"GET", "/page/index.html", 404, ""},
		{"GET", "/page/nothing.js", 404, ""},
		{"GET", "/page/page.go", 404, ""},
		{"GET", "/ws", 404, ""},
	}
	for _, tt := range tests {
		resp := request(handler(), tt.method, tt.path)
		if resp.StatusCode != tt.status {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.path, resp.StatusCode, tt.status)
		}
		if got := resp.Header.Get("Content-Type"); tt.contentType != "" && got != tt.contentType {
			t.Errorf("%s %s: Content-Type %q, want %q", tt.method, tt.path, got, tt.contentType)
		}
		if got := resp.Header.Get("Allow"); tt.status == 405 && !strings.Contains(got, "GET") {
			t.Errorf("%s %s: Allow %q does not name GET", tt.method, tt.path, got)
		}
	}
}

func TestSecurityHeadersOnEveryAnswer(t *testing.T) {
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	for _, target := range []string{"/", "/page/app.js", "/page/stats", "/nowhere"} {
		resp := request(handler(), http.MethodGet, target)
		for name, value := range want {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("GET %s: %s is %q, want %q", target, name, got, value)
			}
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
			"require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			if !slices.Contains(strings.Split(policy, "; "), directive) {
				t.Errorf("GET %s: policy %q lacks %q", target, policy, directive)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("GET %s: policy %q allows something unsafe", target, policy)
		}
	}
}

func TestPolicyNamesOnlyPlainHosts(t *testing.T) {
	tests := []struct{ host, connect string }{
		{"localhost:8080", "connect-src 'self' ws://localhost:8080 wss://localhost:8080"},
		{"hub.example.org", "connect-src 'self' ws://hub.example.org wss://hub.example.org"},
		{"192.0.2.7:80", "connect-src 'self' ws://192.0.2.7:80 wss://192.0.2.7:80"},
		{"[2001:db8::1]:8080", "connect-src 'self'"},
		{"", "connect-src 'self'"},
		{"*", "connect-src 'self'"},
		{"*.example.org", "connect-src 'self'"},
		{"a;script-src *", "connect-src 'self'"},
		{"a ws://b", "connect-src 'self'"},
		{"a,b", "connect-src 'self'"},
		{"a\n", "connect-src 'self'"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		handler().ServeHTTP(w, r)
		policy := w.Result().Header.Get("Content-Security-Policy")
		var got string
		for directive := range strings.SplitSeq(policy, "; ") {
			if strings.HasPrefix(directive, "connect-src ") {
				got = directive
			}
		}
		if got != tt.connect {
			t.Errorf("host %q: %q, want %q", tt.host, got, tt.connect)
		}
		if strings.Count(policy, "script-src") != 1 {
			t.Errorf("host %q added to the policy: %q", tt.host, policy)
		}
	}
}

func TestUnchangedAssetIsNotSentAgain(t *testing.T) {
	for _, target := range []string{"/", "/page/app.js", "/page/style.css", "/page/icon.svg"} {
		first := request(handler(), http.MethodGet, target)
		etag := first.Header.Get("ETag")
		if etag == "" || first.Header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("GET %s: ETag %q, Cache-Control %q", target, etag, first.Header.Get("Cache-Control"))
		}
		if again := request(handler(), http.MethodGet, target, "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
			t.Errorf("GET %s with its ETag = %d, want 304", target, again.StatusCode)
		}
		if other := request(handler(), http.MethodGet, target, "If-None-Match", `"other"`); other.StatusCode != http.StatusOK {
			t.Errorf("GET %s with another ETag = %d, want 200", target, other.StatusCode)
		}
	}
}

func TestWithoutStats(t *testing.T) {
	h := page.Handler(nil)
	if resp := request(h, http.MethodGet, "/page/stats"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET /page/stats = %d, want 404", resp.StatusCode)
	}
	if resp := request(h, http.MethodGet, "/"); resp.StatusCode != http.StatusOK {
		t.Errorf("GET / = %d, want 200", resp.StatusCode)
	}
}

var (
	loaded   = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
	imported = regexp.MustCompile(`(?m)^import .* from "\./([^"]+)";$`)
	external = regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+(\.[a-z0-9-]+)+`)
	inline   = regexp.MustCompile(`(?i)<style|<script(\s+type="module")?\s*>|\sstyle=|\son[a-z]+=|javascript:`)
	sink     = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\("style"`)
)

// files returns every path the page loads, itself first: what index.html
// names, and what those scripts import.
func files(t *testing.T) []string {
	t.Helper()
	paths := []string{"/"}
	for i := 0; i < len(paths); i++ {
		text := body(t, paths[i])
		var found []string
		if paths[i] == "/" {
			for _, m := range loaded.FindAllStringSubmatch(text, -1) {
				found = append(found, m[1])
			}
		}
		for _, m := range imported.FindAllStringSubmatch(text, -1) {
			found = append(found, "/page/"+m[1])
		}
		for _, p := range found {
			if !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	paths := files(t)
	if len(paths) < 5 {
		t.Fatalf("the page loads only %q: the search for its files is broken", paths)
	}
	for _, p := range paths {
		// A namespace is a name; no browser fetches it.
		text := strings.ReplaceAll(body(t, p), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := external.FindString(text); found != "" {
			t.Errorf("%s refers to %q", p, found)
		}
	}
}

// Each script in one round trip: what is imported is also preloaded.
func TestImportsArePreloaded(t *testing.T) {
	index := body(t, "/")
	for _, p := range files(t) {
		if strings.HasSuffix(p, ".js") && !strings.Contains(index, `"`+p+`"`) {
			t.Errorf("index.html does not preload %s", p)
		}
	}
}

func TestPageKeepsItsPolicy(t *testing.T) {
	for _, p := range files(t) {
		text := body(t, p)
		if found := inline.FindString(text); found != "" && !strings.HasSuffix(p, ".js") {
			t.Errorf("%s has inline script or style: %q", p, found)
		}
		if found := sink.FindString(text); found != "" {
			t.Errorf("%s uses %q: text from others must stay text", p, found)
		}
	}
}

// The ids scripts look up exist, and the names browser tests rely on stay.
func TestElementsExist(t *testing.T) {
	index := body(t, "/")
	lookup := regexp.MustCompile(`byId\("([^"]+)"\)`)
	for _, p := range files(t) {
		for _, m := range lookup.FindAllStringSubmatch(body(t, p), -1) {
			if strings.Count(index, ` id="`+m[1]+`"`) != 1 {
				t.Errorf("%s looks for #%s, which is not in index.html once", p, m[1])
			}
		}
	}
	for _, name := range []string{
		"state", "node", "client-id", "room-input", "join-button", "leave-button", "rooms", "room-name",
		"message-input", "send-button", "messages", "members", "member-count", "latency", "latency-p50",
		"stats-clients", "hubs", "hub-count", "crossing-out", "crossing-in", "token-input", "connect-button", "disconnect-button", "burst-button", "frames", "banner",
	} {
		if !strings.Contains(index, `id="`+name+`" data-testid="`+name+`"`) {
			t.Errorf("index.html lost the test id %q", name)
		}
	}
}
