package server

import (
	"time"
)

// DuplicatePolicy says what happens when a client id connects again.
type DuplicatePolicy string

// The policies for duplicate ids.
const (
	DuplicateReplace DuplicatePolicy = "replace" // the older connection is closed with 4009
	DuplicateReject  DuplicatePolicy = "reject"  // the newer connection is refused
	DuplicateAllow   DuplicatePolicy = "allow"   // both stay; direct messages reach both
)

// Engine says how sockets are served.
type Engine string

// The engines. They behave alike.
const (
	EngineAuto      Engine = "auto"      // the event loop on Linux without TLS, else a goroutine each
	EngineGoroutine Engine = "goroutine" // a goroutine for each connection, at several times the memory
)

// SlowConsumerPolicy says what happens to a client that has more than
// SendQueueBytes waiting.
type SlowConsumerPolicy string

// The policies for slow consumers.
const (
	SlowConsumerClose SlowConsumerPolicy = "close" // it is closed with 4008
	SlowConsumerDrop  SlowConsumerPolicy = "drop"  // gohub.v1 clients lose messages and are told of the gap
)

// RateLimit bounds what one client or one client address may do.
type RateLimit struct {
	// MessagesPerSecond is the average number of messages a client may send a
	// second; 1000 by default, negative any number.
	MessagesPerSecond int
	// Burst is the number of messages a client may send at once; twice
	// MessagesPerSecond by default.
	Burst int
	// ConnectionsPerAddress is the number of connections one client address may
	// hold at once. Zero or negative is no limit.
	ConnectionsPerAddress int
	// ConnectsPerSecondPerAddress is the number of connections one client
	// address may open a second. Zero or negative is no limit.
	ConnectsPerSecondPerAddress int
}

// RoomRule sets what holds for the rooms whose names match Pattern.
type RoomRule struct {
	// Pattern matches names: "*" is any run of characters, also none;
	// everything else is literal. Required.
	Pattern string
	// MaxClients is the number of members such a room may have. Zero or
	// negative is no limit.
	MaxClients int
	// HistorySize is the number of latest messages kept. Zero or negative keeps
	// none.
	HistorySize int
	// HistoryTTL is how long a message is kept; one hour by default where
	// HistorySize is set, negative until newer ones push it out.
	HistoryTTL time.Duration
	// Presence tells members that speak gohub.v1 who joins and leaves.
	Presence bool
	// Create makes a missing room when a client joins it, even a client without
	// the create:room permission.
	Create bool
}

// TLSFiles names the certificate and key of the server in PEM form. Both or
// neither must be set; the files are read again when they change.
type TLSFiles struct {
	CertFile string // path of the certificate, followed by its intermediates
	KeyFile  string // path of its private key
}

// Drain paces a server's way out. The sum of Delay and Window must not exceed
// Timeout.
type Drain struct {
	// Delay is how long upgrades are still taken after /readyz turned 503; 5 s
	// by default, negative none.
	Delay time.Duration
	// Window is the time over which clients are sent away, each in its own
	// slot; 10 s by default, negative all at once.
	Window time.Duration
	// Timeout bounds the whole drain; 30 s by default, negative no bound.
	Timeout time.Duration
}
