package embedded

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// lookupInterval is the time between two looks for peers.
	lookupInterval = 3 * time.Second
	lookupTimeout  = 2 * time.Second
)

// routes finds the peers. The server looks a name up as well, but is content with
// one of its addresses: two halves of a mesh that started apart would stay so.
type routes struct {
	cfg  Config
	opts *server.Options // as the server was started; Routes changes
	log  *slog.Logger
}

func newRoutes(cfg Config, opts *server.Options, log *slog.Logger) *routes {
	return &routes{cfg: cfg, opts: opts, log: log}
}

// lookup returns the configured routes and, for names, those to each of their
// addresses but this hub's own, in a stable order.
func (r *routes) lookup(ctx context.Context) []*url.URL {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var found []string
	for _, route := range r.cfg.Routes {
		host, port, err := net.SplitHostPort(route)
		if err != nil {
			continue // Validate has seen to it
		}
		if net.ParseIP(host) == nil {
			// The name, too, which is what certificates hold.
			found = append(found, route)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			r.log.Debug("cannot look up a route of the mesh", "route", route, "error", err)
		}
		for _, a := range addresses {
			if !r.own(a, port) {
				found = append(found, net.JoinHostPort(a, port))
			}
		}
	}
	slices.Sort(found)
	var urls []*url.URL
	for _, host := range slices.Compact(found) {
		u := &url.URL{Scheme: "nats-route", Host: host}
		if r.cfg.Username != "" {
			u.User = url.UserPassword(r.cfg.Username, r.cfg.Password)
		}
		urls = append(urls, u)
	}
	return urls
}

// own says whether an address is where this hub listens.
func (r *routes) own(ip, port string) bool {
	host, ownPort, _ := net.SplitHostPort(r.cfg.ClusterAddress)
	if port != ownPort {
		return false
	}
	if listens := net.ParseIP(host); listens != nil && !listens.IsUnspecified() {
		return listens.Equal(net.ParseIP(ip))
	}
	local, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(local, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(net.ParseIP(ip))
	})
}

// keep looks for peers until ctx ends, and has the server go to those that are
// new and forget those that are no more.
func (r *routes) keep(ctx context.Context, s *server.Server) {
	tick := time.NewTicker(lookupInterval)
	defer tick.Stop()
	known := r.opts.Routes
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		found := r.lookup(ctx)
		if ctx.Err() != nil || equal(found, known) {
			continue
		}
		opts := r.opts.Clone()
		opts.Routes = found
		if err := s.ReloadOptions(opts); err != nil {
			r.log.Warn("cannot change the routes of the mesh", "error", err)
			continue
		}
		known = found
	}
}

func equal(a, b []*url.URL) bool {
	return slices.EqualFunc(a, b, func(a, b *url.URL) bool { return a.Host == b.Host })
}
