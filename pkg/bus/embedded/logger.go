package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// logger passes the server's log on. What it notices is for debugging here: it
// tells of every start, stop and route.
type logger struct{ log *slog.Logger }

func (l logger) Noticef(format string, args ...any) { l.log.Debug(text(format, args)) }
func (l logger) Debugf(format string, args ...any)  { l.log.Debug(text(format, args)) }
func (l logger) Tracef(string, ...any)              {} // it would show payloads
func (l logger) Warnf(format string, args ...any)   { l.log.Warn(text(format, args)) }

// Errorf warns; of a hub that cannot be reached once, not with every attempt.
func (l logger) Errorf(format string, args ...any) {
	level := slog.LevelWarn
	if strings.Contains(format, "attempt") && len(args) > 0 && fmt.Sprint(args[0]) != "1" {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, text(format, args))
}

func (l logger) Fatalf(format string, args ...any) { l.log.Error(text(format, args)) }

func text(format string, args []any) string {
	return "embedded NATS server: " + fmt.Sprintf(format, args...)
}
