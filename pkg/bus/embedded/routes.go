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
	// meetWithin is how long a new hub waits for peers that have names. Name
	// servers remember for some seconds that there was no such name.
	meetWithin = 10 * time.Second
	meetPause  = 200 * time.Millisecond
)

// routes finds the peers. The server looks a name up as well, but is content with
// one of its addresses: two halves of a mesh that started apart would stay so.
type routes struct {
	cfg  Config
	opts *server.Options // as the server was started; Routes changes
	log  *slog.Logger

	// Used by one goroutine at a time.
	known []*url.URL // what the server was told
	peers int        // addresses of others that names gave; -1: a name was not known
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
	// A peer may have an address of each family.
	four, six, known := map[string]bool{}, map[string]bool{}, true
	for _, route := range r.cfg.Routes {
		host, port, err := net.SplitHostPort(route)
		if err != nil {
			continue // Validate has seen to it
		}
		named := net.ParseIP(host) == nil
		if named {
			// The name, too, which is what certificates hold.
			found = append(found, route)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			r.log.Debug("cannot look up a route of the mesh", "route", route, "error", err)
		}
		known = known && len(addresses) > 0
		for _, a := range addresses {
			if r.own(a, port) {
				continue
			}
			found = append(found, net.JoinHostPort(a, port))
			switch {
			case !named:
			case net.ParseIP(a).To4() != nil:
				four[a+":"+port] = true
			default:
				six[a+":"+port] = true
			}
		}
	}
	if r.peers = max(len(four), len(six)); !known {
		r.peers = -1
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

// keep looks for peers until ctx ends.
func (r *routes) keep(ctx context.Context, s *server.Server) {
	tick := time.NewTicker(lookupInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		r.update(ctx, s)
	}
}

// update has the server go to peers that are new and forget those that are no
// more.
func (r *routes) update(ctx context.Context, s *server.Server) {
	found := r.lookup(ctx)
	if ctx.Err() != nil || equal(found, r.known) {
		return
	}
	opts := r.opts.Clone()
	opts.Routes = found
	if err := s.ReloadOptions(opts); err != nil {
		r.log.Warn("cannot change the routes of the mesh", "error", err)
		return
	}
	r.known = found
}

// meet waits until the server knows all peers whose names have addresses: hubs
// that start together would each take itself for the only one otherwise, and
// serve clients that do not hear each other. Peers that are away, and names that
// nobody knows, are waited for so long and no longer.
func (r *routes) meet(ctx context.Context, s *server.Server) {
	for end := time.Now().Add(meetWithin); r.peers != 0 && (r.peers < 0 || met(s) < r.peers); r.update(ctx, s) {
		if time.Now().After(end) {
			r.log.Warn("not all peers of the mesh are there", "peers", max(r.peers, 0), "met", met(s))
			return
		}
		time.Sleep(meetPause)
	}
}

// met is the number of peers the server has a route to.
func met(s *server.Server) int {
	status, err := s.Routez(nil)
	if err != nil { // of its options only
		return 0
	}
	peers := map[string]bool{}
	for _, route := range status.Routes {
		peers[route.RemoteID] = true
	}
	return len(peers)
}

func equal(a, b []*url.URL) bool {
	return slices.EqualFunc(a, b, func(a, b *url.URL) bool { return a.Host == b.Host })
}
