//go:build unix

package redisserver

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Sentinel is a master with replicas, watched by Sentinels. The roles change
// with a failover.
type Sentinel struct {
	Name      string    // of the master
	Servers   []*Server // the first one begins as the master
	Sentinels []*Server
}

// StartSentinel starts one master, replicas, and three Sentinels that take a
// master for dead after half a second, and waits until they know each other. A
// password is that of the Sentinels, too.
func StartSentinel(t testing.TB, replicas int, c Config) *Sentinel {
	t.Helper()
	s := &Sentinel{Name: "test", Servers: []*Server{Start(t, c)}}
	master := s.Servers[0]
	host, port, _ := strings.Cut(master.Addr, ":")
	for range replicas {
		r := c
		r.Lines = append(slices.Clone(c.Lines), "replicaof "+host+" "+port, "repl-diskless-sync-delay 0")
		s.Servers = append(s.Servers, Start(t, r))
	}
	lines := []string{
		"sentinel monitor " + s.Name + " " + host + " " + port + " 2",
		"sentinel down-after-milliseconds " + s.Name + " 500",
		"sentinel failover-timeout " + s.Name + " 3000",
	}
	if c.Password != "" {
		lines = append(lines, "sentinel auth-pass "+s.Name+" "+c.Password, "requirepass "+c.Password)
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, Start(t, Config{sentinel: true, Lines: lines, Password: c.Password}))
	}
	s.Await(t)
	return s
}

// Addrs are the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// Await waits until all replicas follow the master and all Sentinels know it.
func (s *Sentinel) Await(t testing.TB) {
	t.Helper()
	master := s.Master(t)
	for _, sentinel := range s.Sentinels {
		c := sentinel.Client(t)
		Eventually(t, "sentinels know each other and the master", func(ctx context.Context) error {
			m, err := c.Do(ctx, "sentinel", "master", s.Name).Slice()
			if err != nil {
				return err
			}
			v := map[any]any{}
			for i := 0; i+1 < len(m); i += 2 {
				v[m[i]] = m[i+1]
			}
			if v["num-slaves"] != strconv.Itoa(len(s.Servers)-1) || v["num-other-sentinels"] != "2" ||
				v["flags"] != "master" || fmt.Sprint(v["ip"], ":", v["port"]) != master.Addr {
				return fmt.Errorf("%w: %v", errNotYet, v)
			}
			return nil
		})
	}
}

// Master returns the server that is the master now and has all replicas.
func (s *Sentinel) Master(t testing.TB) *Server {
	t.Helper()
	var master *Server
	Eventually(t, "there is one master", func(ctx context.Context) (err error) {
		master, err = s.master(ctx, t)
		return err
	})
	return master
}

func (s *Sentinel) master(ctx context.Context, t testing.TB) (*Server, error) {
	want := "connected_slaves:" + strconv.Itoa(len(s.Servers)-1)
	for _, server := range s.Servers {
		info, err := server.Client(t).Info(ctx, "replication").Result()
		if err == nil && strings.Contains(info, "role:master") && strings.Contains(info, want) &&
			strings.Count(info, "state=online") == len(s.Servers)-1 {
			return server, nil
		}
	}
	return nil, errNotYet
}

// Cluster is a Redis Cluster.
type Cluster struct {
	Servers []*Server // the masters first, as they begin
	masters int
}

// StartCluster starts a Redis Cluster of masters with so many replicas each, and
// waits until all slots are served. A node is taken for dead after a second.
func StartCluster(t testing.TB, masters, replicas int, c Config) *Cluster {
	t.Helper()
	s := &Cluster{masters: masters}
	for range masters * (1 + replicas) {
		n := c
		n.Lines = append(slices.Clone(c.Lines),
			"cluster-enabled yes", "cluster-node-timeout 1000", "repl-diskless-sync-delay 0",
			"cluster-port "+strconv.Itoa(freePort(t)))
		s.Servers = append(s.Servers, Start(t, n))
	}
	s.cli(t, append(append([]string{"--cluster", "create"}, s.Addrs()...), "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")...)
	s.Await(t)
	return s
}

// Addrs are the addresses of all nodes.
func (s *Cluster) Addrs() []string { return addrs(s.Servers) }

// Await waits until every node says that all is well, and how many replicas
// there are.
func (s *Cluster) Await(t testing.TB) {
	t.Helper()
	for _, server := range s.Servers {
		c := server.Client(t)
		Eventually(t, "the cluster is well for "+server.Addr, func(ctx context.Context) error {
			info, err := c.ClusterInfo(ctx).Result()
			if err != nil {
				return err
			}
			shards, err := c.ClusterShards(ctx).Result()
			if err != nil {
				return err
			}
			nodes := map[int64]bool{}
			for _, shard := range shards {
				for _, n := range shard.Nodes {
					nodes[n.Port+n.TLSPort] = n.Health == "online"
				}
			}
			for port, online := range nodes {
				if !online {
					return fmt.Errorf("%w: %d is not online", errNotYet, port)
				}
			}
			if !strings.Contains(info, "cluster_state:ok") || len(nodes) != len(s.Servers) {
				return fmt.Errorf("%w: %d nodes, %s", errNotYet, len(nodes), strings.Fields(info)[0])
			}
			return nil
		})
	}
}

// MoveSlot moves a slot without keys from one master to another.
func (s *Cluster) MoveSlot(t testing.TB, slot int, from, to *Server) {
	t.Helper()
	ctx, id := t.Context(), to.Client(t).ClusterMyID(t.Context()).Val()
	for _, n := range []*Server{to, from} { // the new owner first
		if err := n.Client(t).Do(ctx, "cluster", "setslot", slot, "node", id).Err(); err != nil {
			t.Fatalf("move slot %d: %v", slot, err)
		}
	}
}

// Owner returns the master of a slot.
func (s *Cluster) Owner(t testing.TB, slot int) *Server {
	t.Helper()
	for _, n := range s.Servers {
		shards, err := n.Client(t).ClusterShards(t.Context()).Result()
		if err != nil {
			t.Fatalf("cluster shards: %v", err)
		}
		me := n.Client(t).ClusterMyID(t.Context()).Val()
		for _, shard := range shards {
			for _, r := range shard.Slots {
				for _, node := range shard.Nodes {
					if int(r.Start) <= slot && slot <= int(r.End) && node.ID == me && node.Role == "master" {
						return n
					}
				}
			}
		}
	}
	t.Fatalf("slot %d has no owner", slot)
	return nil
}

// cli runs redis-cli against the first node.
func (s *Cluster) cli(t testing.TB, args ...string) {
	t.Helper()
	first := s.Servers[0].config
	if first.TLS != nil {
		args = append(args, first.TLS.cliArgs()...)
	}
	cmd := exec.Command("redis-cli", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args[:2], " "), err, out)
	}
}

func addrs(servers []*Server) []string {
	var list []string
	for _, s := range servers {
		list = append(list, s.Addr)
	}
	return list
}
