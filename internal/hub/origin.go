package hub

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// originAllowed tells whether the page that a browser's handshake comes from
// may connect (RFC 6455, section 10.2). Programs send no Origin; the same host
// and loopback are always allowed.
func originAllowed(r *http.Request, allowed []string) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	for _, pattern := range allowed {
		if pattern == "*" || originMatches(pattern, origins[0]) {
			return true
		}
	}
	u, err := url.Parse(origins[0])
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// originMatches compares an origin with scheme://host[:port], where the host
// may begin with "*." for any subdomain.
func originMatches(pattern, origin string) bool {
	pattern, origin = strings.ToLower(pattern), strings.ToLower(origin)
	scheme, host, ok := strings.Cut(pattern, "://")
	if !ok {
		return false
	}
	switch scheme { // browsers leave the usual port out (RFC 6454, section 6.2)
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	rest, ok := strings.CutPrefix(origin, scheme+"://")
	if !ok {
		return false
	}
	if suffix, ok := strings.CutPrefix(host, "*."); ok {
		return strings.HasSuffix(rest, "."+suffix)
	}
	return rest == host
}

// clientAddress returns the address a request comes from: the peer's or, where
// that is a trusted proxy, the last one in X-Forwarded-For that is not, or the
// first of them all.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.AddrPort {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	if !within(peer.Addr(), trusted) {
		return peer
	}
	client := peer
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := hopAddress(strings.TrimSpace(hops[i]))
		if !ok {
			return client
		}
		client = netip.AddrPortFrom(addr, 0)
		if !within(addr, trusted) {
			break
		}
	}
	return client
}

func hopAddress(hop string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(hop); err == nil {
		hop = host
	}
	addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return addr.Unmap(), err == nil
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
