package server_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/server"
)

// optionTests names for each option, by its path, the test that shows what it
// does. The options of a bus are tested with that bus.
var optionTests = map[string]string{
	"Address":                               "TestAddressInUse",
	"AdminAddress":                          "TestAdminAddress",
	"APIKey":                                "TestAdminKeyAlone",
	"TLS.CertFile":                          "TestTLS",
	"TLS.KeyFile":                           "TestTLS",
	"AllowedOrigins":                        "TestOrigins",
	"TrustedProxies":                        "TestRemoteAddr",
	"EnableAuth":                            "TestTokensRefused",
	"AllowAnonymous":                        "TestIdentity",
	"AnonymousPermissions":                  "TestAnonymousPermissions",
	"JWTSecretKey":                          "TestTokenWays",
	"JWTPreviousSecretKeys":                 "TestPreviousSecrets",
	"JWTPublicKeys":                         "TestPublicKeys",
	"JWKSURL":                               "TestJWKS",
	"JWTAlgorithm":                          "TestJWTAlgorithm",
	"JWTIssuer":                             "TestTokensRefused",
	"JWTAudience":                           "TestTokensRefused",
	"JWTSubjectClaim":                       "TestSubjectClaim",
	"JWTLeeway":                             "TestLeeway",
	"RequireExpiry":                         "TestTokensRefused",
	"EnableQueryClientID":                   "TestIdentity",
	"QueryClientIDParam":                    "TestIdentity",
	"DuplicateID":                           "TestDuplicateAllow",
	"Engine":                                "TestEngines",
	"ReadTimeout":                           "TestReadTimeout",
	"WriteTimeout":                          "TestWriteTimeout",
	"PingInterval":                          "TestPingInterval",
	"HandshakeTimeout":                      "TestSlowHandshake",
	"ReadBufferSize":                        "TestBufferSizes",
	"WriteBufferSize":                       "TestBufferSizes",
	"MaxMessageSize":                        "TestMaxMessageSize",
	"MaxConnections":                        "TestMaxConnections",
	"Compression":                           "TestCompression",
	"RateLimit.MessagesPerSecond":           "TestRateLimit",
	"RateLimit.Burst":                       "TestRateLimit",
	"RateLimit.ConnectionsPerAddress":       "TestConnectionsPerAddress",
	"RateLimit.ConnectsPerSecondPerAddress": "TestConnectsPerSecond",
	"SlowConsumer":                          "TestSlowConsumerDrop",
	"SendQueueBytes":                        "TestSlowConsumerClose",
	"MaxRooms":                              "TestRoomLimits",
	"MaxRoomsPerClient":                     "TestRoomLimits",
	"MaxRoomsCreatedPerClient":              "TestRoomLimits",
	"Rooms.Pattern":                         "TestRoomRules",
	"Rooms.MaxClients":                      "TestRoomRules",
	"Rooms.HistorySize":                     "TestRoomRules",
	"Rooms.HistoryTTL":                      "TestRoomRules",
	"Rooms.Presence":                        "TestConnectedNotice",
	"Rooms.Create":                          "TestJoinMakesRooms",
	"EnableCluster":                         "TestClusterChat",
	"NodeID":                                "TestClusterNodes",
	"OpenBus":                               "TestClusterChat",
	"BusType":                               "TestBusOptions",
	"NATSConfig":                            "TestBusOptions",
	"RedisConfig":                           "TestConversionIsComplete",
	"EmbeddedConfig":                        "TestConversionIsComplete",
	"Drain.Delay":                           "TestRunDrains",
	"Drain.Window":                          "TestRunDrains",
	"Drain.Timeout":                         "TestDrainTimeout",
	"DisableSignals":                        "TestSignals",
	"LogLevel":                              "TestLogLevel",
	"Logger":                                "TestLogger",
	"Registerer":                            "TestRegisterer",
}

