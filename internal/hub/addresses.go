package hub

import (
	"net/netip"
	"sync"
	"time"
)

// addresses bounds what comes from one network address. IPv6 clients count by
// their /64, which is what one customer usually gets.
type addresses struct {
	atOnce int
	rate   float64 // connections a second; 0: any

	mu     sync.Mutex // guards counts
	counts map[netip.Addr]*addressCount
}

type addressCount struct {
	open int
	rate limiter
}

// connectBurst is how many connections an address may open at once before its
// rate counts.
const connectBurst = 20

func (a *addresses) init(atOnce int, rate float64) {
	a.atOnce, a.rate = atOnce, rate
	a.counts = make(map[netip.Addr]*addressCount)
}

func (a *addresses) off() bool { return a.atOnce <= 0 && a.rate <= 0 }

func addressKey(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// acquire counts a connection, unless that is one too many.
func (a *addresses) acquire(addr netip.Addr, now time.Time) bool {
	if a.off() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := addressKey(addr)
	c := a.counts[key]
	if c == nil {
		c = new(addressCount)
		a.counts[key] = c
	}
	if a.atOnce > 0 && c.open >= a.atOnce {
		return false
	}
	if a.rate > 0 && c.rate.take(now.UnixNano(), int64(float64(time.Second)/a.rate), connectBurst) != permitted {
		return false
	}
	c.open++
	return true
}

func (a *addresses) release(addr netip.Addr) {
	if a.off() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.counts[addressKey(addr)]; c != nil {
		c.open--
	}
}

// sweep forgets addresses that have nothing open and nothing to wait for.
func (a *addresses) sweep(now time.Time) {
	if a.off() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, c := range a.counts {
		if c.open <= 0 && c.rate.flood < now.UnixNano() {
			delete(a.counts, addr)
		}
	}
}
