package client

import "time"

// Event is something that happened to the client or its rooms, one of
// [Connected], [Moving], [Disconnected], [Retrying], [Closed], [Joined],
// [Rejoined], [Left], [Gap], [Duplicate], [MemberJoined], [MemberLeft],
// [Degraded], [Recovered], [RenewalFailed] and [Fault].
type Event interface{ event() }

// Connected tells of a connection, the first one included.
type Connected struct {
	ID    string // of the client
	Node  string // of the hub
	Again bool   // not the first connection
}

// Moving tells that the hub stops and sends this client away in its slot, At a
// time. Disconnected follows then, and the client connects to another hub.
type Moving struct{ At time.Time }

// Disconnected tells that the connection is gone. The client reconnects, unless
// Closed follows.
type Disconnected struct{ Err error }

// Retrying tells of a failed attempt to connect, and when the next one is.
type Retrying struct {
	Attempt int // failures in a row
	After   time.Duration
	Err     error
}

// Closed is the last event of a client that ended by itself, with the reason.
// It does not come after Client.Close.
type Closed struct{ Err error }

// Joined tells that the server has made the client a member of a room. The
// client joins it again after a reconnect as those that it joined itself.
type Joined struct{ Room, Position string }

// Rejoined tells that the client is in a room again after a reconnect.
type Rejoined struct {
	Room     string
	Position string // of the room's last message; "" in one without a history
	// Recovered says that all messages since the last one seen follow. If it is
	// false messages may be lost: those of a room without a history, or those
	// that the history does not hold any more.
	Recovered bool
}

// Left tells that the client is no member of a room any more, though it did
// not leave: the server took it out, or, with Err, did not let it in again
// after a reconnect.
type Left struct {
	Room string
	Err  error
}

// Reasons of a Gap, beside those of the hub, such as "slow".
const (
	// ReasonChain means that a message came whose Prev is not the last position
	// seen in its room. The message is handed over nevertheless.
	ReasonChain = "chain"
)

// Gap tells that messages of a room were lost, or may have been.
type Gap struct {
	Room     string
	From, To string    // positions before the first and of the last lost message, where known
	Since    time.Time // when it began, by the hub's clock; zero where unknown
	Reason   string    // of the hub, or ReasonChain
}

// Duplicate tells that a message came a second time and was dropped. Hubs do
// not do that.
type Duplicate struct{ Room, Position string }

// MemberJoined tells who joined a room whose rule has presence.
type MemberJoined struct {
	Room    string
	IDs     []string // nil where there are too many to name
	Count   int      // how many joined
	Members int      // how many there are now
}

// MemberLeft tells who left a room whose rule has presence.
type MemberLeft struct {
	Room    string
	IDs     []string // nil where there are too many to name
	Count   int      // how many left
	Members int      // how many there are now
}

// Degraded tells that the hub has lost its bus: publishing reaches the members
// on its own node only, and fails in rooms with a history.
type Degraded struct{ Reason string }

// Recovered tells that a Degraded is over.
type Recovered struct{}

// RenewalFailed tells that a new token could not be had, or was not accepted.
// The client tries again until its token expires.
type RenewalFailed struct{ Err error }

// Fault tells of an error that is the answer to no request, or of a notice
// that cannot be read.
type Fault struct{ Err error }

func (Connected) event()     {}
func (Moving) event()        {}
func (Disconnected) event()  {}
func (Retrying) event()      {}
func (Closed) event()        {}
func (Joined) event()        {}
func (Rejoined) event()      {}
func (Left) event()          {}
func (Gap) event()           {}
func (Duplicate) event()     {}
func (MemberJoined) event()  {}
func (MemberLeft) event()    {}
func (Degraded) event()      {}
func (Recovered) event()     {}
func (RenewalFailed) event() {}
func (Fault) event()         {}
