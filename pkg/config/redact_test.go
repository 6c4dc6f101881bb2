package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/config"
)

func TestRedactedHidesEverySecret(t *testing.T) {
	const mark = "hunter2"
	names := []string{"password", "token", "secret", "apikey"}
	for _, k := range config.Keys() {
		if !k.Secret {
			for _, n := range names {
				if strings.Contains(strings.ToLower(k.Path), n) {
					t.Errorf("%s looks like a secret and is not one", k.Path)
				}
			}
			continue
		}
		for _, value := range []string{mark, "nats://" + mark + "@host:1", "nats://user:" + mark + "@host:1", "user:" + mark + "@host:1", "https://host/k?key=" + mark} {
			isURL := k.Path == "nats.urls" || k.Path == "jwksURL"
			if isURL && value == mark {
				continue // a URL has secrets only in its user part and query
			}
			var c config.Config
			if err := config.Set(&c, k.Path, value); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c)
			validation := fmt.Sprint(c.Validate())
			for _, text := range []string{c.Redacted().String(), c.String(), fmt.Sprintf("%v %+v %s", c, c, c), log.String(), validation} {
				if strings.Contains(text, mark) {
					t.Errorf("%s: %q shows the secret", k.Path, text)
				}
			}
			if !strings.Contains(c.String(), "REDACTED") {
				t.Errorf("%s: nothing shows that %q is set", k.Path, value)
			}
			if fmt.Sprint(valueAt(c, k.Path)) == fmt.Sprint(valueAt(c.Redacted(), k.Path)) {
				t.Errorf("%s: Redacted changed the original", k.Path)
			}
		}
	}
}

func TestRedactedKeepsTheRest(t *testing.T) {
	c := config.Config{
		Address: ":1", JWKSURL: "https://issuer.example/keys",
		NATS: config.NATS{URLs: []string{"nats://n:4222", "nats://user:pw@n:4222"}},
	}
	r := c.Redacted()
	if r.Address != ":1" || r.JWKSURL != c.JWKSURL || r.APIKey != "" || r.NATS.URLs[0] != "nats://n:4222" || r.NATS.URLs[1] != "nats://REDACTED@n:4222" {
		t.Errorf("got %v", r)
	}
	if c.NATS.URLs[1] != "nats://user:pw@n:4222" {
		t.Error("the original was changed")
	}
	if s := fmt.Sprint(config.Redis{Password: "pw"}, config.NATS{Token: "pw"}, config.Embedded{Password: "pw"}); strings.Contains(s, "pw") {
		t.Errorf("a part shows its secret: %s", s)
	}
}
