package server

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/bus/redis"
)

// Options configures a server. Zero fields mean their defaults, always; a
// negative number or duration means off or unlimited where its field says so,
// and is an error elsewhere. Contradictions between fields are errors of
// [NewServer], each naming its key as written in YAML (readTimeout for
// ReadTimeout).
//
// Options are read once: changes after NewServer have no effect. Every field
// but Logger and Registerer can also come from a file and the environment, see
// [LoadOptions].
type Options struct {
	// Address is the host:port to listen on for websockets and HTTP; ":8080" by
	// default. An empty host means every interface, port 0 any free port.
	Address string
	// AdminAddress is a separate host:port for the admin API, the probes and
	// the metrics. Empty keeps them on Address.
	AdminAddress string
	// APIKey is the key that callers of the admin API send as
	// "Authorization: Bearer <key>". With neither a key nor EnableAuth the
	// admin API is off.
	APIKey string
	// TLS serves Address over TLS from these files.
	TLS TLSFiles
	// AllowedOrigins lists further browser origins that may connect, each as
	// scheme://host[:port], the host optionally beginning with "*."; "*" allows
	// all. No origin, the same host and loopback are always allowed.
	AllowedOrigins []string
	// TrustedProxies lists addresses or CIDR ranges of proxies whose
	// X-Forwarded-For is believed. Empty believes none.
	TrustedProxies []string

	// EnableAuth asks every connection for a valid token. Off, everybody
	// connects and may do everything.
	EnableAuth bool
	// AllowAnonymous lets connections without a token in while EnableAuth is
	// on; they hold AnonymousPermissions.
	AllowAnonymous bool
	// AnonymousPermissions are held by connections without a token while
	// EnableAuth and AllowAnonymous are on; none by default.
	AnonymousPermissions []auth.Permission
	// JWTSecretKey is the shared secret of tokens signed with HS256, HS384 or
	// HS512. Under 32 bytes it works, with a warning.
	JWTSecretKey string
	// JWTPreviousSecretKeys still verify tokens while JWTSecretKey is rotated.
	JWTPreviousSecretKeys []string
	// JWTPublicKeys are public keys or certificates in PEM form. Use one kind
	// of key: JWTSecretKey, JWTPublicKeys or JWKSURL.
	JWTPublicKeys []string
	// JWKSURL is the http or https address of the issuer's JSON Web Key Set.
	JWKSURL string
	// JWTAlgorithm is the one algorithm accepted. Empty means HS256 for
	// secrets, and what belongs to the kind of key for public keys.
	JWTAlgorithm string
	// JWTIssuer is the iss claim a token must carry. Empty does not check it.
	JWTIssuer string
	// JWTAudience is the aud claim a token must contain. Empty does not check
	// it.
	JWTAudience string
	// JWTSubjectClaim names the claim that becomes the client's id; "sub" by
	// default.
	JWTSubjectClaim string
	// JWTLeeway is the clock difference allowed for exp and nbf; 30 s by
	// default, negative none.
	JWTLeeway time.Duration
	// RequireExpiry refuses tokens without an exp claim.
	RequireExpiry bool

	// EnableQueryClientID lets a client without a token name its own id in the
	// query parameter QueryClientIDParam.
	EnableQueryClientID bool
	// QueryClientIDParam is that parameter's name; "client_id" by default.
	QueryClientIDParam string
	// DuplicateID says what happens when an id connects again;
	// [DuplicateReplace] by default.
	DuplicateID DuplicatePolicy

	// Engine says how sockets are served: [EngineAuto], the default, or
	// [EngineGoroutine].
	Engine Engine
	// ReadTimeout closes a connection from which no frame at all came for this
	// long; 60 s by default, negative never.
	ReadTimeout time.Duration
	// WriteTimeout closes a connection whose waiting output did not move for
	// this long; 60 s by default, negative never.
	WriteTimeout time.Duration
	// PingInterval is the silence after which a ping goes out, or a third of
	// ReadTimeout where that is shorter; 25 s by default, negative sends none.
	PingInterval time.Duration
	// HandshakeTimeout is the longest an upgrade may take; 10 s by default,
	// negative waits for ever.
	HandshakeTimeout time.Duration
	// ReadBufferSize is the size in bytes of the pooled buffers that connections
	// without an event loop (those with TLS, and all of EngineGoroutine) are
	// read into, never a limit of messages; 4096 by default. Event loops read
	// into one of 64 KiB each.
	ReadBufferSize int
	// WriteBufferSize is checked, and has no effect: a frame is written as it
	// is, without a buffer, and what a slow client leaves over waits within
	// SendQueueBytes.
	WriteBufferSize int
	// MaxMessageSize is the largest message in bytes a client may send, after
	// decompression; 65536 by default, negative any. In a cluster it is at most
	// the largest payload of the bus less 8192.
	MaxMessageSize int
	// MaxConnections is the number of connections accepted; by default the
	// process's limit of open descriptors less 256, negative any number.
	MaxConnections int
	// Compression offers permessage-deflate to clients; off by default.
	Compression bool

	// RateLimit bounds what one client or client address may do.
	RateLimit RateLimit
	// SlowConsumer says what happens to a client that reads too slowly;
	// [SlowConsumerClose] by default.
	SlowConsumer SlowConsumerPolicy
	// SendQueueBytes is the number of bytes that may wait for one client;
	// 262144 by default, negative any number.
	SendQueueBytes int

	// MaxRooms is the number of rooms at once; 100,000 by default, negative any
	// number.
	MaxRooms int
	// MaxRoomsPerClient is the number of rooms one client may be in; 100 by
	// default, negative any number.
	MaxRoomsPerClient int
	// MaxRoomsCreatedPerClient is the number of existing rooms one client may
	// have created; 10 by default, negative any number.
	MaxRoomsCreatedPerClient int
	// Rooms are rules for rooms by name; the first that matches applies.
	Rooms []RoomRule

	// EnableCluster makes the hubs that share a bus act as one. It needs a
	// BusType other than "noop".
	EnableCluster bool
	// NodeID names this node among the others; by default NATSConfig.Name or
	// else the host's name, which is the pod's in Kubernetes.
	NodeID string
	// BusType is what connects the hubs: "nats", "redis", "embedded" or "noop"
	// (the default: one hub alone).
	BusType string
	// NATSConfig is used when BusType is "nats"; nil means nats.DefaultConfig.
	NATSConfig *nats.Config
	// RedisConfig is used when BusType is "redis"; nil means
	// redis.DefaultConfig.
	RedisConfig *redis.Config
	// EmbeddedConfig is used when BusType is "embedded"; nil means its
	// defaults.
	EmbeddedConfig *embedded.Config

	// OpenBus connects to a bus of your own, BusType is then not used; nil means
	// the driver of BusType. The server closes the bus.
	OpenBus func(bus.Options) (bus.Bus, error)

	// Drain paces how the server lets its clients go when it stops.
	Drain Drain
	// DisableSignals keeps Start from draining on SIGTERM and SIGINT.
	DisableSignals bool

	// LogLevel is the least severe level logged: "debug", "info" (the default),
	// "warn" or "error". It has no effect on Logger.
	LogLevel string
	// Logger takes the server's log; nil logs to standard error at LogLevel.
	Logger *slog.Logger
	// Registerer takes the server's metrics; nil means a registry of its own,
	// served at /metrics.
	Registerer prometheus.Registerer
}
