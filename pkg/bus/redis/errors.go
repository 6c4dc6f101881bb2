package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/chenxilol/gohub/pkg/bus"
	goredis "github.com/redis/go-redis/v9"
)

// errClosed is both, as package bus says that the one is the other, too.
var errClosed = fmt.Errorf("%w: %w", bus.ErrRefused, bus.ErrClosed)

// errMoved is what a Dropped notice says about a slot of a Redis Cluster.
var errMoved = errors.New("a part of the subjects has moved to another redis node")

// movedSlot returns the slot of an answer which says that another node of the
// Redis Cluster has it; the command was not done.
func movedSlot(err error) (slot int, ok bool) {
	var reply goredis.Error
	if !errors.As(err, &reply) {
		return 0, false
	}
	words := strings.Fields(reply.Error())
	if len(words) != 3 || words[0] != "MOVED" {
		return 0, false
	}
	slot, err = strconv.Atoi(words[1])
	return slot, err == nil
}

// notNow are the answers of Redis that mean: nothing was done, try again later,
// perhaps elsewhere. A script that was refused its first write has done nothing.
var notNow = []string{
	"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", // of a cluster that is changing
	"LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "UNBLOCKED", // around a failover
	"NOSCRIPT", "BUSY", "OOM", "MISCONF",
}

// isNotNow reports whether an error is one of those.
func isNotNow(err error) bool {
	var reply goredis.Error
	if !errors.As(err, &reply) {
		return false
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	for _, w := range notNow {
		if word == w {
			return true
		}
	}
	return false
}
