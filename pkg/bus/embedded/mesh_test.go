package embedded_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/certs"
	"github.com/chenxilol/gohub/test/natsserver"
)

// hears waits until what from publishes arrives at to.
func hears(t *testing.T, from, to *embedded.Bus) {
	t.Helper()
	heard := make(chan struct{}, 1000)
	sub, err := to.Subscribe("hears", func(bus.Message) { heard <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	await(t, "a message arrives", func() bool {
		if err := from.Publish("hears", nil); err != nil {
			t.Fatal(err)
		}
		return len(heard) > 0
	})
}

// Three hubs with the same list of all of them, which may start in any order.
func TestListOfRoutes(t *testing.T) {
	var addresses []string
	for range 3 {
		addresses = append(addresses, natsserver.FreeAddress(t))
	}
	var hubs []*embedded.Bus
	for _, a := range addresses {
		c := embedded.Config{ClusterAddress: a, Routes: addresses, Username: "hub", Password: "pw"}
		hubs = append(hubs, connect(t, c, bus.Options{Node: "hub"}))
	}
	for _, h := range hubs {
		await(t, "all have two peers", func() bool { return len(h.Peers()) == 2 })
	}
	for i := range hubs {
		hears(t, hubs[i], hubs[(i+1)%3])
		hears(t, hubs[i], hubs[(i+2)%3])
	}

	// One that goes and comes back with the same name is found again.
	if err := hubs[0].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the peer is gone", func() bool { return len(hubs[1].Peers()) == 1 })
	c := embedded.Config{ClusterAddress: addresses[0], Routes: addresses, Username: "hub", Password: "pw"}
	back := connect(t, c, bus.Options{Node: "hub"})
	hears(t, back, hubs[1])
	hears(t, hubs[2], back)
}

// A hub that has found nobody, as the name had no other address yet, finds those
// that come. The hubs differ in the address here and not in the port, as pods do.
func TestNameOfRoutes(t *testing.T) {
	if !listens("127.0.0.2:0") {
		t.Skip("this system has one loopback address only")
	}
	_, port, _ := net.SplitHostPort(natsserver.FreeAddress(t))
	route := []string{"localhost:" + port}
	first := connect(t, embedded.Config{ClusterAddress: "127.0.0.1:" + port, Routes: route}, bus.Options{})
	second := connect(t, embedded.Config{ClusterAddress: "127.0.0.2:" + port, Routes: route}, bus.Options{})
	hears(t, first, second)
	hears(t, second, first)
}

func listens(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// The whole suite, over TLS.
func TestMeshTLS(t *testing.T) {
	f := certs.New(t)
	secure := config.ClientTLS{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key}
	first := embedded.Config{ClusterAddress: natsserver.FreeAddress(t), Username: "hub", Password: "pw", TLS: secure}
	connect(t, first, bus.Options{Node: "seed"})
	bustest.Run(t, bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus {
			c := first
			c.ClusterAddress, c.Routes = natsserver.FreeAddress(t), []string{first.ClusterAddress}
			return connect(t, c, o)
		},
	})
}

// A peer with another password, or with a certificate of another authority, gets
// no route.
func TestStrangersStayOut(t *testing.T) {
	f, other := certs.New(t), certs.New(t)
	ours := config.ClientTLS{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key}
	first := embedded.Config{ClusterAddress: natsserver.FreeAddress(t), Username: "hub", Password: "pw", TLS: ours}
	seed := connect(t, first, bus.Options{})
	for _, c := range []embedded.Config{
		{Username: "hub", Password: "guess", TLS: ours},
		{TLS: ours},
		{Username: "hub", Password: "pw"},
		{Username: "hub", Password: "pw", TLS: config.ClientTLS{CAFile: f.CA, CertFile: other.Cert, KeyFile: other.Key}},
	} {
		c.ClusterAddress, c.Routes = natsserver.FreeAddress(t), []string{first.ClusterAddress}
		connect(t, c, bus.Options{Node: "stranger"})
	}
	member := first
	member.ClusterAddress, member.Routes = natsserver.FreeAddress(t), []string{first.ClusterAddress}
	hears(t, connect(t, member, bus.Options{Node: "member"}), seed)
	if p := seed.Peers(); len(p) != 1 || !strings.HasPrefix(p[0], "member.") {
		t.Errorf("peers are %v", p)
	}
}

func TestConnectErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := certs.New(t)
	for _, tt := range []struct {
		c    embedded.Config
		want string
	}{
		{embedded.Config{ClusterAddress: "6222"}, "clusterAddress"},
		{embedded.Config{ClusterAddress: taken.Addr().String()}, "clusterAddress"},
		{embedded.Config{TLS: config.ClientTLS{CertFile: f.Cert, KeyFile: filepath.Join(t.TempDir(), "x")}}, "keyFile"},
		{embedded.Config{TLS: config.ClientTLS{CAFile: f.Key, CertFile: f.Cert, KeyFile: f.Key}}, "caFile"},
	} {
		b, err := embedded.Connect(tt.c, bus.Options{})
		if err == nil {
			b.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want an error about %s", err, tt.want)
		}
	}
}
