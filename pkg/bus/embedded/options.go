package embedded

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/chenxilol/gohub/pkg/config"
)

const (
	// clusterName is the same everywhere: servers of another are refused.
	clusterName = "gohub"
	// A route on which nothing comes back is given up after two to three of
	// these. The server's default is minutes.
	routePing     = 2 * time.Second
	routePingsOut = 2
	tlsTimeout    = 5 // seconds
)

// serverOptions are those of a server that only its own process can use, and
// other hubs as their peer. The port for clients is on the loopback address and
// wants a token, as routes are not opened without it.
func serverOptions(cfg Config, node, token string) (*server.Options, error) {
	host, port, err := net.SplitHostPort(cfg.ClusterAddress)
	if err != nil {
		return nil, fmt.Errorf("clusterAddress %q: %w", cfg.ClusterAddress, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("clusterAddress %q: %w", cfg.ClusterAddress, err)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	o := &server.Options{
		// Another one each time: a peer may not know yet that the last is gone.
		ServerName:      strings.Trim(node+"."+rand.Text()[:8], "."),
		Host:            "127.0.0.1",
		Port:            server.RANDOM_PORT,
		Authorization:   token,
		NoSigs:          true,
		NoSystemAccount: true, // it would take a connection to each peer
		Cluster: server.ClusterOpts{
			Name:         clusterName,
			Host:         host,
			Port:         number,
			Username:     cfg.Username,
			Password:     cfg.Password,
			NoAdvertise:  true,
			PoolSize:     -1, // one connection to each peer
			Compression:  server.CompressionOpts{Mode: server.CompressionOff},
			PingInterval: routePing,
			MaxPingsOut:  routePingsOut,
		},
	}
	if cfg.TLS.Enabled() {
		t, err := meshTLS(cfg.TLS)
		if err != nil {
			return nil, err
		}
		o.Cluster.TLSConfig = t
		o.Cluster.TLSTimeout = tlsTimeout
		o.Cluster.AuthTimeout = tlsTimeout + 1
	}
	return o, nil
}

// meshTLS is the TLS of routes, where each hub is server and client.
func meshTLS(t config.ClientTLS) (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.certFile %q and tls.keyFile %q: %w", t.CertFile, t.KeyFile, err)
		}
		return &c, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion:           tls.VersionTLS12,
		ServerName:           t.ServerName,
		ClientAuth:           tls.RequireAndVerifyClientCert,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() },
	}
	if t.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read tls.caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read tls.caFile %q: %w", t.CAFile, errors.New("it holds no certificate in PEM form"))
	}
	c.RootCAs, c.ClientCAs = pool, pool
	return c, nil
}
