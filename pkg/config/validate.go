package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports every value that is out of bounds and every contradiction
// between keys, joined into one error; each part is a [FieldError] that names
// the key and what is allowed. It is pure: files are not opened, names not
// resolved. Extreme values that fit together are fine.
func (c Config) Validate() error {
	var p problems
	e := c.Effective()
	checkValues(reflect.ValueOf(c), "", &p)
	checkAddresses(e, &p)
	checkTLSFiles("tls", c.TLS.CertFile, c.TLS.KeyFile, &p)
	checkOrigins(c.AllowedOrigins, &p)
	checkProxies(c.TrustedProxies, &p)
	checkAuth(c, &p)
	checkClientIDs(e, &p)
	checkRooms(c.Rooms, &p)
	checkDrain(e.Drain, &p)
	if c.EnableCluster && e.BusType == "noop" {
		p.add("enableCluster", `needs a busType that connects hubs: "nats", "redis" or "embedded"`)
	}
	c.NATS.check("nats", &p)
	c.Redis.check("redis", &p)
	c.Embedded.check("embedded", &p)
	return p.err()
}

// checkValues checks what the fields' tags say: enums, bounds and signs, in v
// and in everything below it.
func checkValues(v reflect.Value, path string, p *problems) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		key := join(path, keyName(v.Type().Field(i)))
		switch {
		case field.Kind() == reflect.Struct:
			checkValues(field, key, p)
		case isStructs(field.Type()):
			for j := range field.Len() {
				checkValues(field.Index(j), fmt.Sprintf("%s[%d]", key, j), p)
			}
		case field.Type() == durationType:
			checkDuration(key, time.Duration(field.Int()), tag, p)
		case field.Kind() == reflect.Int:
			checkInt(key, field.Int(), tag, p)
		case tag.Get("secret") != "":
			checkSecret(key, field, p)
		case tag.Get("enum") != "":
			checkEnum(key, field.String(), strings.Split(tag.Get("enum"), ","), p)
		}
	}
}

func checkDuration(key string, d time.Duration, tag reflect.StructTag, p *problems) {
	switch {
	case d < 0 && tag.Get("negative") == "":
		p.add(key, "must not be negative, got %v", d)
	case d > 0 && d < time.Millisecond:
		// Most likely a Go constant without its unit: 60 for 60*time.Second.
		p.add(key, "must be at least 1ms, got %v; is the unit missing?", d)
	}
}

func checkInt(key string, n int64, tag reflect.StructTag, p *problems) {
	if n < 0 && tag.Get("negative") == "" {
		p.add(key, "must not be negative, got %d", n)
	}
	if most, err := strconv.ParseInt(tag.Get("max"), 10, 64); err == nil && n > most {
		p.add(key, "must be at most %d, got %d", most, n)
	}
}

// checkSecret refuses the word that Redacted shows in place of secrets.
// Everybody knows it: a hub that took it for its secret would believe every
// token signed with it.
func checkSecret(key string, field reflect.Value, p *problems) {
	if strings.Contains(fmt.Sprint(field), hidden) {
		p.add(key, "holds %q, which stands for a secret where a configuration is shown; set the secret itself", hidden)
	}
}

func checkEnum(key, value string, allowed []string, p *problems) {
	if value != "" && !slices.Contains(allowed, value) {
		p.add(key, "must be one of %s, got %q", strings.Join(allowed, ", "), truncate(value))
	}
}

func checkClientIDs(e Config, p *problems) {
	switch {
	case e.QueryClientIDParam == "token":
		p.add("queryClientIDParam", `cannot be "token", which carries the token`)
	case nameProblem(e.QueryClientIDParam) != "":
		p.add("queryClientIDParam", "%s", nameProblem(e.QueryClientIDParam))
	}
}

func checkDrain(e Drain, p *problems) {
	least := max(e.Delay, 0) + max(e.Window, 0)
	if e.Timeout > 0 && least >= 0 && e.Timeout < least {
		p.add("drain.timeout", "must be at least drain.delay and drain.window together (%v), got %v", least, e.Timeout)
	}
	if least < 0 {
		p.add("drain.window", "is too long: drain.delay and drain.window together overflow")
	}
}
