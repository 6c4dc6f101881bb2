package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chenxilol/gohub/pkg/auth"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
)

// onlyInCode are the fields of Options that no file can hold.
var onlyInCode = []string{"Logger", "Registerer", "OpenBus"}

// fill gives every field below v a value that differs from zero and from the
// other fields' values where its type allows.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !slices.Contains(onlyInCode, v.Type().Field(i).Name) {
				fill(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	default:
		panic(fmt.Sprintf("fill: kind %v is new; teach this test", v.Kind()))
	}
}

// TestConversionIsComplete fails when a field is added to Options or Config
// only, or is left out of a conversion.
func TestConversionIsComplete(t *testing.T) {
	var o Options
	n := 0
	fill(reflect.ValueOf(&o).Elem(), &n)
	if back := OptionsFromConfig(o.Config()); !reflect.DeepEqual(*back, o) {
		t.Errorf("Options to Config and back:\ngot  %#v\nwant %#v", *back, o)
	}
	var c config.Config
	fill(reflect.ValueOf(&c).Elem(), &n)
	if back := OptionsFromConfig(c).Config(); !reflect.DeepEqual(back, c) {
		t.Errorf("Config to Options and back:\ngot  %#v\nwant %#v", back, c)
	}
	if back := OptionsFromConfig(config.Config{}); !reflect.DeepEqual(*back, Options{}) {
		t.Errorf("zero: got %#v", *back)
	}
}

// TestKeysNameOptions proves that the Go field documented for each key exists.
func TestKeysNameOptions(t *testing.T) {
	for _, k := range config.Keys() {
		typ := reflect.TypeFor[Options]()
		for name := range strings.SplitSeq(k.Field, ".") {
			if typ.Kind() == reflect.Pointer {
				typ = typ.Elem()
			}
			field, ok := typ.FieldByName(name)
			if !ok {
				t.Errorf("%s: Options has no %s", k.Path, k.Field)
				break
			}
			typ = field.Type
		}
	}
}

func TestConversionSharesNoMemory(t *testing.T) {
	var o, before Options
	n, m := 0, 0
	fill(reflect.ValueOf(&o).Elem(), &n)
	fill(reflect.ValueOf(&before).Elem(), &m)
	scribble(reflect.ValueOf(o.Config()))
	if !reflect.DeepEqual(o, before) {
		t.Error("Config shares memory with the options")
	}
	c := o.Config()
	scribble(reflect.ValueOf(*OptionsFromConfig(c)))
	if !reflect.DeepEqual(c, before.Config()) {
		t.Error("the options share memory with the Config")
	}
}

// scribble zeroes everything that v refers to.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			v.Index(i).SetZero()
		}
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
			v.Elem().SetZero()
		}
	}
}

func TestWithDefaults(t *testing.T) {
	logger, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	for _, o := range []*Options{nil, {}, {Logger: logger, Registerer: registry}} {
		got := o.withDefaults()
		if got.Address != ":8080" || got.ReadTimeout != 60*time.Second || got.WriteTimeout != 60*time.Second ||
			got.ReadBufferSize != 4096 || got.LogLevel != "info" || got.DuplicateID != DuplicateReplace ||
			got.SlowConsumer != SlowConsumerClose || got.RateLimit != (RateLimit{MessagesPerSecond: 1000, Burst: 2000}) {
			t.Errorf("got %v", got)
		}
		if got.MaxConnections == 0 || got.NATSConfig == nil || got.RedisConfig == nil || got.EmbeddedConfig == nil {
			t.Errorf("left open: %v", got)
		}
		if o != nil && (got.Logger != o.Logger || got.Registerer != o.Registerer) {
			t.Error("Logger or Registerer was lost")
		}
		if again := got.withDefaults(); !reflect.DeepEqual(again, got) {
			t.Errorf("not idempotent:\n%v\n%v", got, again)
		}
	}
	o := &Options{MaxConnections: -9, ReadTimeout: -time.Second, Drain: Drain{Window: -time.Hour}}
	got := o.withDefaults()
	if got.MaxConnections != -1 || got.ReadTimeout != -1 || got.Drain.Window != -1 {
		t.Errorf("negative: got %v", got)
	}
	if o.MaxConnections != -9 || o.ReadTimeout != -time.Second {
		t.Error("the caller's options were changed")
	}
}

func TestConnectionsWithin(t *testing.T) {
	for limit, want := range map[uint64]int{
		0: -1, 1: 1, 256: 128, 511: 255, 512: 256, 1024: 768, 1048576: 1048320, 1<<64 - 1: -1, 1<<63 - 1: -1,
	} {
		if got := connectionsWithin(limit); got != want {
			t.Errorf("limit %d: got %d, want %d", limit, got, want)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	var none *Options
	for _, o := range []*Options{
		none, {}, {ReadTimeout: time.Second},
		{EnableCluster: true, BusType: "nats", NATSConfig: &nats.Config{URLs: []string{"nats://localhost:4222"}, Name: "gohub-node-1"}},
		{EnableAuth: true, JWTSecretKey: "my-secret", AllowAnonymous: true, AnonymousPermissions: []auth.Permission{"join:room:lobby"}},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{EnableAuth: true}, "invalid options: enableAuth: needs a key"},
		{Options{RateLimit: RateLimit{Burst: -1}}, "invalid options: rateLimit.burst: must not be negative"},
		{Options{ReadTimeout: 60}, "invalid options: readTimeout: must be at least 1ms"},
		{Options{DuplicateID: "x"}, "invalid options: duplicateID: must be one of replace, reject, allow"},
		{Options{NATSConfig: &nats.Config{URLs: []string{"x"}}}, "invalid options: nats.urls[0]: must be"},
		{Options{Rooms: []RoomRule{{Pattern: "a", HistoryTTL: time.Hour}}}, "invalid options: rooms[0].historyTTL: needs historySize"},
	} {
		if err := tt.o.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestPermissionsAgree holds the check of a configuration against package
// auth, which it must not import.
func TestPermissionsAgree(t *testing.T) {
	all := []string{"", "join", "join:rooms", "join:room:", "admin:system:x", "JOIN:ROOM", "join:room:a*b"}
	for _, p := range auth.AllPermissions() {
		all = append(all, string(p), string(p)+":chat.*")
	}
	for _, s := range all {
		_, err := auth.ParsePermission(s)
		o := Options{AnonymousPermissions: []auth.Permission{auth.Permission(s)}}
		if got := o.Validate(); (got == nil) != (err == nil) {
			t.Errorf("%q: Validate says %v, auth says %v", s, got, err)
		}
	}
}

func TestOptionsHideSecrets(t *testing.T) {
	o := Options{APIKey: "hunter2", JWTSecretKey: "hunter2", NATSConfig: &nats.Config{Password: "hunter2"}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "options", o, "pointer", &o)
	if s := fmt.Sprintf("%v %+v %v", o, o, &o) + log.String(); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}
