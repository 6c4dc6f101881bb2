package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/config"
)

// env returns a lookup function over vars.
func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestApplyEnvLists(t *testing.T) {
	const pem = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"
	tests := []struct {
		name, value string
		want        []string
	}{
		{"one", "a", []string{"a"}},
		{"several", "a,b , c", []string{"a", "b", "c"}},
		{"stray commas", ",a,,", []string{"a"}},
		{"JSON", `["a,b","c"]`, []string{"a,b", "c"}},
		{"bracket that is not JSON", "[::1]:6379,[::2]:6379", []string{"[::1]:6379", "[::2]:6379"}},
		{"PEM with a comma", pem + "," + pem, []string{pem, pem}},
		{"PEM bundle", pem + "\n" + pem + "\n", []string{pem, pem}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c config.Config
			if err := config.ApplyEnv(&c, env(map[string]string{"GOHUB_REDIS_ADDRS": tt.value})); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.Redis.Addrs, tt.want) {
				t.Errorf("got %q, want %q", c.Redis.Addrs, tt.want)
			}
		})
	}
}

func TestApplyEnvOverlays(t *testing.T) {
	c := config.Config{Address: ":1", Compression: true, MaxRooms: 5, APIKey: "k"}
	err := config.ApplyEnv(&c, env(map[string]string{
		"GOHUB_COMPRESSION": "false", "GOHUB_MAX_ROOMS": "0", "GOHUB_ADDRESS": "", "GOHUB_LOG_LEVEL": "warn",
	}))
	want := config.Config{Address: ":1", APIKey: "k", LogLevel: "warn"}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestApplyEnvFromFile(t *testing.T) {
	path := writeFile(t, "top secret \r\n")
	for _, k := range config.Keys() {
		hasFile := strings.HasPrefix(k.Type, "text") || k.Type == "list of texts"
		hasFile = hasFile && !strings.HasSuffix(k.Path, "File")
		if hasFile != (k.FileEnv == k.Env+"_FILE") {
			t.Errorf("%s: file variable %q", k.Path, k.FileEnv)
		}
	}
	var c config.Config
	err := config.ApplyEnv(&c, env(map[string]string{
		"GOHUB_JWT_SECRET_KEY_FILE":           path,
		"GOHUB_JWT_PREVIOUS_SECRET_KEYS_FILE": writeFile(t, "old1,old2\n"),
	}))
	if err != nil || c.JWTSecretKey != "top secret " || !slices.Equal(c.JWTPreviousSecretKeys, []string{"old1", "old2"}) {
		t.Errorf("got %q, %q, %v", c.JWTSecretKey, c.JWTPreviousSecretKeys, err)
	}
}

func TestApplyEnvErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	tests := []struct {
		name string
		vars map[string]string
		want []string
	}{
		{"missing file", map[string]string{"GOHUB_API_KEY_FILE": missing}, []string{"GOHUB_API_KEY_FILE: ", "missing"}},
		{"empty file", map[string]string{"GOHUB_API_KEY_FILE": writeFile(t, "\n")}, []string{"GOHUB_API_KEY_FILE: ", "must hold the value"}},
		{"huge file", map[string]string{"GOHUB_API_KEY_FILE": writeFile(t, strings.Repeat("x", 1<<20+1))}, []string{"GOHUB_API_KEY_FILE: ", "at most 1048576 bytes"}},
		{"both", map[string]string{"GOHUB_API_KEY": "hush", "GOHUB_API_KEY_FILE": missing}, []string{"GOHUB_API_KEY: is set together with GOHUB_API_KEY_FILE"}},
		{"number", map[string]string{"GOHUB_MAX_ROOMS": "many"}, []string{`GOHUB_MAX_ROOMS: maxRooms: must be a whole number, got "many"`}},
		{"bool", map[string]string{"GOHUB_COMPRESSION": "yes"}, []string{`GOHUB_COMPRESSION: compression: must be true or false, got "yes"`}},
		{"duration", map[string]string{"GOHUB_DRAIN_WINDOW": "10"}, []string{`GOHUB_DRAIN_WINDOW: drain.window: must be a duration with a unit, such as "25s"`}},
		{"rooms", map[string]string{"GOHUB_ROOMS": "chat.*"}, []string{"GOHUB_ROOMS: rooms: must be a JSON list"}},
		{"room key", map[string]string{"GOHUB_ROOMS": `[{"max":1}]`}, []string{"GOHUB_ROOMS: rooms[0].max: unknown key"}},
		{"two", map[string]string{"GOHUB_MAX_ROOMS": "a", "GOHUB_READ_TIMEOUT": "b"}, []string{"GOHUB_MAX_ROOMS", "GOHUB_READ_TIMEOUT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c config.Config
			tt.vars["GOHUB_ADDRESS"] = ":1"
			err := config.ApplyEnv(&c, env(tt.vars))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v\nwant %s", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Error("the error shows a secret")
			}
			if !reflect.DeepEqual(c, config.Config{}) {
				t.Error("a failed overlay changed the configuration")
			}
		})
	}
}

