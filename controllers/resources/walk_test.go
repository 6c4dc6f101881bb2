package resources_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// unseen are the fields that no object shows, each with the reason.
var unseen = map[string]string{
	"paused":                        "the reconciler then does nothing",
	"autoscaling.min":               "decides the number of hubs, which is a fact here",
	"autoscaling.max":               "as min",
	"autoscaling.connectionsPerPod": "as min",
	"autoscaling.scaleDownWindow":   "as min",
}

// full are specs that together set every field.
var full = []string{`
replicas: 3
image: hub:9
imagePullPolicy: Always
imagePullSecrets: [{name: registry}]
bus:
  nats:
    managed:
      replicas: 3
      jetStream: {storage: {size: 1Gi, storageClassName: fast}}
      retain: true
      image: nats:9
      pod: &pod
        labels: {team: chat}
        annotations: {note: text}
        resources: {limits: {memory: 1Gi}}
        nodeSelector: {disk: ssd}
        tolerations: [{key: dedicated, operator: Exists}]
        affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
        topologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]
        priorityClassName: high
auth:
  secretRef: {name: jwt}
  previousSecretRefs: [{name: jwt, key: previous}]
  algorithm: HS512
  issuer: me
  audience: you
  subjectClaim: user
  leeway: 10s
  requireExpiry: true
  allowAnonymous: true
  anonymousPermissions: ["read:message"]
adminKeyRef: {name: admin}
rooms: [{pattern: "a*", maxClients: 5, historySize: 10, historyTTL: 60s, presence: true, create: true}]
limits:
  maxConnections: 10
  maxMessageSize: 2000000
  sendQueueBytes: 3000
  slowConsumer: drop
  messagesPerSecond: 7
  burst: 9
  connectionsPerAddress: 11
  connectsPerSecondPerAddress: 12
  maxRooms: 13
  maxRoomsPerClient: 14
  maxRoomsCreatedPerClient: 15
drain: {delay: 3s, window: 20s}
config: {logLevel: debug}
service:
  type: LoadBalancer
  port: 443
  nodePort: 30443
  annotations: {lb: x}
  externalTrafficPolicy: Local
  loadBalancerClass: example.com/lb
  loadBalancerSourceRanges: [10.0.0.0/8]
httpRoute:
  parentRefs: [{name: g, namespace: n, sectionName: s, port: 443}]
  hostnames: [a.example.com]
  path: /p
  timeout: 1h
  annotations: {r: x}
tls: {secretName: cert}
networkPolicy:
  clientsFrom: [{podSelector: {}}]
  adminFrom: [{podSelector: {}}]
  egress: [{ports: [{port: 5432}]}]
monitoring: {serviceMonitor: {labels: {l: x}, interval: 30s}}
autoscaling: {min: 1, max: 3, connectionsPerPod: 5}
pod:
  <<: *pod
  serviceAccountName: own
  env: [{name: A, value: b}]
  envFrom: [{configMapRef: {name: c}}]
podTemplate: {metadata: {labels: {p: q}}}
paused: true
`, `
bus:
  nats:
    external:
      urls: ["nats://a:4222"]
      secretRef: {name: login}
      tls: {secretName: ca, serverName: nats.example.com}
      jetStream: {replicas: 3, storage: memory}
      prefix: p
auth: {publicKeys: [PEM]}
ingress:
  className: traefik
  hosts: [a.example.com]
  path: /p
  tlsSecretName: cert
  annotations: {r: x}
`, `
bus:
  type: redis
  redis:
    managed:
      storage: {size: 1Gi, storageClassName: fast}
      retain: true
      image: redis:9
      pod:
        labels: {team: chat}
        annotations: {note: text}
        resources: {limits: {memory: 1Gi}}
        nodeSelector: {disk: ssd}
        tolerations: [{key: dedicated, operator: Exists}]
        affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
        topologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]
        priorityClassName: high
auth: {jwksURL: "https://issuer.example.com/keys"}
`, `
bus:
  type: redis
  redis:
    external:
      addresses: ["a:26379"]
      masterName: main
      db: 1
      secretRef: {name: redis-login}
      tls: {secretName: ca, serverName: redis.example.com}
      prefix: p
`, `
bus: {type: embedded, embedded: {tls: {secretName: cert}}}
`}

// other are values for fields of which not every one will do.
var other = map[string]any{
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
	"imagePullPolicy":                      "Never",
	"config":                               &runtime.RawExtension{Raw: []byte(`{"logLevel": "warn"}`)},
	"podTemplate":                          &runtime.RawExtension{Raw: []byte(`{"metadata": {"labels": {"p": "r"}}}`)},
}

// Every field of the spec, when it is changed, changes an object.
func TestEveryFieldIsSeen(t *testing.T) {
	walked := map[string]bool{}
	for _, spec := range full {
		c := withSpec(t, strings.ReplaceAll(indent(spec), "[PEM]", "[\""+strings.ReplaceAll(publicKey, "\n", "\\n")+"\"]"))
		before := manifest(t, build(t, c, facts(c)))
		for _, path := range leaves(reflect.ValueOf(c.Spec), "", true) {
			t.Run(path, func(t *testing.T) {
				changed := c.DeepCopy()
				change(t, at(t, reflect.ValueOf(&changed.Spec).Elem(), path), path)
				if equal(changed.Spec, c.Spec) {
					return // it has the other value already, a default
				}
				walked[path] = true
				same := manifest(t, build(t, changed, facts(changed))) == before
				if _, expected := unseen[path]; same != expected {
					t.Errorf("unseen: %v, expected: %v", same, expected)
				}
			})
		}
	}
	for _, path := range leaves(reflect.ValueOf(v1alpha1.GoHubClusterSpec{}), "", false) {
		if !walked[path] {
			t.Errorf("no spec of full sets %s to what can be changed", path)
		}
	}
	for path := range maps.Keys(unseen) {
		if !walked[path] {
			t.Errorf("there is no field %s", path)
		}
	}
}

func indent(spec string) string {
	return "\n  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ")
}

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

func at(t *testing.T, v reflect.Value, path string) reflect.Value {
	t.Helper()
	name, rest, more := strings.Cut(path, ".")
	for i := range v.NumField() {
		field := v.Field(i)
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == "" && slices.Contains(leaves(field, "", false), path) {
			return at(t, field, path)
		}
		if tag != name {
			continue
		}
		if !more {
			return field
		}
		inner, ok := descend(field)
		if !ok {
			t.Fatalf("%s has no fields", name)
		}
		return at(t, inner, rest)
	}
	t.Fatalf("no field %s", path)
	return reflect.Value{}
}

// change gives a field another value: what other says, a little more, or, for
// Kubernetes' own structures and lists, nothing.
func change(t *testing.T, field reflect.Value, path string) {
	t.Helper()
	if value, ok := other[path]; ok {
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
