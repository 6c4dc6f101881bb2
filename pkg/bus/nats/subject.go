package nats

import (
	"fmt"
	"strings"
)

// noEpoch stands in the place of an epoch in subjects of published messages.
const noEpoch = "0"

// names are the parts of subjects on the server, each ending with a dot.
type names struct {
	out     string // of all that nodes receive; behind it the epoch and the subject
	publish string // of messages that are no entries of a log
	listen  string // of subscriptions
	in      string // of what is appended; behind it the epoch and the subject
	lease   string
	inbox   string
}

// newNames returns the names below a prefix. With a log, subscriptions have a
// wildcard in the epoch's place. They have none without, as literal
// subscriptions are cheaper for the server.
func newNames(prefix string, log bool) names {
	n := names{
		out:   prefix + ".out.",
		in:    prefix + ".in.",
		lease: prefix + ".lease.",
		inbox: prefix + ".inbox",
	}
	n.publish = n.out + noEpoch + "."
	n.listen = n.publish
	if log {
		n.listen = n.out + "*."
	}
	return n
}

// split takes a subject of the server apart; ok is false for one that is not
// below out.
func (n names) split(full string) (epoch, subject string, ok bool) {
	rest, ok := strings.CutPrefix(full, n.out)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

// checkPayload returns an error for a payload over the limit, in bytes.
func checkPayload(payload []byte, limit int) error {
	if len(payload) > limit {
		return fmt.Errorf("payload of %d bytes: at most %d are allowed", len(payload), limit)
	}
	return nil
}
