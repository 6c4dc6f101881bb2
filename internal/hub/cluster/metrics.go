package cluster

import "sync/atomic"

// Metrics count what happens in the cluster.
type Metrics struct {
	Withheld atomic.Uint64 // messages that went no further than this node
	Gaps     atomic.Uint64 // gaps told to the members of a room on this node
	Dropped  atomic.Uint64 // notices of the bus that it has dropped messages
	Repaired atomic.Uint64 // entries of histories that came by reading the log
}
