package hub

import (
	"sync"
	"time"
)

const (
	logsPerSecond = 10
	logBurst      = 50
)

// logLimit bounds the lines that clients can cause: what they do wrong is
// counted in the metrics, the log shows examples of it.
type logLimit struct {
	mu         sync.Mutex // guards all below
	rate       limiter
	suppressed int
}

// take tells whether a line may be written, and how many were not before it.
func (l *logLimit) take(now time.Time) (ok bool, suppressed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate.take(now.UnixNano(), int64(time.Second)/logsPerSecond, logBurst) != permitted {
		l.suppressed++
		return false, 0
	}
	suppressed, l.suppressed = l.suppressed, 0
	return true, suppressed
}

// warn logs what a client, or the application's code for it, did wrong.
func (h *Hub) warn(text string, args ...any) {
	ok, suppressed := h.logs.take(h.now())
	if !ok {
		return
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	h.log.Warn(text, args...)
}
