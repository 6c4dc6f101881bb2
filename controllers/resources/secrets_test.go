package resources_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

const (
	missing = v1alpha1.ReasonSecretMissing
	invalid = v1alpha1.ReasonSecretInvalid
)

func TestSecretsThatCannotBeUsed(t *testing.T) {
	external := "{bus: {nats: {external: {urls: ['n:4222'], secretRef: {name: s}}}}}"
	externalTLS := "{bus: {nats: {external: {urls: ['n:4222'], tls: {secretName: s}}}}}"
	jwt := "{auth: {secretRef: {name: s}}}"
	for _, c := range []struct {
		name, spec string
		data       map[string]string // of Secret s; nil is none
		reason     v1alpha1.ConditionReason
		message    string
	}{
		{"token secret missing", jwt, nil, missing, `spec.auth.secretRef: Secret "s" does not exist in namespace "chat"`},
		{"token secret without the key", jwt, map[string]string{"other": "x"}, invalid, `spec.auth.secretRef: Secret "s" has no key "key"`},
		{"token secret blank", jwt, map[string]string{"key": " \r\n"}, invalid, `key "key" of Secret "s" is blank`},
		{"token secret of bytes", jwt, map[string]string{"key": "\xff\xfe"}, invalid, `is not UTF-8 text`},
		{"admin key missing", "{adminKeyRef: {name: s, key: k}}", nil, missing, "spec.adminKeyRef"},
		{"previous secret missing", "{auth: {secretRef: {name: chat-jwt}, previousSecretRefs: [{name: s}]}}", nil, missing, "spec.auth.previousSecretRefs"},
		{"certificate missing", "{tls: {secretName: s}}", nil, missing, "spec.tls.secretName"},
		{"certificate without its key", "{tls: {secretName: s}}", map[string]string{"tls.crt": "x"}, invalid, `has no key "tls.key"`},
		{"mesh without authorities", "{bus: {type: embedded, embedded: {tls: {secretName: s}}}}", map[string]string{"tls.crt": "x", "tls.key": "x"}, invalid, `has no key "ca.crt"`},
		{"login missing", external, nil, missing, "spec.bus.nats.external.secretRef"},
		{"login without a way", external, map[string]string{"user": "x"}, invalid, "has 0 ways to sign in, want one"},
		{"login with two ways", external, map[string]string{"token": "x", "creds": "x"}, invalid, "has 2 ways to sign in"},
		{"login without the password", external, map[string]string{"username": "x"}, invalid, `has no key "password"`},
		{"Redis user without the password", "{bus: {type: redis, redis: {external: {addresses: ['r:6379'], secretRef: {name: s}}}}}",
			map[string]string{"username": "x"}, v1alpha1.ReasonHubConfigInvalid, "redis.password: is missing"},
		{"authorities missing", externalTLS, nil, missing, "spec.bus.nats.external.tls.secretName"},
		{"authorities without any", externalTLS, map[string]string{"x": "y"}, invalid, `has neither "ca.crt" nor "tls.crt" and "tls.key"`},
		{"client certificate without its key", externalTLS, map[string]string{"tls.crt": "y"}, v1alpha1.ReasonHubConfigInvalid, "nats.tls.keyFile: is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withSpec(t, c.spec)
			f := facts(x)
			delete(f.Secrets, "s")
			if c.data != nil {
				f.Secrets["s"] = map[string][]byte{}
				for key, value := range c.data {
					f.Secrets["s"][key] = []byte(value)
				}
			}
			reason, message := refused(t, x, f)
			if reason != c.reason || !strings.Contains(message, c.message) {
				t.Errorf("%s: %s", reason, message)
			}
		})
	}
}

func TestAllMissingSecretsAreNamed(t *testing.T) {
	c := samples(t)["production"]
	f := facts(c)
	f.Secrets = nil
	_, message := refused(t, c, f)
	for _, name := range []string{"production-nats-credentials", "chat-admin", "chat-jwt"} {
		if !strings.Contains(message, name) {
			t.Errorf("%s is not named in %s", name, message)
		}
	}
}

