// Package server is the face of GoHub: a websocket hub in a few lines.
//
//	s, err := server.NewServer(nil)
//	...
//	err = s.RegisterHandler("echo", func(ctx context.Context, c *hub.Client, data json.RawMessage) error {
//		return c.Reply(ctx, "echo", data)
//	})
//	...
//	err = s.Start()
//
// Clients connect to /ws; docs/protocol.md says what they send and get.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	corehub "github.com/chenxilol/gohub/internal/hub"
	"github.com/chenxilol/gohub/internal/hub/conn"
	"github.com/chenxilol/gohub/internal/hub/room"
	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/hub"
	"github.com/chenxilol/gohub/pkg/sdk"
)

// Server is a hub with its HTTP endpoints. It is made by NewServer, serves
// once, and is safe for concurrent use.
type Server struct {
	opts     Options // effective: every default filled in
	log      *slog.Logger
	hub      *corehub.Hub
	bus      bus.Bus // the hub closes it; nil: it is alone
	sdk      *sdk.SDK
	verifier *auth.Verifier // nil: authentication is off
	metrics  *metrics
	main     *http.ServeMux
	admin    *http.ServeMux // nil: everything is on main
	handler  http.Handler
	seal     sync.Once

	mu       sync.Mutex // guards all below
	routeErr error      // of Handle, told by Start
	state    state
	addr     net.Addr
	down     *shutdown     // of Shutdown; nil: not called
	stop     chan struct{} // closed by Shutdown
	served   chan struct{} // closed when Start or Run has returned
}

type state uint8

const (
	stateNew state = iota
	stateServing
	stateStopped
)

// Errors of Start and Run.
var (
	// ErrStarted means that the server has been started before.
	ErrStarted = errors.New("server has been started already")
	// ErrStopped means that Shutdown came before Start.
	ErrStopped = errors.New("server has been shut down")
)

// NewServer returns a server for opts; nil means all defaults: it listens on
// ":8080", lets everybody connect, and logs at level info. It reads no
// environment and no file but those opts name. Options that contradict each
// other are an error that names them. The caller must call Start, Run or
// Shutdown in the end.
func NewServer(opts *Options) (*Server, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	o := opts.withDefaults()
	s := &Server{opts: o, log: o.Logger, stop: make(chan struct{}), served: make(chan struct{})}
	if s.log == nil {
		s.log = newLogger(o.LogLevel)
	}
	if err := s.startVerifier(); err != nil {
		return nil, err
	}
	cfg, err := s.hubConfig()
	if err != nil {
		s.closeVerifier()
		return nil, err
	}
	if cfg.Cluster, err = s.openBus(); err != nil {
		s.closeVerifier()
		return nil, err
	}
	if s.hub, err = corehub.New(cfg); err != nil {
		s.closeBus()
		s.closeVerifier()
		return nil, err
	}
	s.sdk = sdk.New(s.hub)
	if s.metrics, err = newServerMetrics(o.Registerer, s.hub); err != nil {
		_ = s.hub.Close(context.Background())
		s.closeVerifier()
		return nil, err
	}
	s.routes()
	return s, nil
}

func newLogger(level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // validated
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}

func (s *Server) startVerifier() error {
	o := &s.opts
	if !o.EnableAuth {
		return nil
	}
	v, err := auth.NewVerifier(context.Background(), auth.VerifierConfig{
		Algorithm: o.JWTAlgorithm, SecretKey: o.JWTSecretKey, PreviousSecretKeys: o.JWTPreviousSecretKeys,
		PublicKeys: o.JWTPublicKeys, JWKSURL: o.JWKSURL, Issuer: o.JWTIssuer, Audience: o.JWTAudience,
		SubjectClaim: o.JWTSubjectClaim, Leeway: o.JWTLeeway, RequireExpiry: o.RequireExpiry,
	})
	if err != nil {
		return fmt.Errorf("set up authentication: %w", err)
	}
	for _, w := range v.Warnings() {
		s.log.Warn("authentication", "warning", w)
	}
	s.verifier = v
	return nil
}

func (s *Server) closeVerifier() {
	if s.verifier != nil {
		s.verifier.Close()
	}
}

// hubConfig translates the effective options.
func (s *Server) hubConfig() (corehub.Config, error) {
	o := &s.opts
	proxies, err := prefixes(o.TrustedProxies)
	if err != nil {
		return corehub.Config{}, err
	}
	return corehub.Config{
		Node: nodeID(o), Logger: s.log,
		Engine: conn.Config{
			MaxMessage: max(o.MaxMessageSize, 0), SendQueueBytes: max(o.SendQueueBytes, 0), ReadBufferSize: o.ReadBufferSize,
			ReadTimeout: max(o.ReadTimeout, 0), WriteTimeout: max(o.WriteTimeout, 0), PingInterval: max(o.PingInterval, 0),
			Goroutines: o.Engine == EngineGoroutine,
		},
		Verifier: s.verifier, TokenLeeway: max(o.JWTLeeway, 0), AllowAnonymous: o.AllowAnonymous, Anonymous: o.AnonymousPermissions,
		QueryID: queryID(o), Duplicate: duplicatePolicy(o.DuplicateID),
		AllowedOrigins: o.AllowedOrigins, TrustedProxies: proxies,
		Compression:    o.Compression,
		MaxConnections: max(o.MaxConnections, 0), PerAddress: max(o.RateLimit.ConnectionsPerAddress, 0),
		ConnectsPerSecond: float64(max(o.RateLimit.ConnectsPerSecondPerAddress, 0)),
		MessagesPerSecond: float64(max(o.RateLimit.MessagesPerSecond, 0)), MessageBurst: max(o.RateLimit.Burst, 1),
		DropSlow:          o.SlowConsumer == SlowConsumerDrop,
		MaxRoomsPerClient: max(o.MaxRoomsPerClient, 0),
		Rooms:             room.Limits{Rooms: max(o.MaxRooms, 0), CreatedPerClient: max(o.MaxRoomsCreatedPerClient, 0)},
		Rule:              roomRules(o.Rooms),
	}, nil
}

