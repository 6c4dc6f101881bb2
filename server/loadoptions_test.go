package server

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
)

func vars(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := m[name]
		return value, ok
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gohub.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadOptionsPrecedence(t *testing.T) {
	base := &Options{
		Address: ":1", AdminAddress: ":2", LogLevel: "debug", AllowedOrigins: []string{"https://base.example"},
		NATSConfig: &nats.Config{Name: "base", MaxReconnects: 4},
		Logger:     slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
	before := *base
	beforeNATS := *base.NATSConfig
	file := configFile(t, `
# The hub's settings.
adminAddress: ":3"
logLevel: warn
readTimeout: 1m30s
apiKey:
nats:
  urls: [nats://file:4222]
rooms:
  - pattern: chat.*
    historySize: 100
    historyTTL: 5m
`)
	got, err := LoadOptionsFrom(base, Source{Lookup: vars(map[string]string{
		"GOHUB_CONFIG": file, "GOHUB_LOG_LEVEL": "error", "GOHUB_NATS_URLS": "nats://a:1,nats://b:2",
	})})
	if err != nil {
		t.Fatal(err)
	}
	want := before
	want.AdminAddress = ":3"
	want.LogLevel = "error"
	want.ReadTimeout = 90 * time.Second
	want.NATSConfig = &nats.Config{Name: "base", MaxReconnects: 4, URLs: []string{"nats://a:1", "nats://b:2"}}
	want.Rooms = []RoomRule{{Pattern: "chat.*", HistorySize: 100, HistoryTTL: 5 * time.Minute}}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	got.AllowedOrigins[0] = "changed"
	if !reflect.DeepEqual(*base, before) || !reflect.DeepEqual(*base.NATSConfig, beforeNATS) || base.AllowedOrigins[0] == "changed" {
		t.Error("base was modified")
	}
}

func TestLoadOptionsReadsTheProcessEnvironment(t *testing.T) {
	t.Setenv("GOHUB_CONFIG", configFile(t, "address: :7\nmaxRooms: 3\n"))
	t.Setenv("GOHUB_MAX_ROOMS", "4")
	got, err := LoadOptions(nil)
	if err != nil || got.Address != ":7" || got.MaxRooms != 4 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLoadOptionsWithNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "{}"} {
		got, err := LoadOptionsFrom(nil, Source{File: configFile(t, text)})
		if err != nil || !reflect.DeepEqual(*got, Options{}) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestLoadOptionsNamedFileWins(t *testing.T) {
	got, err := LoadOptionsFrom(nil, Source{
		File:   configFile(t, "address: :1"),
		Lookup: vars(map[string]string{"GOHUB_CONFIG": configFile(t, "address: :2")}),
	})
	if err != nil || got.Address != ":1" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLoadOptionsErrors(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"unknown key", "readTimout: 5s", "readTimout: unknown key; did you mean readTimeout?"},
		{"bare duration", "readTimeout: 60", `readTimeout: must be a duration with a unit, such as "25s"`},
		{"sexagesimal", "readTimeout: 1:30", "readTimeout: must be a duration with a unit"},
		{"number for text", "jwtSecretKey: 12345", "jwtSecretKey: must be a text, got a number; put the value in quotes"},
		{"twice", "address: :1\naddress: :2", `"address" already set`},
		{"two documents", "address: :1\n---\naddress: :2", "must hold one YAML document"},
		{"syntax", "address: [", "yaml: "},
		{"list", "- a", "configuration: must be an object with keys, got a list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := configFile(t, tt.yaml)
			got, err := LoadOptionsFrom(nil, Source{File: file})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got error %v\nwant %s", err, tt.want)
			}
			if got != nil {
				t.Error("options came with an error")
			}
		})
	}
	if _, err := LoadOptionsFrom(nil, Source{File: "no-such-file.yaml"}); err == nil || !strings.Contains(err.Error(), `read config "no-such-file.yaml"`) {
		t.Errorf("missing file: %v", err)
	}
	_, err := LoadOptionsFrom(nil, Source{Lookup: vars(map[string]string{"GOHUB_READ_TIMEOUT": "60"})})
	if err == nil || !strings.Contains(err.Error(), "GOHUB_READ_TIMEOUT: readTimeout: must be a duration") {
		t.Errorf("variable: %v", err)
	}
}

// TestEveryKeyIsSettableThroughYAML writes a configuration with every key set,
// as --print-config would, and reads it back.
func TestEveryKeyIsSettableThroughYAML(t *testing.T) {
	var want Options
	n := int(time.Millisecond)
	fill(reflect.ValueOf(&want).Elem(), &n)
	text, err := yaml.Marshal(want.Config())
	if err != nil {
		t.Fatal(err)
	}
	got, err := LoadOptionsFrom(nil, Source{File: configFile(t, string(text))})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %#v\nwant %#v", *got, want)
	}
	for _, k := range config.Keys() {
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if !strings.Contains(string(text), name+":") {
			t.Errorf("%s is not in the file", k.Path)
		}
	}
}

// TestEveryKeyIsSettableThroughTheEnvironment sets every variable at once.
func TestEveryKeyIsSettableThroughTheEnvironment(t *testing.T) {
	var want Options
	n := int(time.Millisecond)
	fill(reflect.ValueOf(&want).Elem(), &n)
	text, err := json.Marshal(want.Config())
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, k := range config.Keys() {
		var value any = tree
		for name := range strings.SplitSeq(k.Path, ".") {
			value = value.(map[string]any)[name]
		}
		if s, ok := value.(string); ok {
			set[k.Env] = s
			continue
		}
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		set[k.Env] = string(data)
	}
	got, err := LoadOptionsFrom(nil, Source{Lookup: vars(set)})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %#v\nwant %#v", *got, want)
	}
}

func FuzzLoadFile(f *testing.F) {
	f.Add([]byte("address: :1\nreadTimeout: 5s\nrooms: [{pattern: a}]\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("---\n...\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := LoadOptionsFrom(nil, Source{File: file})
		if err != nil {
			return
		}
		_ = o.Validate()
		_ = o.withDefaults()
	})
}
