package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// topology says which Redis node owns which partition.
type topology struct {
	sharded    bool               // a Redis Cluster
	owners     [partitions]string // addresses; "" where nobody does
	replicated map[string]bool    // addresses of masters that are known to have a replica
	epoch      int64              // of the configuration: the higher one is the newer
	down       bool               // a Redis Cluster that answers for nothing, as a part of it is missing
	final      bool               // it never changes
}

// finder asks for the topology. It is used by one goroutine.
type finder struct {
	dialer *dialer
	names  *names
	known  []string         // addresses that were owners
	links  map[string]*link // open connections to those that are asked
}

func newFinder(d *dialer, n *names) *finder {
	return &finder{dialer: d, names: n, links: map[string]*link{}}
}

func (f *finder) close() {
	for _, l := range f.links {
		l.close()
	}
}

// seeds are the addresses of the configuration.
func (f *finder) seeds() []string {
	if len(f.dialer.config.Addrs) > 0 {
		return f.dialer.config.Addrs
	}
	return []string{f.dialer.config.Addr}
}

// find asks everybody and believes the one with the newest configuration: one
// that was cut off or stopped tells an old one when it is back.
func (f *finder) find(ctx context.Context) (topology, error) {
	asked, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	addrs := f.seeds()
	ask, open := f.askNode, f.dialer.open
	if f.dialer.config.MasterName != "" {
		ask, open = f.askSentinel, f.dialer.openSentinel
	} else {
		addrs = slices.Compact(slices.Sorted(slices.Values(slices.Concat(addrs, f.known))))
	}

	answers := make([]topology, len(addrs))
	errs := make([]error, len(addrs))
	links := make([]*link, len(addrs))
	var asking sync.WaitGroup
	for i, addr := range addrs {
		links[i] = f.links[addr]
		asking.Go(func() {
			if links[i] == nil {
				if links[i], errs[i] = open(ctx, addr); errs[i] != nil {
					return
				}
			}
			answers[i], errs[i] = ask(asked, addr, links[i].conn)
		})
	}
	asking.Wait()
	f.links = map[string]*link{}
	best := -1
	for i, addr := range addrs {
		if errs[i] == nil && (best < 0 || answers[i].epoch > answers[best].epoch) {
			best = i
		}
		switch {
		case errs[i] == nil || isReply(errs[i]):
			f.links[addr] = links[i]
		case links[i] != nil:
			links[i].close()
		}
	}
	if best < 0 {
		return topology{}, errors.Join(errs...)
	}
	f.known = slices.DeleteFunc(answers[best].addrs(), func(a string) bool { return a == "" })
	return answers[best], nil
}

func (t *topology) addrs() []string {
	return slices.Compact(slices.Sorted(slices.Values(t.owners[:])))
}

// single is the topology of one server.
func single(addr string) topology {
	t := topology{replicated: map[string]bool{}}
	for p := range t.owners {
		t.owners[p] = addr
	}
	return t
}

// askNode asks a Redis node which others there are. One that is no part of a
// Redis Cluster is all there is.
func (f *finder) askNode(ctx context.Context, addr string, c *goredis.Conn) (topology, error) {
	pipe := c.Pipeline()
	info := pipe.ClusterInfo(ctx)
	nodes := pipe.ClusterSlots(ctx)
	err := exec(ctx, pipe)
	if err != nil {
		return topology{}, fmt.Errorf("ask redis %s for its cluster: %w", addr, err)
	}
	err = errors.Join(info.Err(), nodes.Err())
	switch {
	case err == nil:
		return f.cluster(addr, info.Val(), nodes.Val())
	case !isReply(info.Err()):
		return topology{}, fmt.Errorf("ask redis %s for its cluster: %w", addr, err)
	case len(f.seeds()) > 1:
		return topology{}, fmt.Errorf("redis %s: several addresses are those of a Redis Cluster: %w", addr, info.Err())
	case strings.HasPrefix(info.Err().Error(), "LOADING"), strings.HasPrefix(info.Err().Error(), "BUSY"):
		return topology{}, fmt.Errorf("redis %s: %w", addr, info.Err())
	}
	t := single(addr)
	t.final = true
	return t, nil
}

// cluster reads the answers of a node of a Redis Cluster.
func (f *finder) cluster(addr, info string, ranges []goredis.ClusterSlot) (topology, error) {
	t := topology{sharded: true, replicated: map[string]bool{}}
	t.down = true
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "cluster_state":
			t.down = value != "ok"
		case "cluster_current_epoch":
			t.epoch, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	if t.down { // others may know better
		t.epoch -= 1 << 32
	}
	for _, r := range ranges {
		if len(r.Nodes) == 0 {
			continue
		}
		owner := absolute(r.Nodes[0].Addr, addr)
		if len(r.Nodes) > 1 {
			t.replicated[owner] = true
		}
		for p, slot := range f.names.slots {
			if r.Start <= slot && slot <= r.End {
				t.owners[p] = owner
			}
		}
	}
	if len(ranges) == 0 {
		return t, fmt.Errorf("redis %s: its cluster has no slots yet", addr)
	}
	return t, nil
}

// absolute returns an address of CLUSTER SLOTS, where an empty host is that of
// the node which was asked.
func absolute(addr, asked string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "" {
		return addr
	}
	host, _, _ = net.SplitHostPort(asked)
	return net.JoinHostPort(host, port)
}

// askSentinel asks a Sentinel for the master.
func (f *finder) askSentinel(ctx context.Context, addr string, c *goredis.Conn) (topology, error) {
	name := f.dialer.config.MasterName
	pipe := c.Pipeline()
	master := goredis.NewMapStringStringCmd(ctx, "sentinel", "master", name)
	replicas := goredis.NewMapStringStringSliceCmd(ctx, "sentinel", "replicas", name)
	_ = pipe.Process(ctx, master)
	_ = pipe.Process(ctx, replicas)
	if _, err := pipe.Exec(ctx); err != nil {
		return topology{}, fmt.Errorf("ask sentinel %s for master %q: %w", addr, name, err)
	}
	m := master.Val()
	t := single(net.JoinHostPort(m["ip"], m["port"]))
	t.epoch, _ = strconv.ParseInt(m["config-epoch"], 10, 64)
	for _, r := range replicas.Val() {
		// One that Sentinel holds for dead is not waited for.
		if !strings.Contains(r["flags"], "down") && !strings.Contains(r["flags"], "disconnected") {
			t.replicated[t.owners[0]] = true
		}
	}
	return t, nil
}
