package redis_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus/redis"
	"github.com/chenxilol/gohub/pkg/config"
)

func TestDefaultConfig(t *testing.T) {
	if got, want := redis.DefaultConfig(), (redis.Config{Addr: "localhost:6379", Prefix: "gohub"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := (redis.Config{MasterName: "m"}).WithDefaults().Addr; got != "localhost:26379" {
		t.Errorf("Sentinel: got %q", got)
	}
	if got := (redis.Config{Addrs: []string{"a:1"}}).WithDefaults().Addr; got != "" {
		t.Errorf("with Addrs: got %q", got)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []redis.Config{{}, {Addr: "localhost:6379"}, {Addrs: []string{"a:1", "b:1"}}, {Addr: "s:1", MasterName: "m", DB: 2}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, tt := range []struct {
		c    redis.Config
		want string
	}{
		{redis.Config{Addr: "a"}, "addr: must be host:port"},
		{redis.Config{Addr: "a:1", Addrs: []string{"b:1"}}, "addr: is set together with addrs"},
		{redis.Config{DB: -1}, "db: must not be negative"},
		{redis.Config{Addrs: []string{"a:1", "b:1"}, DB: 1}, "db: must be 0 with several addrs"},
		{redis.Config{Prefix: "a{b}"}, "prefix: must be 1 to 64 letters"},
		{redis.Config{Username: "u"}, "password: is missing"},
		{redis.Config{TLS: config.ClientTLS{CertFile: "c"}}, "tls.keyFile: is missing"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestStringHidesSecrets(t *testing.T) {
	c := redis.Config{Password: "hunter2", SentinelPassword: "hunter2"}
	if s := fmt.Sprintf("%v %+v", c, &c); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}
