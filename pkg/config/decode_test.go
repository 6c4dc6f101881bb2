package config_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/config"
)

func TestApplyJSONChangesOnlyWhatIsPresent(t *testing.T) {
	origins := []string{"https://a.example"}
	c := config.Config{
		Address:        ":1",
		AllowedOrigins: origins,
		RateLimit:      config.RateLimit{MessagesPerSecond: 5, Burst: 6},
		NATS:           config.NATS{Name: "n"},
		LogLevel:       "debug",
	}
	err := config.ApplyJSON(&c, []byte(`{
		"address": ":2", "allowedOrigins": ["https://b.example"], "rateLimit": {"burst": 7},
		"nats": null, "logLevel": null, "readTimeout": "1m30s", "maxMessageSize": 1e6
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Address:        ":2",
		AllowedOrigins: []string{"https://b.example"},
		RateLimit:      config.RateLimit{MessagesPerSecond: 5, Burst: 7},
		NATS:           config.NATS{Name: "n"},
		LogLevel:       "debug",
		ReadTimeout:    config.Duration(90 * time.Second),
		MaxMessageSize: 1_000_000,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if origins[0] != "https://a.example" {
		t.Error("the list of the earlier configuration was written to")
	}
}

func TestApplyJSONErrors(t *testing.T) {
	tests := []struct{ name, json, want string }{
		{"misspelt", `{"readTimout":"5s"}`, "readTimout: unknown key; did you mean readTimeout?"},
		{"case", `{"readtimeout":"5s"}`, "did you mean readTimeout?"},
		{"go name", `{"JWTSecretKey":"x"}`, "did you mean jwtSecretKey?"},
		{"too high", `{"messagesPerSecond":5}`, "did you mean rateLimit.messagesPerSecond?"},
		{"nested", `{"nats":{"url":[]}}`, "nats.url: unknown key; did you mean urls?"},
		{"in a list", `{"rooms":[{},{"patern":"x"}]}`, "rooms[1].patern: unknown key; did you mean pattern?"},
		{"far off", `{"drain":{"zzzzzzzz":1}}`, "drain.zzzzzzzz: unknown key; known here: delay, timeout, window"},
		{"garbled", "{\"a\\nb\":1}", `a\nb: unknown key`},
		{"bare duration", `{"pingInterval":25}`, `pingInterval: must be a duration with a unit, such as "25s"`},
		{"bare duration text", `{"pingInterval":"25"}`, `pingInterval: must be a duration with a unit`},
		{"bare zero", `{"drain":{"delay":"0"}}`, `drain.delay: must be a duration with a unit`},
		{"text for number", `{"maxRooms":"5"}`, "maxRooms: must be a whole number, got a text"},
		{"fraction", `{"maxRooms":1.5}`, "maxRooms: must be a whole number from "},
		{"huge", `{"maxRooms":1e300}`, "maxRooms: must be a whole number from "},
		{"number for text", `{"address":8080}`, "address: must be a text, got a number; put the value in quotes"},
		{"text for bool", `{"compression":"on"}`, "compression: must be true or false, got a text"},
		{"text for list", `{"allowedOrigins":"*"}`, "allowedOrigins: must be a list, got a text"},
		{"null in a list", `{"jwtPublicKeys":["a",null]}`, "jwtPublicKeys[1]: must not be empty"},
		{"list for object", `{"nats":[]}`, "nats: must be an object with keys, got a list"},
		{"not an object", `[1]`, "configuration: must be an object with keys, got a list"},
		{"syntax", `{"address"`, "parse configuration: "},
		{"empty", ``, "parse configuration: the text is empty"},
		{"two values", `{} {}`, "parse configuration: more text after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config.Config{Address: ":1"}
			err := config.ApplyJSON(&c, []byte(tt.json))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v\nwant %s", err, tt.want)
			}
			if !reflect.DeepEqual(c, config.Config{Address: ":1"}) {
				t.Error("a failed decode changed the configuration")
			}
		})
	}
}

func TestApplyJSONReportsEveryError(t *testing.T) {
	var c config.Config
	err := config.ApplyJSON(&c, []byte(`{"maxRooms":"a","nope":1,"readTimeout":5}`))
	for _, key := range []string{"maxRooms", "nope", "readTimeout"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s is not in: %v", key, err)
		}
	}
	var field *config.FieldError
	if !errors.As(err, &field) || field.Key != "maxRooms" {
		t.Errorf("got %+v, want a FieldError for maxRooms", field)
	}
}

func TestConfigRoundTripsThroughJSON(t *testing.T) {
	for _, c := range []config.Config{{}, config.Config{}.Effective(), {
		Rooms: []config.RoomRule{{Pattern: "a*", HistorySize: 5, HistoryTTL: config.Duration(time.Minute)}},
		NATS:  config.NATS{URLs: []string{"nats://n:4222"}, TLS: config.ClientTLS{Enable: true}},
	}} {
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got config.Config
		if err := config.ApplyJSON(&got, data); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("got  %+v\nwant %+v", got, c)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"25s": 25 * time.Second, "1m30s": 90 * time.Second, "-1s": -time.Second, "0s": 0, " 5ms ": 5 * time.Millisecond,
	} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q: got %v, %v; want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "0", "-0", "25", "1.5", "s", "25 s", "1d", "9999999h"} {
		d := config.Duration(7)
		if err := d.UnmarshalText([]byte(text)); err == nil || d != 7 {
			t.Errorf("%q: got %v, %v; want an error and no change", text, d, err)
		}
	}
	var v struct{ D config.Duration }
	if err := json.Unmarshal([]byte(`{"D":25}`), &v); err == nil || !strings.Contains(err.Error(), `such as "25s"`) {
		t.Errorf("bare JSON number: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"D":"25s"}`), &v); err != nil || v.D != config.Duration(25*time.Second) {
		t.Errorf("got %v, %v", v.D, err)
	}
}

func FuzzApplyJSON(f *testing.F) {
	f.Add([]byte(`{"address":":1","rooms":[{"pattern":"*"}],"readTimeout":"5s","nats":{"urls":["a"]}}`))
	f.Add([]byte(`{"maxRooms":1e400,"x":null,"drain":{"delay":"-1ns"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c config.Config
		if err := config.ApplyJSON(&c, data); err != nil {
			if !reflect.DeepEqual(c, config.Config{}) {
				t.Fatal("a failed decode changed the configuration")
			}
			return
		}
		_ = c.Validate()
		effective := c.Effective()
		if again := effective.Effective(); !reflect.DeepEqual(effective, again) {
			t.Fatalf("Effective is not idempotent:\n%+v\n%+v", effective, again)
		}
		if (c.Validate() == nil) != (effective.Validate() == nil) {
			t.Fatalf("%v, but with defaults %v", c.Validate(), effective.Validate())
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again config.Config
		if err := config.ApplyJSON(&again, text); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%v: %s does not read back", err, text)
		}
	})
}
