package page_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/internal/page"
)

// clustered are the numbers of the second of three hubs on one machine, and of
// one elsewhere.
var clustered = page.Stats{
	Node: "hub-2", BusSent: 7, BusReceived: 8,
	Nodes: []page.Node{
		{ID: "hub-1", Connections: 1, Rooms: 2, Ready: true, Draining: true, Address: "127.0.0.1:8081"},
		{ID: "hub-2", Ready: true, Address: "127.0.0.1:8082"},
		{ID: "hub-3", Silent: true, Address: "[::1]:8083"},
		{ID: "hub-4", Ready: true, Address: "192.0.2.4:8084"},
		{ID: "hub-5", Ready: true, Address: "[::]:8085"},
		{ID: "hub-6"},
	},
}

// get asks the second hub as a browser that has reached it as host.
func get(t *testing.T, target, host string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	page.Handler(func() page.Stats { return clustered }).ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), strings.TrimSpace(string(text))
}

func TestStats(t *testing.T) {
	resp := request(handler(), http.MethodGet, "/page/stats")
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clients":3,"rooms":2,"messages_received":40,"messages_sent":1152921504606846976,` +
		`"node":"node-a","version":"v1.2.3","uptime_s":61,"degraded":false,"bus_sent":0,"bus_received":0}`
	if got := strings.TrimSpace(string(text)); got != want {
		t.Errorf("stats are\n%s, want\n%s", got, want)
	}
	var back page.Stats
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, sample) {
		t.Errorf("stats read back as %+v, %v", back, err)
	}
}

func TestStatsOfACluster(t *testing.T) {
	_, text := get(t, "/page/stats", "localhost:8082")
	for _, want := range []string{
		`"bus_sent":7,"bus_received":8`,
		`{"id":"hub-1","connections":1,"rooms":2,"ready":true,"silent":false,"draining":true,"host":"localhost:8081"}`,
		`{"id":"hub-3","connections":0,"rooms":0,"ready":false,"silent":true,"draining":false,"host":"localhost:8083"}`,
		`{"id":"hub-4","connections":0,"rooms":0,"ready":true,"silent":false,"draining":false}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("stats are\n%s, want in them\n%s", text, want)
		}
	}
	if strings.Contains(text, "192.0.2.4") {
		t.Errorf("the address of a hub elsewhere is told: %s", text)
	}
}

// TestHosts: a way to another hub is named only where there is one for certain.
func TestHosts(t *testing.T) {
	for host, want := range map[string][]string{
		"localhost:8082":       {"localhost:8081", "localhost:8082", "localhost:8083", "", "", ""},
		"LOCALHOST":            {"LOCALHOST:8081", "LOCALHOST:8082", "LOCALHOST:8083", "", "", ""},
		"127.0.0.1:8082":       {"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083", "", "", ""},
		"[::1]:8082":           {"", "", "", "", "", ""}, // a policy cannot quote it
		"hub.example.org":      {"", "", "", "", "", ""},
		"192.0.2.2:8082":       {"", "", "", "", "", ""},
		"localhost.evil.test":  {"", "", "", "", "", ""},
		"localhost; img-src *": {"", "", "", "", "", ""},
		"":                     {"", "", "", "", "", ""},
	} {
		_, text := get(t, "/page/stats", host)
		var stats page.Stats
		if err := json.Unmarshal([]byte(text), &stats); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range stats.Nodes {
			got = append(got, n.Host)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("as %q the hubs are at %q, want %q", host, got, want)
		}
	}
}

// TestPolicyNamesTheHubs: of the page itself only, and in its ETag.
func TestPolicyNamesTheHubs(t *testing.T) {
	const own = "connect-src 'self' ws://localhost:8082 wss://localhost:8082"
	const others = " ws://localhost:8081 http://localhost:8081 ws://localhost:8083 http://localhost:8083"
	resp, _ := get(t, "/", "localhost:8082")
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "; "+own+others+"; ") {
		t.Errorf("the page's policy is %q", policy)
	}
	asset, _ := get(t, "/page/app.js", "localhost:8082")
	if policy := asset.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "; "+own+"; ") {
		t.Errorf("a script's policy is %q", policy)
	}
	etag := resp.Header.Get("ETag")
	if again, _ := get(t, "/", "localhost:8082", "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
		t.Errorf("with the same hubs: %d, want 304", again.StatusCode)
	}
	if other, _ := get(t, "/", "127.0.0.1:8082", "If-None-Match", etag); other.StatusCode != http.StatusOK {
		t.Errorf("with another policy: %d, want 200", other.StatusCode)
	}
}

// TestWhoMayReadTheNumbers: pages from loopback, on a hub that is there as well.
func TestWhoMayReadTheNumbers(t *testing.T) {
	for _, tt := range []struct {
		host, origin string
		want         bool
	}{
		{"localhost:8082", "http://localhost:8081", true},
		{"127.0.0.1:8082", "http://localhost:8081", true},
		{"localhost:8082", "https://[::1]:8081", true},
		{"[::1]:8082", "http://localhost:8081", true},
		{"localhost:8082", "", false},
		{"localhost:8082", "null", false},
		{"localhost:8082", "http://localhost.evil.test", false},
		{"localhost:8082", "http://evil.test", false},
		{"hub.example.org", "http://localhost:8081", false},
		{"192.0.2.2:8082", "http://192.0.2.2:8081", false},
	} {
		resp, _ := get(t, "/page/stats", tt.host, "Origin", tt.origin)
		got := resp.Header.Get("Access-Control-Allow-Origin")
		if (got != "") != tt.want || tt.want && got != tt.origin {
			t.Errorf("%q on %q: allowed %q, want %v", tt.origin, tt.host, got, tt.want)
		}
		if resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%q on %q: Vary %q", tt.origin, tt.host, resp.Header.Get("Vary"))
		}
	}
}
