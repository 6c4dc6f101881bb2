// Package embedded connects hubs through NATS servers inside them, which form one
// mesh: no other program is needed. It keeps no history.
package embedded

import "github.com/chenxilol/gohub/pkg/config"

// Config says how hubs with NATS servers inside them form one mesh. Zero fields
// mean their defaults; [DefaultConfig] shows them. Username and Password must be
// the same on all of them; without them and TLS every peer that reaches
// ClusterAddress joins the mesh.
type Config struct {
	// ClusterAddress is the host:port on which other hubs reach this one;
	// ":6222" by default.
	ClusterAddress string
	// Routes are the other hubs' ClusterAddress. A name with several addresses,
	// such as a headless Service, stands for all of them, and the hub itself
	// may be among them. Names are looked up again every few seconds.
	Routes []string
	// Username is what hubs sign in with at each other, with Password.
	Username string
	// Password is the password of Username.
	Password string
	// TLS secures the mesh; both sides of a connection show their certificate.
	// It needs CertFile and KeyFile, and CAFile to verify the peers. The
	// certificate is read again for each connection, the authorities are not.
	TLS config.ClientTLS
}

// DefaultConfig returns the configuration that the zero Config stands for.
func DefaultConfig() Config { return Config{}.WithDefaults() }

// WithDefaults returns c with every zero field replaced by its default.
func (c Config) WithDefaults() Config { return FromConfig(c.ToConfig().Effective()) }

// Validate reports every value that is out of bounds and every contradiction,
// joined into one error; each part is a [config.FieldError] that names the key
// as written in YAML, such as "routes[0]".
func (c Config) Validate() error { return c.ToConfig().Validate() }

// String returns the configuration as JSON with its secrets hidden.
func (c Config) String() string { return c.ToConfig().String() }

// FromConfig returns the Config that e, as read from a file or the environment,
// describes.
func FromConfig(e config.Embedded) Config { return Config(e) }

// ToConfig is the inverse of [FromConfig].
func (c Config) ToConfig() config.Embedded { return config.Embedded(c) }
