package resources_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
	"github.com/chenxilol/gohub/pkg/config"
)

// read puts together what a hub reads from the objects: the file, then the
// variables, as server.LoadOptions does.
func read(t testing.TB, o resources.Objects) config.Config {
	t.Helper()
	var cfg config.Config
	data, err := yaml.YAMLToJSONStrict([]byte(o.Hub.Config.Data["hub.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if err := config.ApplyJSON(&cfg, data); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range o.Hub.Secret.Data {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{}
	for _, e := range o.Hub.Deployment.Spec.Template.Spec.Containers[0].Env {
		if e.Value != nil {
			env[*e.Name] = strings.Replace(*e.Value, "/etc/gohub", dir, 1)
		}
	}
	if unknown := config.UnknownEnv(slices.Collect(func(yield func(string) bool) {
		for name := range env {
			if !yield(name + "=") {
				return
			}
		}
	})); len(unknown) > 0 {
		t.Errorf("the hub knows no %v", unknown)
	}
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
	if err := config.ApplyEnv(&cfg, lookup); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSamplesAreTakenByTheHub(t *testing.T) {
	for name, c := range samples(t) {
		cfg := read(t, build(t, c, facts(c)))
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !cfg.EnableCluster || cfg.APIKey == "" || cfg.BusType != string(c.Spec.Bus.Type) {
			t.Errorf("%s: %v", name, cfg)
		}
	}
}

func TestHubReadsWhatTheSpecSays(t *testing.T) {
	c := samples(t)["production"]
	cfg := read(t, build(t, c, facts(c)))
	want := config.Config{
		Address: ":8080", AdminAddress: ":8081", APIKey: "key of chat-admin, long enough for a key",
		AllowedOrigins: []string{"https://app.example.com"}, TrustedProxies: []string{"10.0.0.0/8"},
		EnableAuth: true, JWTSecretKey: "key of chat-jwt, long enough for a key",
		JWTPreviousSecretKeys: []string{"previous of chat-jwt, long enough for a key"},
		JWTIssuer:             "https://login.example.com", JWTAudience: "chat", JWTSubjectClaim: "sub",
		JWTLeeway: config.Duration(30 * time.Second), RequireExpiry: true, DuplicateID: "replace",
		MaxMessageSize: 65536, MaxConnections: 30000,
		RateLimit:    config.RateLimit{MessagesPerSecond: 20, Burst: 60, ConnectionsPerAddress: 100},
		SlowConsumer: "close", SendQueueBytes: 262144,
		MaxRooms: 100000, MaxRoomsPerClient: 50, MaxRoomsCreatedPerClient: 10,
		Rooms: []config.RoomRule{
			{Pattern: "chat.*", MaxClients: 5000, HistorySize: 1000, HistoryTTL: config.Duration(24 * time.Hour), Presence: true},
			{Pattern: "live.*", Create: true},
		},
		EnableCluster: true, BusType: "nats",
		NATS: config.NATS{
			URLs: []string{"nats://production-nats.chat.svc:4222"}, Prefix: "chat_production",
			Username: "hub", Password: "GENERATEDPASSWORD", JetStream: config.JetStream{Enable: true, Replicas: 3},
		},
		Drain: config.Drain{
			Delay: config.Duration(10 * time.Second), Window: config.Duration(time.Minute), Timeout: config.Duration(80 * time.Second),
		},
	}
	if !equal(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

// No secret is in the ConfigMap.
func TestSecretsStayOutOfTheConfigMap(t *testing.T) {
	for name, c := range samples(t) {
		f := facts(c)
		file := build(t, c, f).Hub.Config.Data["hub.yaml"]
		for secret, data := range f.Secrets {
			for key, value := range data {
				if strings.Contains(file, strings.TrimSpace(string(value))) {
					t.Errorf("%s: %s of %s is in\n%s", name, key, secret, file)
				}
			}
		}
	}
}

// Each key of the hub's configuration is set by a field, or free for spec.config.
func TestKeysOfTheHubAreReservedOrFree(t *testing.T) {
	free := []string{
		"allowedOrigins", "trustedProxies", "enableQueryClientID", "queryClientIDParam", "duplicateID", "engine", "readTimeout",
		"writeTimeout", "pingInterval", "handshakeTimeout", "readBufferSize", "writeBufferSize", "compression", "disableSignals", "logLevel",
	}
	keys := map[string]bool{}
	for _, k := range config.Keys() {
		top, _, _ := strings.Cut(k.Path, ".")
		keys[top] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c := withSpec(t, "{config: {"+key+": null}}")
		_, err := resources.Build(c, facts(c))
		reserved := err != nil && strings.Contains(err.Error(), key+": ")
		if reserved == slices.Contains(free, key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestOwnKeys(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		reason     v1alpha1.ConditionReason
		message    string
	}{
		{"reserved", "{config: {maxRooms: 1, logLevel: debug, apiKey: x}}", v1alpha1.ReasonConfigKeyReserved,
			"spec.config holds keys that the operator sets: apiKey: use spec.adminKeyRef; maxRooms: use spec.limits"},
		{"unknown", "{config: {loglevel: debug}}", v1alpha1.ReasonHubConfigInvalid, "spec.config: loglevel: unknown key; did you mean logLevel"},
		{"of a wrong type", "{config: {compression: 1}}", v1alpha1.ReasonHubConfigInvalid, "compression: must be true or false"},
		{"refused by the hub", "{config: {logLevel: loud, engine: steam}}", v1alpha1.ReasonHubConfigInvalid, "engine: must be one of auto, goroutine, got \"steam\"; logLevel: must be one of debug"},
		{"a room without a name", `{rooms: [{pattern: "a\u0001"}]}`, v1alpha1.ReasonHubConfigInvalid, "rooms[0].pattern: must not hold control characters"},
		{"a key that is none", "{auth: {publicKeys: [\"-----BEGIN PUBLIC KEY-----\"]}}", v1alpha1.ReasonHubConfigInvalid, "jwtPublicKeys[0]"},
		{"history without storage", `{rooms: [{pattern: "*", historySize: 1}]}`, v1alpha1.ReasonHistoryNeedsStorage, "create the cluster with jetStream on bus.nats"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withSpec(t, c.spec)
			reason, message := refused(t, x, facts(x))
			if reason != c.reason || !strings.Contains(message, c.message) {
				t.Errorf("%s: %s", reason, message)
			}
		})
	}
}

func TestZeroDrainIsNoWait(t *testing.T) {
	c := withSpec(t, "{drain: {delay: 0s, window: 0s}}")
	drain := read(t, build(t, c, facts(c))).Effective().Drain
	if drain.Delay > 0 || drain.Window > 0 || drain.Timeout != config.Duration(10*time.Second) {
		t.Errorf("%+v", drain)
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct{ namespace, name, want string }{
		{"chat", "x", "chat_x"},
		{strings.Repeat("n", 60), "abc", strings.Repeat("n", 60) + "_abc"},
		{strings.Repeat("n", 60), "abcd", strings.Repeat("n", 47) + "_"},
	} {
		x := withSpec(t, "{}")
		x.Namespace, x.Name = c.namespace, c.name
		got := resources.Prefix(x)
		if !strings.HasPrefix(got, c.want) || len(got) > 64 || len(got) > len(c.want) && len(got) != 64 {
			t.Errorf("%s/%s: %q", c.namespace, c.name, got)
		}
	}
	a, b := withSpec(t, "{}"), withSpec(t, "{}")
	a.Namespace, b.Namespace = strings.Repeat("n", 60)+"a", strings.Repeat("n", 60)+"b"
	a.Name, b.Name = "long-name", "long-name"
	if resources.Prefix(a) == resources.Prefix(b) {
		t.Error("two clusters share a prefix")
	}
}
