package embedded_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/test/natsserver"
)

// nameServer answers every question of this process for an IPv4 address with the
// addresses that it holds now.
type nameServer struct {
	conn      net.PacketConn
	addresses atomic.Pointer[[]string]
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameServer{conn: conn}
	n.set()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.serve()
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = conn.Close()
		<-done
	})
	return n
}

func (n *nameServer) set(addresses ...string) { n.addresses.Store(&addresses) }

func (n *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Additionals = true, nil
		for _, a := range *n.addresses.Load() {
			if m.Questions[0].Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
				})
			}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = n.conn.WriteTo(answer, from)
		}
	}
}

// Two halves of a mesh that started apart, each with a name that had only the
// half's addresses, become one when the name has all of them.
func TestHalvesBecomeOne(t *testing.T) {
	if !listens("127.0.0.2:0") {
		t.Skip("this system has one loopback address only")
	}
	names := newNameServer(t)
	_, port, _ := net.SplitHostPort(natsserver.FreeAddress(t))
	// They wait for each other, so they start together.
	hubs := func(ips ...string) (a, b *embedded.Bus) {
		names.set(ips...)
		return startTogether(t, port, ips[0], ips[1])
	}
	a, b := hubs("127.0.0.1", "127.0.0.2")
	hears(t, a, b)
	c, d := hubs("127.0.0.3", "127.0.0.4")
	hears(t, c, d)
	if n := len(a.Peers()); n != 1 {
		t.Fatalf("the halves are no halves: %d peers", n)
	}
	names.set("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
	hears(t, a, d)
	hears(t, c, b)
	for _, h := range []*embedded.Bus{a, b, c, d} {
		await(t, "all have three peers", func() bool { return len(h.Peers()) == 3 })
	}
}

// startTogether connects two hubs whose name is hubs.test at the same time.
func startTogether(t *testing.T, port, first, second string) (a, b *embedded.Bus) {
	t.Helper()
	var starting sync.WaitGroup
	var errs [2]error
	var all [2]*embedded.Bus
	for i, ip := range []string{first, second} {
		starting.Go(func() {
			c := embedded.Config{ClusterAddress: net.JoinHostPort(ip, port), Routes: []string{"hubs.test:" + port}}
			all[i], errs[i] = embedded.Connect(c, bus.Options{Node: "hub"})
		})
	}
	starting.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = all[i].Close(context.Background()) })
	}
	return all[0], all[1]
}

// Hubs that start together know each other when they are connected, though their
// name has an address a moment later only.
func TestHubsThatStartTogetherMeet(t *testing.T) {
	if !listens("127.0.0.2:0") {
		t.Skip("this system has one loopback address only")
	}
	names := newNameServer(t)
	_, port, _ := net.SplitHostPort(natsserver.FreeAddress(t))
	names.set()
	known := time.AfterFunc(500*time.Millisecond, func() { names.set("127.0.0.1", "127.0.0.2") })
	defer known.Stop()
	a, b := startTogether(t, port, "127.0.0.1", "127.0.0.2")
	if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
		t.Errorf("peers %v and %v, want each other", a.Peers(), b.Peers())
	}
}
