package resources_test

import (
	"slices"
	"testing"
)

// Hubs go on accepting a token secret after the data of its Secret changed.
func TestRotationOfTokenSecrets(t *testing.T) {
	c := withSpec(t, "{auth: {secretRef: {name: jwt}}}")
	f := facts(c)
	for _, step := range []struct {
		name, secret string
		previous     []string
	}{
		{"first", "a", nil},
		{"again", "a", nil},
		{"rotated", "b", []string{"a"}},
		{"rotated, again", "b", []string{"a"}},
		{"twice", "c", []string{"b", "a"}},
		{"back", "b", []string{"c", "a"}},
		{"many", "d", []string{"b", "c", "a"}},
		{"the oldest is forgotten", "e,[\"", []string{"d", "b", "c"}},
		{"with a comma", "g", []string{"e,[\"", "d", "b"}},
	} {
		f.Secrets["jwt"]["key"] = []byte(step.secret + "\n")
		o := build(t, c, f)
		cfg := read(t, o)
		if cfg.JWTSecretKey != step.secret || !slices.Equal(cfg.JWTPreviousSecretKeys, step.previous) {
			t.Errorf("%s: %q and %q, want %q and %q", step.name, cfg.JWTSecretKey, cfg.JWTPreviousSecretKeys, step.secret, step.previous)
		}
		f.Secrets["x-hub"] = o.Hub.Secret.Data
	}

	t.Run("a named previous one stands by itself", func(t *testing.T) {
		c := withSpec(t, "{auth: {secretRef: {name: jwt}, previousSecretRefs: [{name: jwt, key: previous}]}}")
		f.Secrets["jwt"]["previous"] = []byte("d")
		o := build(t, c, f)
		if cfg := read(t, o); !slices.Equal(cfg.JWTPreviousSecretKeys, []string{"d", "e,[\"", "b"}) {
			t.Errorf("%q", cfg.JWTPreviousSecretKeys)
		}
	})
	t.Run("another reference forgets", func(t *testing.T) {
		c := withSpec(t, "{auth: {secretRef: {name: jwt, key: next}}}")
		f.Secrets["jwt"]["next"] = []byte("h")
		if cfg := read(t, build(t, c, f)); cfg.JWTSecretKey != "h" || len(cfg.JWTPreviousSecretKeys) > 0 {
			t.Errorf("%q and %q", cfg.JWTSecretKey, cfg.JWTPreviousSecretKeys)
		}
	})
	t.Run("edited by hand", func(t *testing.T) {
		f.Secrets["x-hub"]["jwt-replaced"] = []byte("{")
		if cfg := read(t, build(t, c, f)); len(cfg.JWTPreviousSecretKeys) > 0 {
			t.Errorf("%q", cfg.JWTPreviousSecretKeys)
		}
	})
}