func TestSet(t *testing.T) {
	c := config.Config{Address: ":1"}
	for _, path := range []string{"nats", "nope", "nats.", "address.x", "", "maxroms"} {
		err := config.Set(&c, path, "x")
		if err == nil || !strings.Contains(err.Error(), "unknown key") {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := config.Set(&c, "address", ""); err != nil || c.Address != "" {
		t.Errorf("got %q, %v", c.Address, err)
	}
}

func TestUnknownEnv(t *testing.T) {
	got := config.UnknownEnv([]string{
		"GOHUB_ADDRES=:1", "GOHUB_ADDRESS=:1", "GOHUB_CONFIG=/etc/gohub.yaml", "GOHUB_API_KEY_FILE=/run/key",
		"GOHUB_TLS_CERT_FILE=/c", "GOHUB_TLS_CERT_FILE_FILE=/c", "GOHUB_NATS_URL=nats://user:pw@n", "GOHUB_", "PATH=/bin", "XGOHUB_A=1", "GOHUB_ADDRES=:2",
		// Kubernetes adds these for the Services gohub and gohub-nats.
		"GOHUB_SERVICE_HOST=10.0.0.1", "GOHUB_SERVICE_PORT=80", "GOHUB_SERVICE_PORT_HTTP=80", "GOHUB_PORT=tcp://10.0.0.1:80",
		"GOHUB_PORT_80_TCP=tcp://10.0.0.1:80", "GOHUB_PORT_80_TCP_ADDR=10.0.0.1", "GOHUB_NATS_SERVICE_HOST=10.0.0.2",
	})
	want := []string{"GOHUB_", "GOHUB_ADDRES", "GOHUB_NATS_URL", "GOHUB_TLS_CERT_FILE_FILE"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzApplyEnv(f *testing.F) {
	for i := range config.Keys() {
		f.Add(uint(i), "1")
	}
	f.Add(uint(0), `["a"`)
	f.Add(uint(3), "-----BEGIN X----------END X-----")
	f.Fuzz(func(t *testing.T, i uint, value string) {
		keys := config.Keys()
		k := keys[i%uint(len(keys))]
		var fromEnv, fromSet config.Config
		err := config.ApplyEnv(&fromEnv, env(map[string]string{k.Env: value}))
		setErr := config.Set(&fromSet, k.Path, value)
		if (err == nil) != (setErr == nil) || !reflect.DeepEqual(fromEnv, fromSet) {
			t.Fatalf("%s: ApplyEnv and Set differ: %v, %v", k.Path, err, setErr)
		}
		if err != nil && (!strings.Contains(err.Error(), k.Env) || !strings.Contains(err.Error(), k.Path)) {
			t.Fatalf("%s: the error names neither: %v", k.Path, err)
		}
		if got := changed(t, fromEnv); len(got) > 1 || len(got) == 1 && got[0] != k.Path {
			t.Fatalf("%s changed %v", k.Path, got)
		}
		_ = fromEnv.Validate()
		_ = fromEnv.String()
	})
}
