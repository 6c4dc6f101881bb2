// Package history holds what the clients of a cluster of hubs asked for and were
// told in one run, and judges whether the cluster has kept its promises.
//
// The judgement is a pure function of the record. It knows nothing of how the
// hubs work: only what docs/protocol.md and docs/cluster.md promise, and which
// faults were injected when.
package history

import (
	"slices"
	"time"
)

// History is the record of one run. All times count from its begin, by one
// clock.
type History struct {
	Start     time.Time       // the wall clock at time 0, which hubs' notices refer to
	End       time.Duration   // when all was healed and had come to rest
	Rooms     map[string]Room // by id; one that is not in it is a plain room
	Sessions  []*Session
	Publishes []Publish
	Directs   []Direct
	Faults    []Fault
	Lists     []MemberList // at the end
}

// Room is what is promised of a room.
type Room struct {
	History bool // it has one order, and can be resumed
	Max     int  // members; 0: no limit
}

// ID names a message: a publisher, which is one connection or caller, and its
// count.
type ID struct {
	Publisher string
	Seq       uint64
}

// Outcome is what a publisher was told.
type Outcome uint8

// Outcomes.
const (
	Unknown Outcome = iota // no answer, or one that says so
	Sent
	Refused
)

// Publish is one message to a room.
type Publish struct {
	ID
	Client     string // the sender's id, "" for the admin API
	Node       string // that took it
	Room       string
	Begin, End time.Duration // of the call; of the first and last where it was repeated
	Attempts   int           // calls with the same idempotency key
	Outcome    Outcome
	Scope      string // "cluster" or "node", where sent
	Position   string // in rooms with a history, where sent
}

// Direct is one message to a client.
type Direct struct {
	ID
	Target     string // client id
	Begin, End time.Duration
	Outcome    Outcome
	NoClient   bool // refused, as nobody has the id
}

// Session is one connection of a client.
type Session struct {
	Client   string
	Node     string
	V1       bool          // speaks gohub.v1, and so is told of gaps
	Slow     bool          // takes little at a time, and reads everything late
	Opened   time.Duration // the handshake was answered
	TokenEnd time.Duration // when its token ends; 0: not in this run
	Events   []Event       // what was received is in the order of receiving
}

// Kind is what happened to a session.
type Kind uint8

// Kinds of events. Those that end in Sent, and Stalled, Flowing and Hangup, are
// the client's doing; the others came from the hub.
const (
	JoinSent  Kind = iota + 1 // Room, Position: since
	Joined                    // Room, Position, Resumed
	LeaveSent                 // Room
	Left                      // Room
	Received                  // Room, ID, Sender, Position, Prev, Damaged
	DirectIn                  // ID, Damaged
	GapTold                   // Room, Since, Reason
	Reconnect                 // After
	Renewed                   // Since: asked for; Until: the token's end from now on
	Stalled                   // the client reads no more
	Flowing                   // the client reads again
	Hangup                    // the client goes without a word, or closes
	Closed                    // Code: of the close frame; 1006 without one
)

// Event is one thing that happened to a session.
type Event struct {
	Kind     Kind
	At       time.Duration
	Room     string
	ID       ID
	Sender   string // as the hub names it
	Position string
	Prev     string
	Damaged  bool // the content is not what its sum says
	Resumed  Resumed
	Since    time.Duration
	Reason   string
	After    time.Duration
	Until    time.Duration
	Code     int
}

// Resumed is what a client that came with a position was told.
type Resumed uint8

// What "recovered" in room_joined may say.
const (
	NotAsked     Resumed = iota // nothing
	Recovered                   // true
	NotRecovered                // false
)

// Fault is something that was done to the cluster.
type Fault struct {
	Kind       string
	Nodes      []string // that it touches; nil: all
	Begin, End time.Duration

	Away    bool // the nodes cannot reach the bus
	Split   bool // brokers, or hubs that are brokers, are cut off from each other
	Stopped bool // the nodes do not run, and go on with what they knew
	Killed  bool // connections to the nodes may end without a close frame
	Ended   bool // the nodes' processes end, and with them what only they know
	Drain   bool // the nodes send their clients away

	Island []string // of a split, the nodes on one side; nil: not known
}

// divides tells whether a fault cuts two nodes off from each other, for all that
// is known.
func (f Fault) divides(a, b string) bool {
	return f.Split && a != b && (len(f.Island) == 0 || slices.Contains(f.Island, a) != slices.Contains(f.Island, b))
}

// Touches tells whether a fault concerns a node.
func (f Fault) Touches(node string) bool {
	if len(f.Nodes) == 0 {
		return true
	}
	for _, n := range f.Nodes {
		if n == node {
			return true
		}
	}
	return false
}

// MemberList is what a node answered at the end when it was asked for a room's
// members.
type MemberList struct {
	Node    string
	Room    string
	Members []string
	Missing []string // nodes that did not answer
}