// What the hubs copy rolls them; what they read again does not.
func TestChangedSecretsRollTheHubs(t *testing.T) {
	for _, c := range []struct {
		spec, secret, key string
		rolls             bool
	}{
		{"{auth: {secretRef: {name: s}}}", "s", "key", true},
		{"{adminKeyRef: {name: s}}", "s", "key", true},
		{"{}", "x-admin", "key", true},
		{"{}", "x-nats-credentials", "password", true},
		{"{bus: {nats: {external: {urls: ['n:4222'], tls: {secretName: s}}}}}", "s", "ca.crt", true},
		{"{bus: {nats: {external: {urls: ['n:4222'], secretRef: {name: nats-login}}}}}", "nats-login", "creds", true},
		{"{tls: {secretName: s}}", "s", "tls.crt", false},
		{"{bus: {type: embedded, embedded: {tls: {secretName: s}}}}", "s", "tls.key", false},
		{"{bus: {type: embedded, embedded: {tls: {secretName: s}}}}", "s", "ca.crt", true},
		{"{auth: {secretRef: {name: s}}}", "s", "unused", false},
	} {
		x := withSpec(t, c.spec)
		f := facts(x)
		before := text(t, build(t, x, f).Hub.Deployment)
		f.Secrets[c.secret][c.key] = []byte("another value, long enough")
		if rolls := text(t, build(t, x, f).Hub.Deployment) != before; rolls != c.rolls {
			t.Errorf("%s, %s of %s: %v", c.spec, c.key, c.secret, rolls)
		}
	}
}

func TestSecretNames(t *testing.T) {
	for spec, want := range map[string][]string{
		"{}": {"x-admin", "x-hub", "x-nats-credentials"},
		"{auth: {secretRef: {name: j}, previousSecretRefs: [{name: j}, {name: k}]}, adminKeyRef: {name: a}, tls: {secretName: t}}": {"a", "j", "k", "t", "x-hub", "x-nats-credentials"},
		"{bus: {type: embedded, embedded: {tls: {secretName: m}}}}":                                                                {"m", "x-admin", "x-hub", "x-mesh-credentials"},
		"{bus: {type: redis, redis: {managed: {}}}}":                                                                               {"x-admin", "x-hub", "x-redis-credentials"},
		"{bus: {type: redis, redis: {external: {addresses: ['r:1'], secretRef: {name: l}, tls: {}}}}}":                             {"l", "x-admin", "x-hub"},
		"{bus: {nats: {external: {urls: ['n:1'], tls: {secretName: c}}}}}":                                                         {"c", "x-admin", "x-hub"},
	} {
		if got := resources.SecretNames(withSpec(t, spec)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
}

func TestGeneratedSecretsKeepTheirData(t *testing.T) {
	c := withSpec(t, "{bus: {nats: {managed: {retain: true}}}}")
	generated := resources.GeneratedSecrets(c)
	if len(generated) != 2 || generated[0].Retain || !generated[1].Retain {
		t.Fatalf("%+v", generated)
	}
	for i, o := range build(t, c, facts(c)).Generated {
		if o.Data != nil || o.StringData != nil || o.Type != nil {
			t.Errorf("%s is applied with data", *o.Name)
		}
		if owned := len(o.OwnerReferences) > 0; owned == generated[i].Retain {
			t.Errorf("%s is owned: %v", *o.Name, owned)
		}
	}
	made := generated[1].NewSecret(c, map[string][]byte{"password": []byte("p")})
	if made.Name != "x-nats-credentials" || made.Namespace != "chat" || len(made.OwnerReferences) > 0 || string(made.Data["password"]) != "p" {
		t.Errorf("%+v", made)
	}
}
