package chaos_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/test/natsserver"
	"github.com/chenxilol/gohub/test/redisserver"
)

// broker is a server of a bus: one of nats-server or redis-server.
type broker interface {
	Start(t testing.TB)
	Kill(t testing.TB)
	Pause(t testing.TB)
	Resume(t testing.TB)
	Wipe(t testing.TB)
}

// redisBroker is a server of Redis.
type redisBroker struct{ *redisserver.Server }

// Start starts a server again that was killed.
func (r redisBroker) Start(t testing.TB) {
	t.Helper()
	r.Restart(t)
}

// bus connects hubs. Every connection goes through a proxy.
type bus struct {
	kind    string
	brokers []broker // none where the hubs are the bus
	// links are the proxies between hub i and the brokers.
	links [][]*proxy
	// routes are the proxies between brokers, or hubs that are brokers: from i
	// to j. Nil where there is but one.
	routes [][]*proxy

	environ [][]string // of hub i
}

// The kinds of buses.
var busKinds = []string{"nats", "jetstream", "redis", "embedded"}

// newBus starts what n hubs need. brokers is how many servers of NATS form a
// cluster.
func newBus(t testing.TB, kind string, n, brokers int) *bus {
	t.Helper()
	b := &bus{kind: kind, environ: make([][]string, n)}
	switch kind {
	case "nats", "jetstream":
		b.startNATS(t, n, brokers)
	case "redis":
		// It is reached through proxies, whose address is not 127.0.0.1.
		s := redisBroker{redisserver.Start(t, redisserver.Config{Lines: []string{"protected-mode no"}})}
		b.brokers = []broker{s}
		b.link(t, n, s.Addr)
		for i := range n {
			b.environ[i] = []string{"GOHUB_BUS_TYPE=redis", "GOHUB_REDIS_ADDR=" + b.links[i][0].address}
		}
	case "embedded":
		b.startMesh(t, n)
	default:
		t.Fatalf("bus %q: want one of %v", kind, busKinds)
	}
	return b
}

func (b *bus) startNATS(t testing.TB, n, brokers int) {
	t.Helper()
	var addresses []string
	listen := loopbacks(t, brokers)
	if brokers > 1 {
		b.route(t, listen)
	}
	var servers []*natsserver.Server
	for i := range brokers {
		c := natsserver.Config{JetStream: b.kind == "jetstream"}
		if brokers > 1 {
			c.Lines = fmt.Sprintf("server_name: \"broker-%d\"\ncluster { name: chaos, listen: %q, no_advertise: true, routes: [%s] }\n",
				i, listen[i], strings.Join(b.routeURLs(i), ", "))
		}
		s := natsserver.New(t, c)
		servers, addresses = append(servers, s), append(addresses, s.Address())
		b.brokers = append(b.brokers, s)
	}
	if b.kind == "jetstream" {
		natsserver.AwaitJetStream(t, servers)
	}
	b.link(t, n, addresses...)
	for i := range n {
		var urls []string
		for _, p := range b.links[i] {
			urls = append(urls, "nats://"+p.address)
		}
		b.environ[i] = []string{"GOHUB_BUS_TYPE=nats", "GOHUB_NATS_URLS=" + strings.Join(urls, ",")}
		if b.kind == "jetstream" {
			b.environ[i] = append(b.environ[i], "GOHUB_NATS_JET_STREAM_ENABLE=true", fmt.Sprint("GOHUB_NATS_JET_STREAM_REPLICAS=", brokers))
		}
	}
}

func (b *bus) startMesh(t testing.TB, n int) {
	t.Helper()
	listen := loopbacks(t, n)
	b.route(t, listen)
	for i := range n {
		var routes []string
		for j, p := range b.routes[i] {
			if j != i {
				routes = append(routes, p.address)
			}
		}
		b.environ[i] = []string{
			"GOHUB_BUS_TYPE=embedded", "GOHUB_EMBEDDED_CLUSTER_ADDRESS=" + listen[i],
			"GOHUB_EMBEDDED_ROUTES=" + strings.Join(routes, ","),
			"GOHUB_EMBEDDED_USERNAME=mesh", "GOHUB_EMBEDDED_PASSWORD=a password of the mesh",
		}
	}
}

// link makes the proxies between n hubs and the brokers.
func (b *bus) link(t testing.TB, n int, addresses ...string) {
	t.Helper()
	b.links = make([][]*proxy, n)
	for i := range n {
		for _, a := range addresses {
			b.links[i] = append(b.links[i], newProxy(t, a))
		}
	}
}

// route makes the proxies between servers that listen at addresses.
func (b *bus) route(t testing.TB, listen []string) {
	t.Helper()
	b.routes = make([][]*proxy, len(listen))
	for i := range listen {
		b.routes[i] = make([]*proxy, len(listen))
		for j, address := range listen {
			if i != j {
				b.routes[i][j] = newProxy(t, address)
			}
		}
	}
}

func (b *bus) routeURLs(i int) []string {
	var urls []string
	for j, p := range b.routes[i] {
		if j != i {
			urls = append(urls, "nats://"+p.address)
		}
	}
	return urls
}

// between are the proxies between server i and all others.
func (b *bus) between(i int) []*proxy {
	var list []*proxy
	for j := range b.routes {
		if j != i {
			list = append(list, b.routes[i][j], b.routes[j][i])
		}
	}
	return list
}

// loopbacks returns free addresses that servers do not share a host in: one
// server learns of another's port and its proxy's host, and must find nobody
// there.
func loopbacks(t testing.TB, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.1.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		list[i] = l.Addr().String()
		_ = l.Close()
	}
	return list
}
