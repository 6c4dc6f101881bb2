package embedded_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/bus/embedded"
	"github.com/chenxilol/gohub/pkg/config"
)

func TestDefaultConfig(t *testing.T) {
	want := embedded.Config{ClusterAddress: ":6222"}
	if got := embedded.DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestValidate(t *testing.T) {
	if err := (embedded.Config{Routes: []string{"hubs:6222"}}).Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		c    embedded.Config
		want string
	}{
		{embedded.Config{ClusterAddress: "6222"}, "clusterAddress: must be host:port"},
		{embedded.Config{Routes: []string{"hub"}}, "routes[0]: must be host:port"},
		{embedded.Config{Password: "p"}, "username: is missing"},
		{embedded.Config{TLS: config.ClientTLS{CAFile: "c"}}, "tls.certFile: is missing"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestStringHidesSecrets(t *testing.T) {
	c := embedded.Config{Username: "hub", Password: "hunter2"}
	if s := fmt.Sprintf("%v %+v", c, &c); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}
