package resources

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// SecretNames returns, sorted, the names of the Secrets that [Build] wants to
// see: those the spec names for the hubs, the generated ones, and the one it
// renders itself, [HubName], in which it finds token secrets that were replaced.
// All are in the namespace of c. Image pull secrets are the kubelet's business.
func SecretNames(c *v1alpha1.GoHubCluster) []string {
	names := []string{HubName(c)}
	add := func(name string) {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, g := range GeneratedSecrets(c) {
		add(g.Name)
	}
	if ref := c.Spec.AdminKeyRef; ref != nil {
		add(ref.Name)
	}
	if auth := c.Spec.Auth; auth != nil {
		if auth.SecretRef != nil {
			add(auth.SecretRef.Name)
		}
		for _, ref := range auth.PreviousSecretRefs {
			add(ref.Name)
		}
	}
	if c.Spec.TLS != nil {
		add(c.Spec.TLS.SecretName)
	}
	for _, name := range busSecretNames(c.Spec.Bus) {
		add(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func busSecretNames(bus v1alpha1.Bus) []string {
	var login *v1alpha1.LocalRef
	var tls *v1alpha1.ClientTLS
	switch {
	case bus.NATS != nil && bus.NATS.External != nil:
		login, tls = bus.NATS.External.SecretRef, bus.NATS.External.TLS
	case bus.Redis != nil && bus.Redis.External != nil:
		login, tls = bus.Redis.External.SecretRef, bus.Redis.External.TLS
	case bus.Embedded != nil && bus.Embedded.TLS != nil:
		return []string{bus.Embedded.TLS.SecretName}
	}
	var names []string
	if login != nil {
		names = append(names, login.Name)
	}
	if tls != nil {
		names = append(names, tls.SecretName)
	}
	return names
}

// secret returns the data of a Secret. A missing one is a problem, and its data
// are nil then. field says what names it.
func (b *builder) secret(field, name string) map[string][]byte {
	data, ok := b.f.Secrets[name]
	if !ok {
		b.invalid(v1alpha1.ReasonSecretMissing,
			fmt.Sprintf("%s: Secret %q does not exist in namespace %q: create it, or name another", field, name, b.c.Namespace))
		return nil
	}
	if data == nil {
		return map[string][]byte{}
	}
	return data
}

// value returns one value of a Secret, without the line ends at its end.
func (b *builder) value(field, name, key string) string {
	data := b.secret(field, name)
	if data == nil {
		return ""
	}
	return b.valueOf(field, name, key, data)
}

// valueOf is value for data that were looked up.
func (b *builder) valueOf(field, name, key string, data map[string][]byte) string {
	raw, ok := data[key]
	text := strings.TrimRight(string(raw), "\r\n")
	switch {
	case !ok:
		b.invalid(v1alpha1.ReasonSecretInvalid, fmt.Sprintf("%s: Secret %q has no key %q: add it", field, name, key))
		return ""
	case strings.TrimSpace(text) == "":
		b.invalid(v1alpha1.ReasonSecretInvalid, fmt.Sprintf("%s: key %q of Secret %q is blank: set it", field, key, name))
		return ""
	case !utf8.ValidString(text):
		b.invalid(v1alpha1.ReasonSecretInvalid,
			fmt.Sprintf("%s: key %q of Secret %q is not UTF-8 text: encode random bytes, in base64 say", field, key, name))
		return ""
	}
	return text
}

// reference returns the value a reference names.
func (b *builder) reference(field string, ref v1alpha1.SecretKeyRef) string {
	return b.value(field, ref.Name, ref.Key)
}

// ChildSecretNames returns the names of all Secrets that Build or GeneratedSecrets
// give any resource of this name, whatever its spec.
func ChildSecretNames(c *v1alpha1.GoHubCluster) []string {
	return []string{
		HubName(c), AdminName(c), NATSName(c), RedisName(c),
		credentialsName(NATSName(c)), credentialsName(RedisName(c)), credentialsName(MeshName(c)),
	}
}
