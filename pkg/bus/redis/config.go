package redis

import "github.com/chenxilol/gohub/pkg/config"

// Config says how to reach Redis. Zero fields mean their defaults;
// [DefaultConfig] shows them. Addr alone is one server; MasterName makes the
// addresses those of Sentinels; several addresses without it are a Redis
// Cluster.
type Config struct {
	// Addr is the server's host:port; without Addrs localhost:6379 by default,
	// or localhost:26379 with MasterName. Use either Addr or Addrs.
	Addr string
	// Addrs are several host:port: the Sentinels where MasterName is set, else
	// nodes of a Redis Cluster.
	Addrs []string
	// MasterName is the name of the master the Sentinels watch.
	MasterName string
	// Username signs in together with Password. Empty is the default user.
	Username string
	// Password is the password of Username, or of the default user.
	Password string
	// SentinelUsername signs in to the Sentinels together with
	// SentinelPassword. Empty is their default user.
	SentinelUsername string
	// SentinelPassword is the password of the Sentinels themselves, where they
	// ask for one.
	SentinelPassword string
	// DB is the number of the database. A Redis Cluster has only 0. Negative is
	// an error.
	DB int
	// Prefix begins the names of all keys and channels, as in "{gohub:17}:...",
	// so that several clusters of hubs can share a server: the hubs of one
	// cluster have the same, no other has it in the same DB. 1 to 64 letters,
	// digits, "-" and "_"; "gohub" by default.
	Prefix string
	// TLS sets how the server is verified and the hub identified.
	TLS config.ClientTLS
}

// DefaultConfig returns the configuration that the zero Config stands for.
func DefaultConfig() Config { return Config{}.WithDefaults() }

// WithDefaults returns c with every zero field replaced by its default.
func (c Config) WithDefaults() Config { return FromConfig(c.ToConfig().Effective()) }

// Validate reports every value that is out of bounds and every contradiction,
// joined into one error; each part is a [config.FieldError] that names the key
// as written in YAML, such as "addrs[0]".
func (c Config) Validate() error { return c.ToConfig().Validate() }

// String returns the configuration as JSON with its secrets hidden.
func (c Config) String() string { return c.ToConfig().String() }

// FromConfig returns the Config that r, as read from a file or the
// environment, describes.
func FromConfig(r config.Redis) Config { return Config(r) }

// ToConfig is the inverse of [FromConfig].
func (c Config) ToConfig() config.Redis { return config.Redis(c) }