// optionPaths lists the fields of a struct of options, and of those in it.
func optionPaths(of reflect.Type, prefix string) (paths []string) {
	for f := range fieldsOf(of) {
		path := prefix + f.Name
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			paths = append(paths, optionPaths(inner, path+".")...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

func fieldsOf(of reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range of.NumField() {
			if !yield(of.Field(i)) {
				return
			}
		}
	}
}

// testNames lists the tests of this folder.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// TestEveryOptionIsTested fails for an option that was added without a test.
func TestEveryOptionIsTested(t *testing.T) {
	paths := optionPaths(reflect.TypeFor[server.Options](), "")
	tests := testNames(t)
	for _, path := range paths {
		if name := optionTests[path]; !tests[name] || !strings.HasPrefix(name, "Test") {
			t.Errorf("option %s: there is no test %q", path, name)
		}
	}
	for path := range maps.Keys(optionTests) {
		if !slices.Contains(paths, path) {
			t.Errorf("%s is no option", path)
		}
	}
}

func TestEngines(t *testing.T) {
	for _, engine := range []server.Engine{"", server.EngineAuto, server.EngineGoroutine} {
		hubtest.NewServer(t, &server.Options{Engine: engine}).Dial(t).Request("ping", nil)
	}
	if _, err := server.NewServer(hubtest.Options(&server.Options{Engine: "steam"})); err == nil || !strings.Contains(err.Error(), "engine") {
		t.Errorf("unknown engine: %v", err)
	}
}

// TestBusOptions: a hub alone needs no bus, and uses none.
func TestBusOptions(t *testing.T) {
	for key, opts := range map[string]server.Options{
		"enableCluster": {EnableCluster: true},
		"busType":       {BusType: "pigeons"},
	} {
		if _, err := server.NewServer(hubtest.Options(&opts)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	srv := start(t, server.Options{BusType: "nats", NATSConfig: &nats.Config{Name: "node-7"}})
	if srv.Node() != "node-7" {
		t.Errorf("node %q", srv.Node())
	}
	srv.Dial(t).Request("ping", nil)
}

// TestRoomRules: the first rule that matches a room's name holds for it, and
// no other.
func TestRoomRules(t *testing.T) {
	srv := start(t, server.Options{Rooms: []server.RoomRule{
		{Pattern: "small.*", MaxClients: 1},
		{Pattern: "*.brief", HistorySize: 5, HistoryTTL: 50 * time.Millisecond},
		{Pattern: "*", HistorySize: 2},
	}})
	a, b := srv.Dial(t), srv.Dial(t)
	for _, room := range []string{"small.brief", "x.brief", "x"} {
		a.Join(room)
		for range 3 {
			a.Request("room_message", fields{"room_id": room, "content": 1})
		}
	}
	if m := b.Request("join_room", fields{"room_id": "small.brief"}); m.ErrorCode() != 3002 {
		t.Errorf("join: %s %s", m.Type, m.Data)
	}
	b.Join("x")
	count := func(room string) int {
		t.Helper()
		return len(into[struct{ Messages []any }](t, a.Request("room_history", fields{"room_id": room})).Messages)
	}
	if small, x := count("small.brief"), count("x"); small != 0 || x != 2 {
		t.Errorf("%d and %d messages in the histories, want 0 and 2", small, x)
	}
	for deadline := time.Now().Add(hubtest.Timeout); count("x.brief") > 0; { // until they have expired
		if time.Now().After(deadline) {
			t.Fatal("the history does not expire")
		}
	}
}

// listen runs a server that says in its log that it listens, and stops it.
func listen(t *testing.T, opts server.Options) {
	t.Helper()
	opts.Address, opts.DisableSignals, opts.Engine = "127.0.0.1:0", true, server.Engine(*engine)
	opts.Drain = server.Drain{Delay: -1, Window: -1}
	s, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("server", func(t *testing.T) { hubtest.Run(t, s).Dial(t).Request("ping", nil) })
}

// TestLogLevel: without a Logger the log goes to standard error.
func TestLogLevel(t *testing.T) {
	for level, want := range map[string]bool{"": true, "debug": true, "info": true, "warn": false, "error": false} {
		t.Run(level, func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			stderr := os.Stderr
			os.Stderr = file
			defer func() { os.Stderr = stderr }()
			listen(t, server.Options{LogLevel: level})
			text, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(text), "hub listens"); got != want {
				t.Errorf("log: %s", text)
			}
		})
	}
}

// syncBuffer keeps a log that several goroutines write.
type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestLogger: a Logger has a level of its own.
func TestLogger(t *testing.T) {
	var log syncBuffer
	listen(t, server.Options{LogLevel: "error", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if text := log.String(); !strings.Contains(text, "hub listens") {
		t.Errorf("log: %s", text)
	}
}
