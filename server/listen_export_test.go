package server

import (
	"log/slog"
	"net"
	"time"
)

// WatchListener makes ln log as those of a server do.
func WatchListener(ln net.Listener, log *slog.Logger, now func() time.Time) net.Listener {
	return &watchedListener{Listener: ln, log: log, now: now}
}
