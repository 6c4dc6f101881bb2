package config_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/config"
)

func keyAt(t *testing.T, path string) config.Key {
	t.Helper()
	for _, k := range config.Keys() {
		if k.Path == path {
			return k
		}
	}
	t.Fatalf("no key %q", path)
	return config.Key{}
}

func TestKeyNames(t *testing.T) {
	tests := []struct{ path, env, flag, field string }{
		{"address", "GOHUB_ADDRESS", "address", "Address"},
		{"apiKey", "GOHUB_API_KEY", "api-key", "APIKey"},
		{"jwtSecretKey", "GOHUB_JWT_SECRET_KEY", "jwt-secret-key", "JWTSecretKey"},
		{"jwksURL", "GOHUB_JWKS_URL", "jwks-url", "JWKSURL"},
		{"enableQueryClientID", "GOHUB_ENABLE_QUERY_CLIENT_ID", "enable-query-client-id", "EnableQueryClientID"},
		{"queryClientIDParam", "GOHUB_QUERY_CLIENT_ID_PARAM", "query-client-id-param", "QueryClientIDParam"},
		{"duplicateID", "GOHUB_DUPLICATE_ID", "duplicate-id", "DuplicateID"},
		{"nats.urls", "GOHUB_NATS_URLS", "nats-urls", "NATSConfig.URLs"},
		{"nats.nkeyFile", "GOHUB_NATS_NKEY_FILE", "nats-nkey-file", "NATSConfig.NKeyFile"},
		{"redis.tls.caFile", "GOHUB_REDIS_TLS_CA_FILE", "redis-tls-ca-file", "RedisConfig.TLS.CAFile"},
		{"rateLimit.messagesPerSecond", "GOHUB_RATE_LIMIT_MESSAGES_PER_SECOND", "rate-limit-messages-per-second", "RateLimit.MessagesPerSecond"},
		{"drain.window", "GOHUB_DRAIN_WINDOW", "drain-window", "Drain.Window"},
	}
	for _, tt := range tests {
		k := keyAt(t, tt.path)
		if k.Env != tt.env || k.Flag != tt.flag || k.Field != tt.field {
			t.Errorf("%s: got %s, --%s, %s; want %s, --%s, %s", tt.path, k.Env, k.Flag, k.Field, tt.env, tt.flag, tt.field)
		}
	}
}

func TestKeysAreDistinctAndDocumented(t *testing.T) {
	seen := map[string]string{"": "", config.ConfigFileEnv: "the file"}
	claim := func(name, path string) {
		if other, taken := seen[name]; taken && name != "" {
			t.Errorf("%s belongs to %s and to %s", name, other, path)
		}
		seen[name] = path
	}
	for _, k := range config.Keys() {
		claim(k.Env, k.Path)
		claim(k.FileEnv, k.Path)
		claim("--"+k.Flag, k.Path)
		for _, k := range append([]config.Key{k}, k.Items...) {
			if goName := k.Field[strings.LastIndexByte(k.Field, '.')+1:]; !strings.HasPrefix(k.Doc, goName+" ") {
				t.Errorf("%s: the text must begin with %s, got %q", k.Path, goName, k.Doc)
			}
			if !strings.HasSuffix(k.Summary(), ".") {
				t.Errorf("%s: the summary is not a sentence: %q", k.Path, k.Summary())
			}
		}
	}
}

func TestKeyDefaults(t *testing.T) {
	for path, want := range map[string]string{
		"address": ":8080", "readTimeout": "1m", "pingInterval": "25s", "rateLimit.burst": "2000",
		"maxConnections": "descriptor limit less 256", "busType": "noop", "nats.urls": "nats://localhost:4222",
		"nats.maxReconnects": "-1", "jwtAlgorithm": "", "compression": "false", "drain.timeout": "30s",
	} {
		if got := keyAt(t, path).Default; got != want {
			t.Errorf("%s: default %q, want %q", path, got, want)
		}
	}
}

