package apitest

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

//go:embed full.yaml
var full string

// Full returns specs that together set every field. Secrets they name have the
// data of [SecretData].
func Full() ([]v1alpha1.GoHubClusterSpec, error) {
	var specs []v1alpha1.GoHubClusterSpec
	for i, text := range strings.Split(full, "\n---\n") {
		var spec v1alpha1.GoHubClusterSpec
		if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
			return nil, fmt.Errorf("read spec %d of full.yaml: %w", i, err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// Fields returns the paths of all fields of a spec, as in "bus.nats.managed.image".
// A list of structures stands for its first item.
func Fields() []string {
	return leaves(reflect.ValueOf(v1alpha1.GoHubClusterSpec{}), "", false)
}

// SetFields returns the paths of the fields that are set in a spec.
func SetFields(spec *v1alpha1.GoHubClusterSpec) []string {
	return leaves(reflect.ValueOf(*spec), "", true)
}

// Change gives a field of SetFields another value.
func Change(spec *v1alpha1.GoHubClusterSpec, path string) {
	change(at(reflect.ValueOf(spec).Elem(), path), path)
}

// Copy gives a field of SetFields the value it has in from, which has the same
// fields set.
func Copy(to, from *v1alpha1.GoHubClusterSpec, path string) {
	at(reflect.ValueOf(to).Elem(), path).Set(at(reflect.ValueOf(from.DeepCopy()).Elem(), path))
}

// SecretData returns the data of a Secret that a spec of Full names, or one that
// Change has given another name or key. One has one way to sign in where its name
// says "login".
func SecretData(name string) map[string][]byte {
	keys := []string{"key", "keyx", "previous", "previousx", "tls.crt", "tls.key", "ca.crt"}
	if strings.Contains(name, "login") {
		keys = []string{"username", "password"}
	}
	if strings.Contains(name, "redis-login") {
		keys = append(keys, "sentinelUsername", "sentinelPassword")
	}
	if strings.HasPrefix(name, "nats-login") {
		keys = []string{"creds"}
	}
	data := map[string][]byte{}
	for _, key := range keys {
		data[key] = []byte(key + " of " + name + ", long enough for a key\n")
	}
	return data
}

// other are values for fields of which not every one will do.
func other() map[string]any {
	return map[string]any{
		"auth.algorithm":                       "HS384",
		"auth.subjectClaim":                    "name",
		"auth.anonymousPermissions":            []v1alpha1.Permission{"send:message"},
		"auth.publicKeys":                      []string{otherPublicKey},
		"auth.jwksURL":                         "https://issuer.example.com:8443/keys",
		"limits.slowConsumer":                  "close",
		"bus.nats.external.urls":               []string{"nats://b:4333"},
		"bus.nats.external.jetStream.storage":  "file",
		"bus.nats.managed.replicas":            int32(1),
		"bus.nats.external.jetStream.replicas": int32(5),
		"bus.redis.external.addresses":         []string{"b:26380"},
		"bus.type":                             v1alpha1.BusEmbedded,
		"service.type":                         "NodePort",
		"service.externalTrafficPolicy":        "Cluster",
		"ingress.hosts":                        []v1alpha1.Hostname{"b.example.com"},
		"imagePullPolicy":                      "Never",
		"config":                               &runtime.RawExtension{Raw: []byte(`{"logLevel": "warn"}`)},
		"podTemplate":                          &runtime.RawExtension{Raw: []byte(`{"metadata": {"labels": {"p": "r"}}}`)},
	}
}

const otherPublicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJemWvxbchYXK7GoPendBF625IDcT
JMBgLvM3YR/oirgjdSCDeLFamGl93AX0KWDz/rTxf8sEEof6cE88EN/c/w==
-----END PUBLIC KEY-----
`

// ours says whether a type is a structure of the API with fields of its own.
func ours(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[v1alpha1.GoHubCluster]().PkgPath()
}

// leaves returns the paths of all fields below v, or with onlySet of those that
// are not zero. A list of structures of the API stands for its first item.
func leaves(v reflect.Value, path string, onlySet bool) []string {
	var all []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field, below := v.Field(i), path
		if name != "" {
			below = strings.TrimPrefix(path+"."+name, ".")
		}
		if onlySet && field.IsZero() {
			continue
		}
		if inner, ok := descend(field); ok {
			all = append(all, leaves(inner, below, onlySet)...)
		} else {
			all = append(all, below)
		}
	}
	return all
}

// descend returns the structure of the API that a field is, points to or lists.
func descend(field reflect.Value) (reflect.Value, bool) {
	t := field.Type()
	switch {
	case ours(t):
		return field, true
	case t.Kind() == reflect.Pointer && ours(t.Elem()):
		if field.IsNil() {
			return reflect.Zero(t.Elem()), true
		}
		return field.Elem(), true
	case t.Kind() == reflect.Slice && ours(t.Elem()):
		if field.Len() == 0 {
			return reflect.Zero(t.Elem()), true
		}
		return field.Index(0), true
	}
	return reflect.Value{}, false
}

func at(v reflect.Value, path string) reflect.Value {
	name, rest, more := strings.Cut(path, ".")
	for i := range v.NumField() {
		field := v.Field(i)
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == "" && slices.Contains(leaves(field, "", false), path) {
			return at(field, path)
		}
		if tag != name {
			continue
		}
		if !more {
			return field
		}
		inner, ok := descend(field)
		if !ok {
			break
		}
		return at(inner, rest)
	}
	panic("no field " + path)
}

// change gives a field another value: that of other, a little more, or, for
// Kubernetes' own structures and lists, nothing.
func change(field reflect.Value, path string) {
	if value, ok := other()[path]; ok {
		field.Set(reflect.ValueOf(value).Convert(field.Type()))
		return
	}
	switch value := field.Addr().Interface().(type) {
	case *metav1.Duration:
		value.Duration += time.Second
		return
	case **metav1.Duration:
		*value = &metav1.Duration{Duration: (*value).Duration + time.Second}
		return
	case *resource.Quantity:
		value.Add(resource.MustParse("1Mi"))
		return
	}
	if field.Kind() == reflect.Pointer {
		scalar := reflect.New(field.Type().Elem())
		scalar.Elem().Set(field.Elem())
		if k := scalar.Elem().Kind(); k == reflect.Struct {
			field.SetZero()
			return
		}
		field.Set(scalar)
		field = scalar.Elem()
	}
	switch {
	case field.Kind() == reflect.String:
		field.SetString(field.String() + "x")
	case field.Kind() == reflect.Bool:
		field.SetBool(!field.Bool())
	case field.CanInt():
		field.SetInt(field.Int() + 1)
	default:
		field.SetZero()
	}
}
