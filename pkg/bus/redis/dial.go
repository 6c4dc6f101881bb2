package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chenxilol/gohub/pkg/config"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Times of a connection. Together they see that one that is dead or whose
// server is paused is given up within pingEvery + answerWithin.
const (
	dialWithin   = 2 * time.Second
	pingEvery    = time.Second     // between two questions to a server that says nothing
	answerWithin = 2 * time.Second // then the connection is given up
)

// dialer makes connections to Redis nodes and Sentinels.
type dialer struct {
	config Config
	name   string // of this node, in CLIENT LIST
}

// link is one connection with go-redis on top. go-redis must not make it anew
// by itself: what is to be done in between (tell of it, subscribe again in
// batches, see that nothing is sent twice) is for its lane.
type link struct {
	client *goredis.Client
	conn   *goredis.Conn // for everything but subscriptions: it does not look for another connection
	net    net.Conn
	stop   func() bool // lets go of the context
}

// close is safe for concurrent use, also with a command that waits: that fails.
func (l *link) close() {
	l.stop()
	l.end()
}

func (l *link) end() {
	_ = l.net.Close()
	_ = l.client.Close()
}

// open connects to a Redis node; the connection signs in with its first
// command. It is closed when ctx ends.
func (d *dialer) open(ctx context.Context, addr string) (*link, error) {
	return d.link(ctx, &goredis.Options{
		Addr: addr, Username: d.config.Username, Password: d.config.Password, DB: d.config.DB,
	})
}

// openSentinel connects to a Sentinel in the same way.
func (d *dialer) openSentinel(ctx context.Context, addr string) (*link, error) {
	return d.link(ctx, &goredis.Options{
		Addr: addr, Username: d.config.SentinelUsername, Password: d.config.SentinelPassword,
	})
}

func (d *dialer) link(ctx context.Context, o *goredis.Options) (*link, error) {
	conn, err := d.dial(ctx, o.Addr)
	if err != nil {
		return nil, fmt.Errorf("dial redis %s: %w", o.Addr, err)
	}
	var used atomic.Bool
	o.Dialer = func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, net.ErrClosed
		}
		return conn, nil
	}
	o.ClientName = d.name
	o.Protocol = 2 // as RESP3 has go-redis look for pushes before every reply
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PoolSize = 1
	o.PipelinePoolSize = -1 // pipelines use the one connection
	o.ConnMaxIdleTime = -1
	o.ReadTimeout, o.WriteTimeout = answerWithin, answerWithin
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := goredis.NewClient(o)
	l := &link{client: c, conn: c.Conn(), net: conn}
	// go-redis ends no command for a context that is cancelled.
	l.stop = context.AfterFunc(ctx, l.end)
	return l, nil
}

// dial makes the TCP connection, with TLS where that is configured. Files are
// read each time, so that renewed certificates are taken up.
func (d *dialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	plain := &net.Dialer{KeepAlive: 15 * time.Second}
	if !d.config.TLS.Enabled() {
		return plain.DialContext(ctx, "tcp", addr)
	}
	c, err := tlsConfig(d.config.TLS)
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: plain, Config: c}).DialContext(ctx, "tcp", addr)
}

func tlsConfig(t config.ClientTLS) (*tls.Config, error) {
	c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.caFile: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.caFile: %s holds no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.certFile and tls.keyFile: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// clientName makes a node's name one that Redis takes: printable, no blanks.
func clientName(node string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '-'
		}
		return r
	}, node)
}

// server is what a connection learns about the node behind it.
type server struct {
	id       int64  // of this connection
	run      string // changes when the data may have become older: at a restart or promotion
	replicas int    // that are connected to it
	sharded  bool   // it is part of a Redis Cluster
}

var errNoMaster = errors.New("it is a replica")

// greet asks a node who it is. It fails unless that is a master that answers
// for its data: a replica takes PUBLISH, too, but only for its own subscribers.
// Where the user may not ask it is taken for one.
func greet(ctx context.Context, c goredis.Cmdable) (server, error) {
	pipe := c.Pipeline()
	ping := pipe.Ping(ctx)
	id := pipe.ClientID(ctx)
	info := pipe.Info(ctx, "replication")
	var s server
	if err := exec(ctx, pipe); err != nil {
		return s, err
	}
	if err := ping.Err(); err != nil { // LOADING is among them
		return s, err
	}
	for _, err := range []error{id.Err(), info.Err()} {
		if err != nil && !isReply(err) {
			return s, err
		}
	}
	s.id = id.Val()
	for line := range strings.Lines(info.Val()) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case key == "role" && value != "master":
			return s, errNoMaster
		case key == "master_replid":
			s.run = value
		case strings.HasPrefix(key, "slave") && strings.Contains(value, "state=online"):
			s.replicas++
		}
	}
	return s, nil
}

// exec makes the round trip of a pipeline whose commands each have their own
// error afterwards. It fails where they have not, as when signing in fails.
func exec(ctx context.Context, pipe goredis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	for _, c := range cmds {
		if c.Err() != nil {
			return nil
		}
	}
	return err
}

// isReply reports whether an error is an answer of Redis, so that the
// connection goes on.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply) && !errors.Is(err, goredis.Nil)
}