// nodeID names this node: as it is told, else by its bus name, which whoever runs several chose to
// tell them apart, else by its host.
func nodeID(o *Options) string {
	if o.NodeID != "" {
		return o.NodeID
	}
	if o.BusType == "nats" && o.NATSConfig != nil && o.NATSConfig.Name != nats.DefaultConfig().Name {
		return o.NATSConfig.Name
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "gohub"
	}
	return host
}

func queryID(o *Options) string {
	if !o.EnableQueryClientID {
		return ""
	}
	return o.QueryClientIDParam
}

func duplicatePolicy(p DuplicatePolicy) corehub.Duplicate {
	switch p {
	case DuplicateReject:
		return corehub.DuplicateReject
	case DuplicateAllow:
		return corehub.DuplicateAllow
	default:
		return corehub.DuplicateReplace
	}
}

func prefixes(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		if !strings.Contains(text, "/") {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("invalid options: trustedProxies: %w", err)
			}
			out = append(out, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("invalid options: trustedProxies: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

// roomRules returns the function that finds a room's rule: the first whose
// pattern matches.
func roomRules(rules []RoomRule) func(string) room.Rule {
	return func(id string) room.Rule {
		for _, r := range rules {
			if auth.MatchRoom(r.Pattern, id) {
				return room.Rule{
					MaxClients: max(r.MaxClients, 0), HistorySize: max(r.HistorySize, 0), HistoryTTL: max(r.HistoryTTL, 0),
					Presence: r.Presence, Create: r.Create,
				}
			}
		}
		return room.Rule{}
	}
}

// RegisterHandler registers the handler of a message type: f is called with
// the data of each such message, on a goroutine of the client's, one message of
// a client at a time. ctx ends when the client is gone. What f returns as an
// error the client gets as an error message: a *hub.Error as it is, any other
// as hub.CodeServer without its text. A built-in type, a second registration
// and one after the server has started are errors.
func (s *Server) RegisterHandler(messageType string, f func(ctx context.Context, client *hub.Client, data json.RawMessage) error) error {
	if f == nil {
		return fmt.Errorf("register %q: handler is nil", messageType)
	}
	return s.hub.RegisterHandler(messageType, f)
}

// HandleRaw makes f take every data frame, text or binary, instead of the
// dispatcher: the server then speaks no protocol but yours. (A client that asks
// for the subprotocol gohub.v1 still gets its notices.) It must be called before
// the server starts: afterwards it changes nothing and logs an error. The last
// call counts; nil is ignored the same way.
func (s *Server) HandleRaw(f func(ctx context.Context, client *hub.Client, frame hub.Frame) error) {
	if f == nil {
		s.log.Error("handle raw frames: handler is nil")
		return
	}
	if err := s.hub.HandleRaw(f); err != nil {
		s.log.Error("HandleRaw is ignored", "error", err)
	}
}

// On adds a listener for a kind of event and returns the function that removes
// it. It may be called at any time. Events that one client causes come in
// order; those of another client, and those of the program's own calls, have
// orders of their own. See [sdk.Handler].
func (s *Server) On(t sdk.EventType, f func(ctx context.Context, event sdk.Event) error) func() {
	return s.hub.On(t, f)
}

// SDK returns the view of the hub for the code beside the handlers.
func (s *Server) SDK() *sdk.SDK { return s.sdk }

// Handle serves HTTP requests for pattern (as in [http.ServeMux]) beside the
// hub's endpoints. A pattern that cannot be used is told by Start.
func (s *Server) Handle(pattern string, h http.Handler) {
	defer func() {
		if problem := recover(); problem != nil {
			s.mu.Lock()
			s.routeErr = errors.Join(s.routeErr, fmt.Errorf("handle %q: %v", pattern, problem))
			s.mu.Unlock()
		}
	}()
	s.main.Handle(pattern, h)
}

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	s.Handle(pattern, http.HandlerFunc(f))
}

// Handler returns all of the server's endpoints for a program that has an
// http.Server of its own (of HTTP/1.1, which websockets need). Such a program
// calls Shutdown itself.
func (s *Server) Handler() http.Handler { return s.handler }

// Addr returns the address that the server listens on, nil before Start.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Node returns the name of this node.
func (s *Server) Node() string { return s.hub.Node() }

// Stats returns what the server has to do.
func (s *Server) Stats() Stats {
	x := s.hub.Stats()
	stats := Stats{
		Clients: x.Clients, Rooms: x.Rooms, MessagesReceived: x.MessagesReceived, MessagesSent: x.MessagesSent,
		QueuedBytes: x.QueuedBytes, Draining: x.Draining, Uptime: x.Uptime,
	}
	if c := s.hub.Cluster(); c != nil {
		b := c.BusStats()
		stats.BusSent, stats.BusReceived = b.PublishedMessages, b.ReceivedMessages
	}
	return stats
}

// Stats is the state of a server.
type Stats struct {
	Clients, Rooms   int
	MessagesReceived uint64 // from clients
	MessagesSent     uint64 // to clients, each delivery counted
	QueuedBytes      int64  // waiting for slow clients
	Draining         bool
	Uptime           time.Duration
	BusSent          uint64 // messages to other nodes, heartbeats and questions included; 0 where the hub is alone
	BusReceived      uint64 // messages from other nodes, likewise
}
