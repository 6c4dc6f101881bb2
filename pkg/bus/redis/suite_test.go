//go:build unix

package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/redisserver"
)

// harness is what all kinds of Redis have in common.
func harness(cfg redis.Config, servers []*redisserver.Server) bustest.Harness {
	each := func(do func(*redisserver.Server, testing.TB)) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			for _, s := range servers {
				do(s, t)
			}
		}
	}
	return bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus {
			t.Helper()
			b, err := redis.Connect(cfg, o)
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			return b
		},
		Kill:    each((*redisserver.Server).Kill),
		Restart: each((*redisserver.Server).Restart),
		RestartEmpty: func(t *testing.T) {
			each((*redisserver.Server).Wipe)(t)
			each((*redisserver.Server).Restart)(t)
		},
		Pause:          each((*redisserver.Server).Pause),
		Resume:         each((*redisserver.Server).Resume),
		History:        true,
		ExactRetention: true,
		TTL:            300 * time.Millisecond,
		Leases:         true,
	}
}

// Every other node reaches the server through a proxy, which can cut it off.
func TestSingle(t *testing.T) {
	s := redisserver.Start(t, redisserver.Config{})
	h := harness(redis.Config{Addr: s.Addr}, []*redisserver.Server{s})
	proxy := redisserver.StartProxy(t, s)
	connect, count := h.Connect, 0
	h.Connect = func(t *testing.T, o bus.Options) bus.Bus {
		t.Helper()
		if count++; count%2 == 0 {
			return connect(t, o)
		}
		return harness(redis.Config{Addr: proxy.Addr}, nil).Connect(t, o)
	}
	h.Partition = func(*testing.T) { proxy.Cut() }
	h.Heal = func(*testing.T) { proxy.Heal() }
	bustest.Run(t, h)
}

// acl are the rights that a hub needs, as the documentation of the package says.
const acl = "~{gohub* &{gohub* -@all +@connection +@pubsub +@scripting +@hash +@stream +@string +@keyspace +time +wait +info +client|kill +cluster|info +cluster|slots"

func TestSingleWithTLSAndACL(t *testing.T) {
	files := redisserver.NewTLS(t)
	s := redisserver.Start(t, redisserver.Config{
		TLS: files,
		ACL: []string{
			"user default off",
			"user hub on >secret " + acl,
			"user test on >test ~* &* +@all",
		},
		Username: "test", Password: "test",
	})
	cfg := redis.Config{
		Addr: s.Addr, Username: "hub", Password: "secret", DB: 3,
		TLS: config.ClientTLS{CAFile: files.CAFile, CertFile: files.CertFile, KeyFile: files.KeyFile},
	}
	bustest.Run(t, harness(cfg, []*redisserver.Server{s}))

	t.Run("wrong password", func(t *testing.T) {
		cfg := cfg
		cfg.Password = "hunter2"
		b, err := redis.Connect(cfg, bus.Options{})
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer b.Close(t.Context())
		if err := b.Publish("a", nil); err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("publish: %v", err)
		}
	})
}

func TestSentinel(t *testing.T) {
	const password = "secret"
	s := redisserver.StartSentinel(t, 1, redisserver.Config{
		Password: password, Lines: []string{"requirepass " + password, "masterauth " + password},
	})
	h := harness(redis.Config{Addrs: s.Addrs(), MasterName: s.Name, Password: password, SentinelPassword: password}, s.Servers)
	// What the Sentinels are for is tested: the master's end. Of all servers at
	// once they recover in their own time, if at all, and elect by chance.
	h.Kill, h.Restart, h.RestartEmpty, h.Pause, h.Resume = nil, nil, nil, nil, nil
	var gone *redisserver.Server
	h.Failover = func(t *testing.T) { t.Helper(); gone = s.Master(t); gone.Kill(t) }
	h.FailedBack = func(t *testing.T) { t.Helper(); gone.Restart(t); s.Await(t) }
	bustest.Run(t, h)
}

func TestCluster(t *testing.T) {
	s := redisserver.StartCluster(t, 3, 0, redisserver.Config{})
	h := harness(redis.Config{Addrs: s.Addrs()}, s.Servers)
	restart := h.Restart
	h.Restart = func(t *testing.T) { t.Helper(); restart(t); s.Await(t) }
	h.RestartEmpty = func(t *testing.T) {
		t.Helper()
		for _, n := range s.Servers {
			n.Wipe(t)
		}
		h.Restart(t)
	}
	resume := h.Resume
	h.Resume = func(t *testing.T) { t.Helper(); resume(t); s.Await(t) }
	bustest.Run(t, h)
}

func TestClusterWithReplicas(t *testing.T) {
	s := redisserver.StartCluster(t, 3, 1, redisserver.Config{})
	h := harness(redis.Config{Addrs: s.Addrs()[:3]}, s.Servers)
	h.Kill, h.Restart, h.RestartEmpty, h.Pause, h.Resume = nil, nil, nil, nil, nil
	gone := s.Servers[0]
	h.Failover = func(t *testing.T) { t.Helper(); gone.Kill(t) }
	h.FailedBack = func(t *testing.T) { t.Helper(); gone.Restart(t); s.Await(t) }
	bustest.Run(t, h)
}
