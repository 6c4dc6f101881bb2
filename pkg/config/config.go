// Package config holds GoHub's one configuration structure: the keys of its
// YAML file, their GOHUB_* environment names, defaults and checks.
//
// The package reads and judges values; it starts nothing and, but for the
// _FILE variants of [ApplyEnv], touches nothing outside. It uses only the
// standard library, so the operator can share it with the hub.
//
// Three rules hold for every key:
//
//   - Zero (0, "", an empty list) means the default.
//   - A negative number or duration means off or unlimited where the key says
//     so, and is an error elsewhere.
//   - Values are written plainly: durations as text with a unit ("25s"), sizes
//     in bytes, lists as lists.
package config

// Config is the whole configuration of one hub. The zero value is a working
// configuration; see [Config.Effective] for what it stands for.
//
// A Config is a plain value. Its methods never change it, and copies share
// only the backing arrays of their lists, which this package never writes to.
type Config struct {
	// # Addresses and endpoints

	// Address is the host:port the hub listens on for websockets and HTTP. An
	// empty host means every interface, port 0 any free port.
	Address string `json:"address"`

	// AdminAddress is a separate host:port for the admin API, the probes and
	// the metrics. Empty keeps them on Address.
	AdminAddress string `json:"adminAddress"`

	// APIKey is the key that callers of the admin API send as
	// "Authorization: Bearer <key>". Without it only tokens with admin:system
	// are let in; with neither a key nor EnableAuth the admin API is off.
	APIKey string `json:"apiKey" secret:"true"`

	// TLS serves Address over TLS from these files.
	TLS TLSFiles `json:"tls"`

	// AllowedOrigins lists further browser origins that may connect, each as
	// scheme://host[:port]. The host may begin with "*." for any subdomain, and
	// "*" alone allows every origin. Requests without an Origin, from the same
	// host and from loopback are always allowed.
	AllowedOrigins []string `json:"allowedOrigins"`

	// TrustedProxies lists the addresses or CIDR ranges of proxies whose
	// X-Forwarded-For is believed when the hub looks for a client's address.
	// Empty believes none: the client is then the peer of the TCP connection.
	TrustedProxies []string `json:"trustedProxies"`

	// # Authentication

	// EnableAuth asks every connection for a valid token. Off, everybody
	// connects and may do everything.
	EnableAuth bool `json:"enableAuth"`

	// AllowAnonymous lets connections without a token in while EnableAuth is
	// on; they hold AnonymousPermissions. No effect while it is off.
	AllowAnonymous bool `json:"allowAnonymous"`

	// AnonymousPermissions are held by connections without a token while
	// EnableAuth and AllowAnonymous are on. Each is a permission
	// ("join:room"), optionally limited to rooms by a pattern
	// ("join:room:chat.*"). Empty means none.
	AnonymousPermissions []string `json:"anonymousPermissions"`

	// JWTSecretKey is the shared secret of tokens signed with HS256, HS384 or
	// HS512. Use 32 bytes or more; a shorter one works with a warning.
	JWTSecretKey string `json:"jwtSecretKey" secret:"true"`

	// JWTPreviousSecretKeys are shared secrets that still verify tokens while
	// JWTSecretKey is being rotated; none is used to sign.
	JWTPreviousSecretKeys []string `json:"jwtPreviousSecretKeys" secret:"true"`

	// JWTPublicKeys are public keys or certificates in PEM form that verify
	// tokens signed with RSA (2048 bits or more), ECDSA or Ed25519 keys. Use one
	// kind of key: JWTSecretKey, JWTPublicKeys or JWKSURL.
	JWTPublicKeys []string `json:"jwtPublicKeys"`

	// JWKSURL is the http or https address of the issuer's JSON Web Key Set.
	// Keys are fetched from this address only, whatever a token names.
	JWKSURL string `json:"jwksURL" secret:"url"`

	// JWTAlgorithm is the one algorithm accepted from JWTSecretKey (HS...), or
	// from JWTPublicKeys and JWKSURL (the others). Empty means HS256 for
	// secrets, and for public keys the algorithm that belongs to the kind of
	// key (RS256, ES256, ES384, ES512 or EdDSA).
	JWTAlgorithm string `json:"jwtAlgorithm" enum:"HS256,HS384,HS512,RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA"`

	// JWTIssuer is the iss claim a token must carry. Empty does not check it.
	JWTIssuer string `json:"jwtIssuer"`

	// JWTAudience is the aud claim a token must contain. Empty does not check
	// it.
	JWTAudience string `json:"jwtAudience"`

	// JWTSubjectClaim names the claim that becomes the client's id. It cannot be
	// iss, aud, exp, nbf, iat or permissions.
	JWTSubjectClaim string `json:"jwtSubjectClaim"`

	// JWTLeeway is the clock difference allowed when exp and nbf are checked.
	// Negative allows none.
	JWTLeeway Duration `json:"jwtLeeway" negative:"none"`

	// RequireExpiry refuses tokens without an exp claim. Off, such a token
	// never expires.
	RequireExpiry bool `json:"requireExpiry"`

	// # Client ids

	// EnableQueryClientID lets a client without a token name its own id in the
	// query parameter QueryClientIDParam. With EnableAuth the id becomes
	// "anon:<id>".
	EnableQueryClientID bool `json:"enableQueryClientID"`

	// QueryClientIDParam is the name of that query parameter. It cannot be
	// "token".
	QueryClientIDParam string `json:"queryClientIDParam"`

	// DuplicateID says what happens when an id connects again: "replace" closes
	// the older connection with 4009, "reject" refuses the newer one, "allow"
	// keeps both, and direct messages reach both.
	DuplicateID string `json:"duplicateID" enum:"replace,reject,allow"`

	// # Connections

	// Engine says how sockets are served: "auto" uses the event loop where the
	// system and the connection allow it (Linux, without TLS), "goroutine" uses
	// a goroutine for each connection, which costs several times the memory.
	Engine string `json:"engine" enum:"auto,goroutine"`

	// ReadTimeout closes a connection from which no frame at all, pongs
	// included, came for this long. Negative never does.
	ReadTimeout Duration `json:"readTimeout" negative:"off"`

	// WriteTimeout closes a connection whose waiting output did not move for
	// this long. Negative never does.
	WriteTimeout Duration `json:"writeTimeout" negative:"off"`

	// PingInterval is the silence after which the hub sends a ping; the ping
	// goes out after a third of ReadTimeout where that is shorter. Negative
	// sends none, so clients must speak within ReadTimeout by themselves.
	PingInterval Duration `json:"pingInterval" negative:"off"`

	// HandshakeTimeout is the longest a client may take to send its upgrade
	// request, TLS handshake included. Negative waits for ever.
	HandshakeTimeout Duration `json:"handshakeTimeout" negative:"off"`

	// ReadBufferSize is the size in bytes of the pooled buffers that connections
	// without an event loop (those with TLS, and all of the goroutine engine) are
	// read into, at most 16777216 (16 MiB). Event loops read into one of 64 KiB
	// each. It never limits a message.
	ReadBufferSize int `json:"readBufferSize" max:"16777216"`

	// WriteBufferSize has no effect: a frame is written as it is, without a
	// buffer, and what a slow client leaves over waits within sendQueueBytes. At
	// most 16777216 (16 MiB).
	WriteBufferSize int `json:"writeBufferSize" max:"16777216"`

	// MaxMessageSize is the largest message in bytes a client may send, counted
	// after decompression; a larger one closes the connection with 1009.
	// Negative allows any size. In a cluster it is at most the largest payload
	// of the bus less 8192 (1040384 with NATS as it comes).
	MaxMessageSize int `json:"maxMessageSize" negative:"unlimited"`

	// MaxConnections is the number of connections this hub accepts; beyond it
	// upgrades are answered 503. Zero is the process's limit of open
	// descriptors less 256. Negative accepts any number.
	MaxConnections int `json:"maxConnections" negative:"unlimited" default:"descriptor limit less 256"`

	// Compression offers permessage-deflate to clients. It costs CPU time and
	// memory for each message, so it is off unless asked for.
	Compression bool `json:"compression"`

	// # Limits

	// RateLimit bounds what one client, or one client address, may do a second.
	RateLimit RateLimit `json:"rateLimit"`

	// SlowConsumer says what happens to a client with more than SendQueueBytes
	// waiting: "close" closes it with 4008, "drop" drops messages and announces
	// the gap to gohub.v1 clients. Other clients are closed in both cases.
	SlowConsumer string `json:"slowConsumer" enum:"close,drop"`

	// SendQueueBytes is the number of bytes that may wait for one client whose
	// socket is full. Negative lets any number wait.
	SendQueueBytes int `json:"sendQueueBytes" negative:"unlimited"`

	// # Rooms

	// MaxRooms is the number of rooms this hub holds at once. Negative holds
	// any number.
	MaxRooms int `json:"maxRooms" negative:"unlimited"`

	// MaxRoomsPerClient is the number of rooms one client may be in at once.
	// Negative allows any number.
	MaxRoomsPerClient int `json:"maxRoomsPerClient" negative:"unlimited"`

	// MaxRoomsCreatedPerClient is the number of existing rooms one client may
	// have created. Negative allows any number.
	MaxRoomsCreatedPerClient int `json:"maxRoomsCreatedPerClient" negative:"unlimited"`

	// Rooms are rules for rooms by name. The first rule whose pattern matches a
	// room's name applies; a room no rule matches has no limit, no history and
	// no presence notices.
	Rooms []RoomRule `json:"rooms"`

	// # Cluster

	// EnableCluster makes the hubs that share a bus act as one. It needs a
	// BusType other than "noop".
	EnableCluster bool `json:"enableCluster"`

	// NodeID names this hub among the others. Empty means nats.name where that
	// is set, else the host's name, which is the pod's in Kubernetes.
	NodeID string `json:"nodeID"`

	// BusType names what connects the hubs: "nats", "redis", "embedded" (NATS
	// servers inside the hubs) or "noop" (one hub alone).
	BusType string `json:"busType" enum:"nats,redis,embedded,noop"`

	// NATS says how to reach NATS. Used when BusType is "nats".
	NATS NATS `json:"nats" go:"NATSConfig"`

	// Redis says how to reach Redis. Used when BusType is "redis".
	Redis Redis `json:"redis" go:"RedisConfig"`

	// Embedded says how the hubs reach each other. Used when BusType is
	// "embedded".
	Embedded Embedded `json:"embedded" go:"EmbeddedConfig"`

	// # Lifecycle

	// Drain paces how the hub lets its clients go when it stops.
	Drain Drain `json:"drain"`

	// DisableSignals keeps Start from draining on SIGTERM and SIGINT, for
	// programs that handle signals themselves.
	DisableSignals bool `json:"disableSignals"`

	// LogLevel is the least severe level that is logged.
	LogLevel string `json:"logLevel" enum:"debug,info,warn,error"`
}
