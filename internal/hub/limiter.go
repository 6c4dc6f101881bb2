package hub

// limiter bounds a rate by the generic cell rate algorithm: it remembers the
// time at which all that was let through would have been due at the permitted
// rate, and so needs no timer and no allowance to refill. Times are in
// nanoseconds. It is not safe for concurrent use.
type limiter struct {
	due   int64 // of what was let through
	flood int64 // of all that came
}

// floodFactor is how many bursts beyond the permitted rate a client may send
// before it counts as flooding.
const floodFactor = 4

type verdict uint8

const (
	permitted verdict = iota
	refused           // over the rate
	flooding          // far over it, though it was refused
)

// take counts one message at now. interval is the time between messages at
// the permitted rate, 0 for no limit.
func (l *limiter) take(now, interval int64, burst int) verdict {
	if interval <= 0 {
		return permitted
	}
	flood := max(l.flood, now) + interval
	if flood-now > floodFactor*int64(burst)*interval {
		return flooding // not counted: a flood that ends is soon forgotten
	}
	l.flood = flood
	due := max(l.due, now) + interval
	if due-now > int64(burst)*interval {
		return refused
	}
	l.due = due
	return permitted
}

// charge counts n messages more of what was let through, until the burst is used
// up.
func (l *limiter) charge(n int, now, interval int64, burst int) {
	if interval > 0 {
		l.due = min(max(l.due, now)+int64(n)*interval, now+int64(burst)*interval)
	}
}
