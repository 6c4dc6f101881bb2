package resources_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nats-server itself reads the configuration.
func TestNATSTakesItsConfiguration(t *testing.T) {
	t.Setenv("POD_NAME", "x-nats-1")
	load := func(t *testing.T, spec, password string) *server.Options {
		t.Helper()
		c := withSpec(t, spec)
		f := facts(c)
		f.Secrets["x-nats-credentials"]["password"] = []byte(password)
		f.Secrets["x-nats-credentials"]["routePassword"] = []byte("route " + password)
		path := filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(path, build(t, c, f).NATS.Config.Data["nats.conf"], 0o600); err != nil {
			t.Fatal(err)
		}
		opts, err := server.ProcessConfigFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return opts
	}
	const password = `12K "quoted" \n $POD_NAME`
	t.Run("three with JetStream", func(t *testing.T) {
		o := load(t, "{bus: {nats: {managed: {jetStream: {storage: {size: 10Gi}}}}}}", password)
		if o.ServerName != "x-nats-1" || o.Port != 4222 || o.HTTPPort != 8222 || o.PidFile != "/var/run/nats/nats.pid" || o.MaxPayload != 1<<20 {
			t.Errorf("%+v", o)
		}
		if o.Username != "hub" || o.Password != password || o.Cluster.Username != "route" || o.Cluster.Password != "route "+password {
			t.Errorf("users: %q %q, %q %q", o.Username, o.Password, o.Cluster.Username, o.Cluster.Password)
		}
		if !o.JetStream || o.StoreDir != "/data" || o.JetStreamMaxStore != 9663676416 {
			t.Errorf("JetStream: %v %s %d", o.JetStream, o.StoreDir, o.JetStreamMaxStore)
		}
		if o.LameDuckGracePeriod != 10*time.Second || o.LameDuckDuration != 30*time.Second {
			t.Errorf("lame duck: %v, %v", o.LameDuckGracePeriod, o.LameDuckDuration)
		}
		if o.Cluster.Name != "x" || o.Cluster.Port != 6222 || !o.Cluster.NoAdvertise || len(o.Routes) != 3 {
			t.Fatalf("cluster: %+v, %v", o.Cluster, o.Routes)
		}
		for i, host := range []string{"x-nats-0.x-nats.chat.svc:6222", "x-nats-1.x-nats.chat.svc:6222", "x-nats-2.x-nats.chat.svc:6222"} {
			if word, _ := o.Routes[i].User.Password(); o.Routes[i].Host != host || word != "route "+password {
				t.Errorf("route %d: %v", i, o.Routes[i])
			}
		}
	})
	t.Run("one without", func(t *testing.T) {
		o := load(t, "{bus: {nats: {managed: {replicas: 1}}}}", "p")
		if o.JetStream || o.Cluster.Port != 0 || len(o.Routes) > 0 {
			t.Errorf("JetStream %v, cluster %+v", o.JetStream, o.Cluster)
		}
	})
}

func TestOneServerHasNobodyToSendClientsTo(t *testing.T) {
	for spec, want := range map[string]bool{"{}": true, "{bus: {nats: {managed: {replicas: 1}}}}": false} {
		c := withSpec(t, spec)
		if got := build(t, c, facts(c)).NATS.StatefulSet.Spec.Template.Spec.Containers[0].Lifecycle != nil; got != want {
			t.Errorf("%s: lame duck mode %v", spec, got)
		}
	}
}
