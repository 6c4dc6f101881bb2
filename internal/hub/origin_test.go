package hub

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestOriginAllowed(t *testing.T) {
	const host = "hub.example.com"
	for _, tt := range []struct {
		name    string
		origins []string
		host    string
		allowed []string
		want    bool
	}{
		{"a program", nil, host, nil, true},
		{"two", []string{"https://hub.example.com", "https://hub.example.com"}, host, []string{"*"}, false},
		{"empty", []string{""}, host, nil, false},
		{"null", []string{"null"}, host, nil, false},
		{"null, with other patterns", []string{"null"}, host, []string{"null", "https://*.example.com"}, false},
		{"null, anything goes", []string{"null"}, host, []string{"*"}, true},
		{"garbage", []string{"://"}, host, nil, false},
		{"no scheme", []string{"hub.example.com"}, host, nil, false},
		{"a file", []string{"file://"}, host, nil, false},

		{"same host", []string{"https://hub.example.com"}, host, nil, true},
		{"same host, upper case", []string{"https://HUB.Example.com"}, host, nil, true},
		{"same host and port", []string{"http://hub.example.com:8080"}, host + ":8080", nil, true},
		{"same host, another port", []string{"http://hub.example.com:8081"}, host + ":8080", nil, false},
		{"same host, no port", []string{"http://hub.example.com"}, host + ":8080", nil, false},
		{"same IPv6 host", []string{"http://[2001:db8::1]:8080"}, "[2001:db8::1]:8080", nil, true},
		{"another IPv6 host", []string{"http://[2001:db8::2]:8080"}, "[2001:db8::1]:8080", nil, false},
		{"the host as user", []string{"https://hub.example.com@evil.com"}, host, nil, false},
		{"a subdomain", []string{"https://a.hub.example.com"}, host, nil, false},
		{"a longer name", []string{"https://hub.example.com.evil.com"}, host, nil, false},

		{"localhost", []string{"http://localhost:3000"}, host, nil, true},
		{"LOCALHOST", []string{"http://LOCALHOST"}, host, nil, true},
		{"127.0.0.1", []string{"http://127.0.0.1:3000"}, host, nil, true},
		{"127.9.9.9", []string{"http://127.9.9.9"}, host, nil, true},
		{"::1", []string{"http://[::1]:3000"}, host, nil, true},
		{"mapped loopback", []string{"http://[::ffff:127.0.0.1]:3000"}, host, nil, true},
		{"localhost as a subdomain", []string{"http://localhost.evil.com"}, host, nil, false},
		{"a name that ends so", []string{"http://notlocalhost"}, host, nil, false},
		{"a private address", []string{"http://10.0.0.1"}, host, nil, false},

		{"allowed", []string{"https://app.com"}, host, []string{"https://app.com"}, true},
		{"the second one", []string{"https://app.com"}, host, []string{"https://a.com", "https://app.com"}, true},
		{"allowed, upper case", []string{"HTTPS://APP.com"}, host, []string{"https://App.COM"}, true},
		{"another scheme", []string{"http://app.com"}, host, []string{"https://app.com"}, false},
		{"another port", []string{"https://app.com:8443"}, host, []string{"https://app.com"}, false},
		{"with its port", []string{"https://app.com:8443"}, host, []string{"https://app.com:8443"}, true},
		{"IPv6 with its port", []string{"http://[2001:db8::9]:3000"}, host, []string{"http://[2001:DB8::9]:3000"}, true},
		{"a subdomain of what is allowed", []string{"https://x.app.com"}, host, []string{"https://app.com"}, false},
		{"a pattern without scheme", []string{"https://app.com"}, host, []string{"app.com"}, false},

		{"wildcard", []string{"https://x.app.com"}, host, []string{"https://*.app.com"}, true},
		{"wildcard, two levels", []string{"https://x.y.app.com"}, host, []string{"https://*.app.com"}, true},
		{"wildcard, upper case", []string{"https://X.APP.com"}, host, []string{"https://*.App.com"}, true},
		{"wildcard is no bare domain", []string{"https://app.com"}, host, []string{"https://*.app.com"}, false},
		{"wildcard ends at a dot", []string{"https://evilapp.com"}, host, []string{"https://*.app.com"}, false},
		{"wildcard, another scheme", []string{"http://x.app.com"}, host, []string{"https://*.app.com"}, false},
		{"wildcard, another port", []string{"https://x.app.com:8443"}, host, []string{"https://*.app.com"}, false},
		{"wildcard with port", []string{"https://x.app.com:8443"}, host, []string{"https://*.app.com:8443"}, true},
		{"wildcard, a longer name", []string{"https://x.app.com.evil.com"}, host, []string{"https://*.app.com"}, false},
		{"wildcard in the middle is none", []string{"https://a.x.com"}, host, []string{"https://a.*.com"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Host: tt.host, Header: http.Header{}}
			for _, o := range tt.origins {
				r.Header.Add("Origin", o)
			}
			if got := originAllowed(r, tt.allowed); got != tt.want {
				t.Errorf("%q on %s with %q: %v", tt.origins, tt.host, tt.allowed, got)
			}
		})
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8"),
	}
	for _, tt := range []struct {
		name    string
		peer    string
		forward []string // X-Forwarded-For, a header each
		trusted []netip.Prefix
		want    string
	}{
		{"directly", "192.0.2.1:5000", nil, trusted, "192.0.2.1:5000"},
		{"directly, IPv6", "[2001:db8::1]:5000", nil, trusted, "[2001:db8::1]:5000"},
		{"directly, mapped", "[::ffff:192.0.2.1]:5000", nil, trusted, "192.0.2.1:5000"},
		{"no proxy is trusted", "10.0.0.1:5000", []string{"192.0.2.1"}, nil, "10.0.0.1:5000"},
		{"a liar", "192.0.2.1:5000", []string{"198.51.100.1"}, trusted, "192.0.2.1:5000"},
		{"a proxy", "10.0.0.1:5000", []string{"192.0.2.1"}, trusted, "192.0.2.1:0"},
		{"a mapped proxy", "[::ffff:10.0.0.1]:5000", []string{"192.0.2.1"}, trusted, "192.0.2.1:0"},
		{"an IPv6 proxy", "[fd00::1]:5000", []string{"2001:db8::7"}, trusted, "[2001:db8::7]:0"},
		{"a proxy that says nothing", "10.0.0.1:5000", nil, trusted, "10.0.0.1:5000"},
		{"two proxies", "10.0.0.1:5000", []string{"192.0.2.1, 10.0.0.2"}, trusted, "192.0.2.1:0"},
		{"three proxies of two kinds", "127.0.0.1:5000", []string{"192.0.2.1,10.0.0.2 , fd00::3"}, trusted, "192.0.2.1:0"},
		{"a client that invents hops", "10.0.0.1:5000", []string{"198.51.100.1, 192.0.2.1"}, trusted, "192.0.2.1:0"},
		{"one that invents trusted hops", "10.0.0.1:5000", []string{"198.51.100.1, 10.0.0.9, 192.0.2.1, 10.0.0.2"}, trusted, "192.0.2.1:0"},
		{"several headers", "10.0.0.1:5000", []string{"198.51.100.1", "192.0.2.1", "10.0.0.2"}, trusted, "192.0.2.1:0"},
		{"all are trusted", "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, trusted, "10.0.0.3:0"},
		{"with a port", "10.0.0.1:5000", []string{"192.0.2.1:4711"}, trusted, "192.0.2.1:0"},
		{"IPv6 with a port", "10.0.0.1:5000", []string{"[2001:db8::7]:4711"}, trusted, "[2001:db8::7]:0"},
		{"IPv6 in brackets", "10.0.0.1:5000", []string{"[2001:db8::7]"}, trusted, "[2001:db8::7]:0"},
		{"a mapped hop", "10.0.0.1:5000", []string{"::ffff:192.0.2.1"}, trusted, "192.0.2.1:0"},
		{"garbage", "10.0.0.1:5000", []string{"unknown"}, trusted, "10.0.0.1:5000"},
		{"garbage behind a proxy", "10.0.0.1:5000", []string{"192.0.2.1, unknown, 10.0.0.2"}, trusted, "10.0.0.2:0"},
		{"empty", "10.0.0.1:5000", []string{""}, trusted, "10.0.0.1:5000"},
		{"an empty hop", "10.0.0.1:5000", []string{"192.0.2.1,"}, trusted, "10.0.0.1:5000"},
		{"no address at all", "@", []string{"192.0.2.1"}, trusted, "invalid AddrPort"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{}}
			for _, f := range tt.forward {
				r.Header.Add("X-Forwarded-For", f)
			}
			if got := clientAddress(r, tt.trusted).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
