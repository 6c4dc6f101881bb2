package nats_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
)

func TestDefaultConfig(t *testing.T) {
	want := nats.Config{
		URLs: []string{"nats://localhost:4222"}, Name: "gohub",
		Prefix: "gohub", ReconnectWait: 500 * time.Millisecond, MaxReconnects: -1,
		JetStream: config.JetStream{Replicas: 1, Storage: "file"},
	}
	if got := nats.DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	c := nats.Config{URLs: []string{"nats://localhost:4222"}, Name: "gohub-node-1", MaxReconnects: 3}
	got := c.WithDefaults()
	if got.Name != "gohub-node-1" || got.MaxReconnects != 3 || got.ReconnectWait != 500*time.Millisecond {
		t.Errorf("got %v", got)
	}
}

func TestValidate(t *testing.T) {
	if err := (nats.Config{}).Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		c    nats.Config
		want string
	}{
		{nats.Config{URLs: []string{"http://n"}}, "urls[0]: must be"},
		{nats.Config{ReconnectWait: -1}, "reconnectWait: must not be negative"},
		{nats.Config{ReconnectWait: 2}, "reconnectWait: must be at least 1ms"},
		{nats.Config{Token: "t", CredentialsFile: "f"}, "token: is set together with credentialsFile"},
		{nats.Config{Prefix: "a.b"}, "prefix: must be 1 to 64 letters"},
		{nats.Config{Prefix: strings.Repeat("a", 65)}, "prefix: must be 1 to 64 letters"},
		{nats.Config{JetStream: config.JetStream{Replicas: 2}}, "jetStream.replicas: must be 1, 3 or 5, got 2"},
		{nats.Config{JetStream: config.JetStream{Replicas: -1}}, "jetStream.replicas: must not be negative"},
		{nats.Config{JetStream: config.JetStream{Storage: "disk"}}, "jetStream.storage: must be one of file, memory"},
		{nats.Config{TLS: config.ClientTLS{KeyFile: "k"}}, "tls.certFile: is missing"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestStringHidesSecrets(t *testing.T) {
	c := nats.Config{URLs: []string{"nats://hunter2@n:1"}, Password: "hunter2", Token: "hunter2"}
	if s := fmt.Sprintf("%v %+v", c, &c); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}
