package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/nats"
)

const (
	// startTimeout is how long the server may take to listen.
	startTimeout = 10 * time.Second
	// drainTimeout is how long Close waits for routes that do not take what
	// was published.
	drainTimeout = time.Second
	drainPause   = time.Millisecond
)

// Bus is a NATS server in this process and the connection to it. It has no log
// and no leaser.
type Bus struct {
	*nats.Bus
	server *server.Server
	cancel context.CancelFunc // ends the looking up of routes
	done   sync.WaitGroup
	close  sync.Once
}

// Connect starts a server in this process that joins the mesh, and waits for peers
// that are routes by name, ten seconds at most. Peers that are away are tried
// again until Close; errors are those of the configuration, of the
// files it names and of the address it listens at.
func Connect(cfg Config, o bus.Options) (*Bus, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	token := rand.Text()
	opts, err := serverOptions(cfg, o.Node, token)
	if err != nil {
		return nil, err
	}
	if err := probeListen(cfg.ClusterAddress); err != nil {
		return nil, err
	}
	found := newRoutes(cfg, opts, log)
	ctx, cancel := context.WithCancel(context.Background())
	opts.Routes = found.lookup(ctx)
	found.known = opts.Routes
	s, err := start(opts, log)
	if err != nil {
		cancel()
		return nil, err
	}
	found.meet(ctx, s)
	client, err := nats.ConnectInProcess(s, nats.Config{Token: token}, o)
	if err != nil {
		cancel()
		s.Shutdown()
		return nil, err
	}
	b := &Bus{Bus: client, server: s, cancel: cancel}
	b.done.Go(func() { found.keep(ctx, s) })
	return b, nil
}

// probeListen tries the address of the mesh, as the server tells of a failure in
// its log only.
func probeListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen at clusterAddress %q: %w", address, err)
	}
	return l.Close()
}

func start(opts *server.Options, log *slog.Logger) (*server.Server, error) {
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("make the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(logger{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, errors.New("start the embedded NATS server: it does not listen; its log says why")
	}
	return s, nil
}

// Peers returns the names of the nodes this one has a route to, sorted: each is
// what the node was given in [bus.Options], with a dot and what tells its lives
// apart.
func (b *Bus) Peers() []string {
	status, err := b.server.Routez(nil)
	if err != nil { // of its options only
		return nil
	}
	var peers []string
	for _, r := range status.Routes {
		peers = append(peers, r.RemoteName)
	}
	slices.Sort(peers)
	return slices.Compact(peers)
}

// Close ends the connection and the server: see [bus.Bus]. Peers have what was
// published, as far as their routes take it in time.
func (b *Bus) Close(ctx context.Context) error {
	err := b.Bus.Close(ctx)
	b.close.Do(func() {
		b.cancel()
		b.drain(ctx)
		b.server.Shutdown() // not its lame duck mode, which is a delay for clients
		b.server.WaitForShutdown()
	})
	b.done.Wait()
	return err
}

// drain waits until nothing waits in routes, or ctx or drainTimeout ends.
func (b *Bus) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	tick := time.NewTicker(drainPause)
	defer tick.Stop()
	for {
		status, err := b.server.Routez(nil)
		if err != nil || !slices.ContainsFunc(status.Routes, func(r *server.RouteInfo) bool { return r.Pending > 0 }) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
