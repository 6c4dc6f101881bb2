package nats

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/config"
)

// Times of a connection.
const (
	dialTimeout = 2 * time.Second // of a connection, and again of its handshake
	// writeTimeout is how long a write may hang until the connection is given
	// up. Publish and Subscribe wait as long at most, once for each connection.
	writeTimeout = 2 * time.Second
	// A connection on which nothing comes back is given up after one to two of
	// these. The default of the library is four to six minutes.
	pingInterval = 5 * time.Second
	maxPingsOut  = 1
	flushTimeout = 30 * time.Second // of one part of the subscriptions
)

// Connect connects to NATS. A server that is away, now or later, is tried again
// until Close; errors are those of the configuration and of the files it names.
// Connect waits for the first attempt, for a few seconds at most. The files of
// TLS and credentials are read again for each connection.
func Connect(cfg Config, o bus.Options) (*Bus, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts := baseOptions(cfg, o)
	opts.Servers = cfg.URLs
	if err := signIn(cfg, &opts); err != nil {
		return nil, err
	}
	if cfg.TLS.Enabled() {
		if err := secure(cfg.TLS, &opts); err != nil {
			return nil, err
		}
	}
	b := newBus(cfg, o, opts)
	b.start()
	return b, nil
}

// ConnectInProcess is [Connect] to a server in this process. Of cfg, the
// addresses and TLS are not used.
func ConnectInProcess(server nats.InProcessConnProvider, cfg Config, o bus.Options) (*Bus, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts := baseOptions(cfg, o)
	if err := signIn(cfg, &opts); err != nil {
		return nil, err
	}
	b := newBus(cfg, o, opts)
	b.opts.InProcessServer = inProcess{server, b}
	b.start()
	return b, nil
}

// baseOptions are those of every connection. The library does not reconnect by
// itself: while it tries, it holds the lock that Publish and Subscribe need.
func baseOptions(cfg Config, o bus.Options) nats.Options {
	opts := nats.GetDefaultOptions()
	opts.Name = cfg.Name
	if o.Node != "" {
		opts.Name += "/" + o.Node
	}
	opts.AllowReconnect = false
	opts.NoEcho = true
	opts.Timeout = dialTimeout
	opts.FlusherTimeout = writeTimeout
	opts.ReconnectOnFlusherError = true // which is to close it, as it does not reconnect
	opts.PingInterval = pingInterval
	opts.MaxPingsOut = maxPingsOut
	opts.SkipHostLookup = true // the dialer's business
	opts.InboxPrefix = newNames(cfg.Prefix, false).inbox
	return opts
}

// signIn sets what a connection signs in with.
func signIn(cfg Config, opts *nats.Options) error {
	opts.User, opts.Password, opts.Token = cfg.Username, cfg.Password, cfg.Token
	if file := cfg.CredentialsFile; file != "" {
		if _, err := os.ReadFile(file); err != nil {
			return fmt.Errorf("read credentialsFile: %w", err)
		}
		if err := nats.UserCredentials(file)(opts); err != nil {
			return fmt.Errorf("read credentialsFile %q: %w", file, err)
		}
	}
	if file := cfg.NKeyFile; file != "" {
		option, err := nats.NkeyOptionFromSeed(file)
		if err == nil {
			err = option(opts)
		}
		if err != nil {
			return fmt.Errorf("read nkeyFile %q: %w", file, err)
		}
	}
	return nil
}

// secure turns on TLS. The files are read now to find mistakes, and again for
// each connection.
func secure(t config.ClientTLS, opts *nats.Options) error {
	opts.Secure = true
	opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CertFile != "" {
		opts.TLSCertCB = func() (tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return c, fmt.Errorf("read tls.certFile %q and tls.keyFile %q: %w", t.CertFile, t.KeyFile, err)
			}
			return c, nil
		}
		if _, err := opts.TLSCertCB(); err != nil {
			return err
		}
	}
	if t.CAFile != "" {
		opts.RootCAsCB = func() (*x509.CertPool, error) { return readCAs(t.CAFile) }
		if _, err := opts.RootCAsCB(); err != nil {
			return err
		}
	}
	return nil
}

func readCAs(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read tls.caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read tls.caFile %q: %w", file, errors.New("it holds no certificate in PEM form"))
	}
	return pool, nil
}
