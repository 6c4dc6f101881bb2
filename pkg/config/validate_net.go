package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func checkAddresses(e Config, p *problems) {
	checkListen("address", e.Address, p)
	if e.AdminAddress == "" {
		return
	}
	checkListen("adminAddress", e.AdminAddress, p)
	if e.AdminAddress == e.Address && !strings.HasSuffix(e.Address, ":0") {
		p.add("adminAddress", "must differ from address (%q); leave it empty to use the same port", truncate(e.Address))
	}
}

// checkListen checks an address to listen on: host:port, the host may be empty.
func checkListen(key, address string, p *problems) {
	if reason := hostPortProblem(address); reason != "" {
		p.add(key, `must be host:port, such as ":8080" or "127.0.0.1:8080", got %q: %s`, truncate(address), reason)
	}
}

// checkDial checks an address to connect to: host:port, both given.
func checkDial(key, address string, p *problems) {
	host, port, _ := net.SplitHostPort(address)
	reason := hostPortProblem(address)
	if reason == "" && host == "" {
		reason = "the host is missing"
	}
	if reason == "" && port == "0" {
		reason = "port 0 cannot be dialed"
	}
	if reason != "" {
		p.add(key, "must be host:port, got %q: %s", truncate(redactURL(address)), reason)
	}
}

func hostPortProblem(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "it has no host and port with one colon between them"
	}
	if strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/@?#", r) }) {
		return "the host is not a name or an IP address"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "the port is not a number from 0 to 65535"
	}
	return ""
}

func checkTLSFiles(key, cert, private string, p *problems) {
	switch {
	case cert != "" && private == "":
		p.add(key+".keyFile", "is missing: %s.certFile needs its key", key)
	case cert == "" && private != "":
		p.add(key+".certFile", "is missing: %s.keyFile needs its certificate", key)
	}
}

func checkOrigins(origins []string, p *problems) {
	for i, origin := range origins {
		if origin != "*" && !validOrigin(origin) {
			p.add(item("allowedOrigins", i),
				`must be scheme://host[:port], such as "https://app.example.com" or "https://*.example.com", or "*" for all, got %q`, truncate(origin))
		}
	}
}

// validOrigin takes an origin as browsers write it (RFC 6454, section 6.2),
// with the host optionally beginning with "*.".
func validOrigin(origin string) bool {
	scheme, authority, ok := strings.Cut(origin, "://")
	if !ok || strings.ContainsAny(authority, "/?#@") {
		return false
	}
	u, err := url.Parse(scheme + "://" + strings.TrimPrefix(authority, "*."))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return false
	}
	return !strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r == '*' || unicode.IsSpace(r) })
}

func checkProxies(proxies []string, p *problems) {
	for i, proxy := range proxies {
		_, prefixErr := netip.ParsePrefix(proxy)
		addr, addrErr := netip.ParseAddr(proxy)
		if prefixErr != nil && (addrErr != nil || addr.Zone() != "") {
			p.add(item("trustedProxies", i),
				`must be an IP address or a CIDR range, such as "10.0.0.1" or "10.0.0.0/8", got %q`, truncate(proxy))
		}
	}
}

func checkRooms(rules []RoomRule, p *problems) {
	seen := map[string]int{}
	for i, r := range rules {
		at := item("rooms", i)
		if reason := nameProblem(r.Pattern); reason != "" {
			p.add(at+".pattern", "%s", reason)
		} else if first, twice := seen[r.Pattern]; twice {
			p.add(at+".pattern", "is the same as that of rooms[%d], which would always win", first)
		} else {
			seen[r.Pattern] = i
		}
		if r.HistoryTTL != 0 && r.HistorySize <= 0 {
			p.add(at+".historyTTL", "needs historySize, the number of messages to keep")
		}
	}
}

// nameProblem says what keeps s from being a name on the wire.
func nameProblem(s string) string {
	const longest = 512
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > longest:
		return "must be at most " + strconv.Itoa(longest) + " bytes, got " + strconv.Itoa(len(s))
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not hold control characters"
	}
	return ""
}

func item(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
