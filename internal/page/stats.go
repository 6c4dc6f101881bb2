package page

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

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

	Nodes       []Node `json:"nodes,omitempty"` // of the cluster, this one included, ordered by id; none where it is alone
	Degraded    bool   `json:"degraded"`        // the bus is away: what is said of other nodes is old
	BusSent     uint64 `json:"bus_sent"`        // messages to other nodes, heartbeats and questions included, since the start
	BusReceived uint64 `json:"bus_received"`    // messages from other nodes, likewise
}

// Node is one hub of the cluster.
type Node struct {
	ID          string `json:"id"`
	Connections int    `json:"connections"`
	Rooms       int    `json:"rooms"`
	Ready       bool   `json:"ready"`    // it takes part in the cluster
	Silent      bool   `json:"silent"`   // its last heartbeat is overdue
	Draining    bool   `json:"draining"` // it sends its clients away

	// Address is the host:port that it listens on, "" where that is not known.
	// It is told to nobody, but makes Host.
	Address string `json:"-"`
	// Host is where the browser that asks finds the node's page; Handler sets
	// it, where it can be known.
	Host string `json:"host,omitempty"`
}

func serveStats(w http.ResponseWriter, r *http.Request, stats Stats) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); mayRead(r.Host, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	stats.Nodes = withHosts(r.Host, stats.Nodes)
	// A failed write means the reader has gone: there is nobody to tell.
	_ = json.NewEncoder(w).Encode(stats)
}

// withHosts returns the nodes with their Host as a browser sees it that has
// reached this one as host.
func withHosts(host string, nodes []Node) []Node {
	seen := make([]Node, len(nodes))
	for i, n := range nodes {
		n.Host = hostOf(host, n.Address)
		seen[i] = n
	}
	return seen
}

// hostOf says where a browser that has reached this node as host finds the one
// that listens on address: on the same name, where both are on the loopback
// interface. Else it is "": behind a proxy or in a container the address that
// a node listens on says nothing about the way to it. Nor is there one that a
// policy cannot quote.
func hostOf(host, address string) string {
	listens, port, err := net.SplitHostPort(address)
	if err != nil || !isLoopback(listens) || !isLoopback(hostname(host)) {
		return ""
	}
	found := net.JoinHostPort(hostname(host), port)
	if !plainHost.MatchString(found) {
		return ""
	}
	return found
}

// mayRead tells whether a page of another origin may read the numbers: as with
// the websocket, one from loopback may, on a hub that is there as well. So a
// page whose own hub is gone goes on with another.
func mayRead(host, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && isLoopback(u.Hostname()) && isLoopback(hostname(host))
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

func isLoopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}
