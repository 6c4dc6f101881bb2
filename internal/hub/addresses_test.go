package hub

import (
	"net/netip"
	"testing"
	"time"
)

var epoch = time.Unix(1e9, 0)

func TestAddressesAtOnce(t *testing.T) {
	var a addresses
	a.init(2, 0)
	for i, tt := range []struct {
		release bool
		addr    string
		want    bool
	}{
		{false, "192.0.2.1", true},
		{false, "192.0.2.1", true},
		{false, "192.0.2.1", false},
		{false, "192.0.2.2", true},
		{true, "192.0.2.1", true},
		{false, "192.0.2.1", true},
		{false, "192.0.2.1", false},
		{false, "2001:db8::1", true},
		{false, "2001:db8::ffff:1", true},
		{false, "2001:db8::2", false}, // the same /64
		{false, "2001:db8:0:1::1", true},
	} {
		addr := netip.MustParseAddr(tt.addr)
		if tt.release {
			a.release(addr)
		} else if got := a.acquire(addr, epoch); got != tt.want {
			t.Errorf("step %d, %s: %v", i, tt.addr, got)
		}
	}
}

func TestAddressesRate(t *testing.T) {
	var a addresses
	a.init(0, 10)
	addr, now := netip.MustParseAddr("192.0.2.1"), epoch
	for range connectBurst {
		if !a.acquire(addr, now) {
			t.Fatal("the burst is refused")
		}
		a.release(addr)
	}
	if a.acquire(addr, now) {
		t.Error("one too many")
	}
	if now = now.Add(100 * time.Millisecond); !a.acquire(addr, now) || a.acquire(addr, now) {
		t.Error("a tenth of a second is not worth one connection")
	}
	if !a.acquire(netip.MustParseAddr("192.0.2.2"), now) {
		t.Error("another address is refused")
	}
}

func TestAddressesForget(t *testing.T) {
	var a addresses
	a.init(5, 10)
	open, closed := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, addr := range []netip.Addr{open, closed} {
		if !a.acquire(addr, epoch) {
			t.Fatal("refused")
		}
	}
	a.release(closed)
	a.release(netip.MustParseAddr("192.0.2.3")) // was never there
	if a.sweep(epoch); len(a.counts) != 2 {
		t.Errorf("%d addresses are known, want 2: the rate of both counts", len(a.counts))
	}
	if a.sweep(epoch.Add(time.Second)); len(a.counts) != 1 || a.counts[open] == nil {
		t.Errorf("%d addresses are known, want the one that is open", len(a.counts))
	}
	a.release(open)
	if a.sweep(epoch.Add(time.Second)); len(a.counts) != 0 {
		t.Errorf("%d addresses are known, want none", len(a.counts))
	}
}

func TestAddressesOff(t *testing.T) {
	var a addresses
	a.init(0, 0)
	for range 1000 {
		if !a.acquire(netip.MustParseAddr("192.0.2.1"), epoch) {
			t.Fatal("refused without a limit")
		}
	}
	a.release(netip.MustParseAddr("192.0.2.1"))
	a.sweep(epoch)
	if len(a.counts) != 0 {
		t.Error("addresses are counted without a limit")
	}
}
