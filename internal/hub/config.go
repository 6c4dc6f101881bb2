package hub

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/chenxilol/gohub/internal/hub/cluster"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/hub"
)

// Duplicate says what happens when an id connects again.
type Duplicate uint8

// The policies for an id that is connected already.
const (
	DuplicateReplace Duplicate = iota // the newest connection wins
	DuplicateReject                   // the oldest connection wins
	DuplicateAllow                    // both stay
)

// Config configures a Hub. Values are literal: 0 means off or unlimited where
// a limit can be, never a default.
type Config struct {
	Node   string // this node's id
	Engine conn.Config
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now

	// Verifier checks tokens; nil means that authentication is off: everybody
	// connects and may do everything.
	Verifier       *auth.Verifier
	TokenLeeway    time.Duration // for clocks that differ
	AllowAnonymous bool
	Anonymous      []auth.Permission // of connections without a token

	QueryID   string // the query parameter with a client's id; "": none
	Duplicate Duplicate

	AllowedOrigins []string
	TrustedProxies []netip.Prefix
	Compression    bool

	MaxConnections    int
	PerAddress        int     // connections at once from one address
	ConnectsPerSecond float64 // from one address
	MessagesPerSecond float64 // of one client
	MessageBurst      int
	DropSlow          bool // slow gohub.v1 clients lose messages and are told

	MaxRoomsPerClient int
	Rooms             room.Limits
	Rule              func(id string) room.Rule

	// Cluster makes the node a part of a cluster; nil: it is alone.
	Cluster func(cluster.Host) *cluster.Cluster

	Drain DrainConfig
}

// DrainConfig paces how clients are let go.
type DrainConfig struct {
	Delay   time.Duration // not ready, but still accepting
	Window  time.Duration // over which the clients are spread
	Timeout time.Duration // for all of it
}

// Close codes of the protocol that the hub itself sends, besides those of
// package pkg/hub.
const (
	closeRestart = 1012
)

var (
	errNoClient  = hub.NewError(hub.CodeNoClient, "no such client")
	errNotInRoom = hub.NewError(hub.CodeNotInRoom, "the client is not in this room")
)
