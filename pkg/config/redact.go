package config

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
)

// hidden stands in place of a secret.
const hidden = "REDACTED"

// Redacted returns c with every secret that is set, and the sign-in part of
// every URL, replaced by "REDACTED".
func (c Config) Redacted() Config {
	redact(reflect.ValueOf(&c).Elem())
	return c
}

// LogValue lets a logger show the configuration without its secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func redact(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() == reflect.Struct {
			redact(field)
			continue
		}
		var hide func(string) string
		switch v.Type().Field(i).Tag.Get("secret") {
		case "true":
			hide = func(string) string { return hidden }
		case "url":
			hide = redactURL
		default:
			continue
		}
		redactField(field, hide)
	}
}

func redactField(field reflect.Value, hide func(string) string) {
	if field.Kind() == reflect.String {
		if s := field.String(); s != "" {
			field.SetString(hide(s))
		}
		return
	}
	if field.IsNil() {
		return
	}
	list := make([]string, field.Len()) // the caller's array stays as it is
	for i := range list {
		list[i] = hide(field.Index(i).String())
	}
	field.Set(reflect.ValueOf(list))
}

// redactURL hides the user part whole, since a token may stand alone in it. A
// text with one that is not a URL is hidden altogether.
func redactURL(s string) string {
	if !strings.Contains(s, "@") && !strings.Contains(s, "?") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return hidden
	}
	if u.User != nil {
		u.User = url.User(hidden)
	}
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	return u.String()
}

// String returns the settings as JSON with their secrets hidden.
func (n NATS) String() string { return redactedJSON(n) }

// String returns the settings as JSON with their secrets hidden.
func (r Redis) String() string { return redactedJSON(r) }

// String returns the settings as JSON with their secrets hidden.
func (e Embedded) String() string { return redactedJSON(e) }

// String returns the configuration as JSON with its secrets hidden.
func (c Config) String() string { return redactedJSON(c) }

// redactedJSON works on a copy: part is a value, and lists are copied when
// something in them is hidden.
func redactedJSON[T any](part T) string {
	redact(reflect.ValueOf(&part).Elem())
	text, err := json.Marshal(part)
	if err != nil {
		return "configuration that cannot be shown"
	}
	return string(text)
}
