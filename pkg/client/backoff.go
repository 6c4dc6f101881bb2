package client

import "time"

const (
	defaultBackoffMin = 500 * time.Millisecond
	defaultBackoffMax = 20 * time.Second
	// laterSteps is how many failures ahead a wait begins where the hub asked
	// to come later.
	laterSteps = 3
	// stableAfter is how long a connection must have lasted for the failures
	// before it not to count any more.
	stableAfter = 5 * time.Second
)

// Backoff is the pace of reconnecting: before attempt n the client waits a
// random time between 0 and Min·2^n, at most Max ("full jitter"), so that
// clients that lost a hub together do not come back together. What the hub
// says goes before: a slot it gave is kept, Retry-After is waited for in full.
type Backoff struct {
	Min time.Duration // 500 ms by default
	Max time.Duration // 20 s by default, Min where that is more
}

// delay returns how long to wait, after so many failures in a row. random is
// in [0, 1).
func (b Backoff) delay(v verdict, failures int, random float64) time.Duration {
	switch v.pace {
	case paceNow:
		if failures == 0 {
			return 0
		}
	case paceLater:
		failures += laterSteps
	}
	limit := b.Min
	for range failures {
		if limit >= b.Max/2 {
			limit = b.Max
			break
		}
		limit *= 2
	}
	return v.retryAfter + time.Duration(random*float64(limit))
}