// sample returns a value for the key that differs from zero: as JSON and as
// the text of a variable.
func sample(k config.Key) (value any, text string) {
	switch k.Type {
	case "duration":
		return "17s", "17s"
	case "number":
		return 17.0, "17"
	case "true or false":
		return true, "true"
	case "list of texts":
		return []any{"a-" + k.Path, "b"}, "a-" + k.Path + ",b"
	case "list of rooms":
		return []any{map[string]any{"pattern": "chat.*", "maxClients": 3.0}}, `[{"pattern":"chat.*","maxClients":3}]`
	default:
		return "a-" + k.Path, "a-" + k.Path
	}
}

// nest puts value under path: a.b gives {"a":{"b":value}}.
func nest(path string, value any) []byte {
	parts := strings.Split(path, ".")
	slices.Reverse(parts)
	for _, p := range parts {
		value = map[string]any{p: value}
	}
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

// changed returns the paths of the keys that are not zero in c.
func changed(t *testing.T, c config.Config) []string {
	t.Helper()
	var paths []string
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			at := strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("json"), ".")
			if v.Field(i).Kind() == reflect.Struct {
				walk(v.Field(i), at)
			} else if !v.Field(i).IsZero() {
				paths = append(paths, at)
			}
		}
	}
	walk(reflect.ValueOf(c), "")
	return paths
}

func TestEveryKeyIsSettable(t *testing.T) {
	keys := config.Keys()
	if len(keys) < 70 {
		t.Fatalf("only %d keys", len(keys))
	}
	for _, k := range keys {
		value, text := sample(k)
		var fromJSON, fromEnv, fromSet config.Config
		if err := config.ApplyJSON(&fromJSON, nest(k.Path, value)); err != nil {
			t.Errorf("%s from JSON: %v", k.Path, err)
		}
		if err := config.ApplyEnv(&fromEnv, env(map[string]string{k.Env: text})); err != nil {
			t.Errorf("%s from the environment: %v", k.Path, err)
		}
		if err := config.Set(&fromSet, k.Path, text); err != nil {
			t.Errorf("%s set: %v", k.Path, err)
		}
		if got := changed(t, fromJSON); !slices.Equal(got, []string{k.Path}) {
			t.Errorf("%s from JSON changed %v", k.Path, got)
		}
		if !reflect.DeepEqual(fromJSON, fromEnv) || !reflect.DeepEqual(fromJSON, fromSet) {
			t.Errorf("%s: JSON, environment and Set give different values", k.Path)
		}
	}
}

func TestEveryRoomKeyIsSettable(t *testing.T) {
	items := keyAt(t, "rooms").Items
	if want := reflect.TypeFor[config.RoomRule]().NumField(); len(items) != want {
		t.Fatalf("%d room keys, want %d", len(items), want)
	}
	for _, k := range items {
		value, _ := sample(k)
		name := strings.TrimPrefix(k.Path, "rooms[].")
		var c config.Config
		if err := config.ApplyJSON(&c, nest("rooms", []any{map[string]any{name: value}})); err != nil {
			t.Errorf("%s: %v", k.Path, err)
		} else if reflect.ValueOf(c.Rooms[0]).IsZero() {
			t.Errorf("%s was not set", k.Path)
		}
		if k.Env != "" || k.Flag != "" || k.FileEnv != "" {
			t.Errorf("%s: keys of list items have no variable and no flag", k.Path)
		}
	}
}

func TestWrongTypesNameTheField(t *testing.T) {
	for _, k := range config.Keys() {
		var c config.Config
		err := config.ApplyJSON(&c, nest(k.Path, map[string]any{"x": "secret-value"}))
		if err == nil || !strings.HasPrefix(err.Error(), k.Path+": must be ") {
			t.Errorf("%s: got error %v", k.Path, err)
		} else if strings.Contains(err.Error(), "secret-value") {
			t.Errorf("%s: the error shows the value", k.Path)
		}
		if k.Type == "text" || k.Type == "list of texts" {
			continue
		}
		err = config.ApplyEnv(&c, env(map[string]string{k.Env: "nonsense"}))
		if err == nil || !strings.Contains(err.Error(), k.Env) || !strings.Contains(err.Error(), k.Path) {
			t.Errorf("%s: got error %v", k.Env, err)
		}
	}
}
