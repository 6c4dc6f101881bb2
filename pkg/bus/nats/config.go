package nats

import (
	"time"

	"github.com/chenxilol/gohub/pkg/config"
)

// Config says how to reach a NATS server or cluster. Zero fields mean their
// defaults; [DefaultConfig] shows them. One way of signing in may be set:
// Username and Password, Token, CredentialsFile or NKeyFile.
type Config struct {
	// URLs are the servers to try, each as nats://host:port, tls://host:port,
	// ws://..., wss://... or host:port. Empty means nats://localhost:4222.
	URLs []string
	// Name is the connection's name in the server's monitoring; "gohub" by
	// default.
	Name string
	// Prefix begins the names of all subjects and streams, so that several
	// clusters of hubs can share a server; "gohub" by default. It has 1 to 64
	// letters, digits, "-" and "_".
	Prefix string
	// ReconnectWait is the pause between two attempts to reach the same server;
	// 500 ms by default. Negative is an error.
	ReconnectWait time.Duration
	// MaxReconnects is the number of failed attempts for each server after
	// which the hub gives up for good. Zero or negative never gives up.
	MaxReconnects int
	// Username signs in together with Password.
	Username string
	// Password is the password of Username.
	Password string
	// Token signs in with a shared token.
	Token string
	// CredentialsFile is the path of a .creds file with a user JWT and its nkey
	// seed.
	CredentialsFile string
	// NKeyFile is the path of a file with an nkey seed.
	NKeyFile string
	// TLS sets how the server is verified and the hub identified. The tls://
	// scheme turns TLS on as well.
	TLS config.ClientTLS
	// JetStream sets whether and how the server keeps the history of rooms; it
	// does not by default.
	JetStream config.JetStream
}

// DefaultConfig returns the configuration that the zero Config stands for.
func DefaultConfig() Config { return Config{}.WithDefaults() }

// WithDefaults returns c with every zero field replaced by its default; a
// MaxReconnects of -1 then means to never give up.
func (c Config) WithDefaults() Config { return FromConfig(c.ToConfig().Effective()) }

// Validate reports every value that is out of bounds and every contradiction,
// joined into one error; each part is a [config.FieldError] that names the key
// as written in YAML, such as "urls[0]".
func (c Config) Validate() error { return c.ToConfig().Validate() }

// String returns the configuration as JSON with its secrets hidden.
func (c Config) String() string { return c.ToConfig().String() }

// FromConfig returns the Config that n, as read from a file or the
// environment, describes.
func FromConfig(n config.NATS) Config {
	return Config{
		URLs:            n.URLs,
		Name:            n.Name,
		Prefix:          n.Prefix,
		ReconnectWait:   time.Duration(n.ReconnectWait),
		MaxReconnects:   n.MaxReconnects,
		Username:        n.Username,
		Password:        n.Password,
		Token:           n.Token,
		CredentialsFile: n.CredentialsFile,
		NKeyFile:        n.NKeyFile,
		TLS:             n.TLS,
		JetStream:       n.JetStream,
	}
}

// ToConfig is the inverse of [FromConfig].
func (c Config) ToConfig() config.NATS {
	return config.NATS{
		URLs:            c.URLs,
		Name:            c.Name,
		Prefix:          c.Prefix,
		ReconnectWait:   config.Duration(c.ReconnectWait),
		MaxReconnects:   c.MaxReconnects,
		Username:        c.Username,
		Password:        c.Password,
		Token:           c.Token,
		CredentialsFile: c.CredentialsFile,
		NKeyFile:        c.NKeyFile,
		TLS:             c.TLS,
		JetStream:       c.JetStream,
	}
}
