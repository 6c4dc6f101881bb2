package config_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/config"
)

const (
	second = config.Duration(time.Second)
	secret = "0123456789abcdef0123456789abcdef"
)

func TestValidateAccepts(t *testing.T) {
	edPEM, ecPEM := publicPEM(t, edKey(t)), publicPEM(t, ecKey(t))
	tests := []struct {
		name string
		c    config.Config
	}{
		{"zero", config.Config{}},
		{"effective", config.Config{}.Effective()},
		{"short read timeout", config.Config{ReadTimeout: second}},
		{"ping slower than read timeout", config.Config{ReadTimeout: second, PingInterval: 50 * second}},
		{"everything off", config.Config{
			ReadTimeout: -1, WriteTimeout: -1, PingInterval: -1, HandshakeTimeout: -1, JWTLeeway: -1,
			MaxMessageSize: -1, MaxConnections: -5, SendQueueBytes: -1, MaxRooms: -1, MaxRoomsPerClient: -1,
			MaxRoomsCreatedPerClient: -1, RateLimit: config.RateLimit{MessagesPerSecond: -1, ConnectionsPerAddress: -1},
			Drain: config.Drain{Delay: -1, Window: -1, Timeout: -1},
		}},
		{"free ports", config.Config{Address: "127.0.0.1:0", AdminAddress: "127.0.0.1:0"}},
		{"anonymous without auth", config.Config{AllowAnonymous: true, AnonymousPermissions: []string{"join:room", "send:message:a:b*"}}},
		{"secret", config.Config{EnableAuth: true, JWTSecretKey: secret, JWTPreviousSecretKeys: []string{"old"}, JWTAlgorithm: "HS384"}},
		{"short secret", config.Config{EnableAuth: true, JWTSecretKey: "short"}},
		{"JWKS", config.Config{EnableAuth: true, JWKSURL: "https://issuer.example/keys", JWTAlgorithm: "RS256"}},
		{"public keys", config.Config{EnableAuth: true, JWTPublicKeys: []string{edPEM, ecPEM}}},
		{"bundle", config.Config{EnableAuth: true, JWTPublicKeys: []string{edPEM + ecPEM}}},
		{"fitting algorithm", config.Config{EnableAuth: true, JWTPublicKeys: []string{ecPEM}, JWTAlgorithm: "ES256"}},
		{"origins", config.Config{AllowedOrigins: []string{"*", "https://a.example", "http://a.example:8080", "https://*.a.example", "http://[::1]:3000", "app://local"}}},
		{"proxies", config.Config{TrustedProxies: []string{"10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8"}}},
		{"rooms", config.Config{Rooms: []config.RoomRule{{Pattern: "*", HistorySize: 1, HistoryTTL: second}, {Pattern: "a*b*c>?", MaxClients: -1, HistorySize: -1}, {Pattern: strings.Repeat("x", 512)}}}},
		{"nats", config.Config{EnableCluster: true, BusType: "nats", NATS: config.NATS{URLs: []string{"nats://n:4222", "n:4222", "tls://[::1]:4222", "wss://n", "nats://user:pw@n"}}}},
		{"nats default", config.Config{EnableCluster: true, BusType: "nats"}},
		{"redis cluster", config.Config{EnableCluster: true, BusType: "redis", Redis: config.Redis{Addrs: []string{"a:1", "b:2"}, Password: "p"}}},
		{"sentinel", config.Config{EnableCluster: true, BusType: "redis", Redis: config.Redis{Addrs: []string{"a:1", "b:2"}, MasterName: "m", DB: 3, SentinelPassword: "p"}}},
		{"embedded", config.Config{EnableCluster: true, BusType: "embedded", Embedded: config.Embedded{Routes: []string{"hubs:6222"}}}},
		{"bus without cluster", config.Config{BusType: "redis"}},
		{"drain to the brim", config.Config{Drain: config.Drain{Delay: second, Window: 2 * second, Timeout: 3 * second}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

type refused struct {
	name string
	c    config.Config
	want string // how the error begins: the key and the reason
}

func checkRefused(t *testing.T, tests []refused) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("got error  %v\nwant prefix %s", err, tt.want)
			}
			if n := strings.Count(err.Error(), "\n"); n > 0 {
				t.Errorf("one mistake gives %d errors:\n%v", n+1, err)
			}
			var field *config.FieldError
			if !errors.As(err, &field) || !strings.HasPrefix(tt.want, field.Key+": ") {
				t.Errorf("got %+v, want a FieldError of that key", field)
			}
		})
	}
}

func TestValidateRefusesValues(t *testing.T) {
	checkRefused(t, []refused{
		{"address", config.Config{Address: "8080"}, `address: must be host:port, such as ":8080" or "127.0.0.1:8080", got "8080"`},
		{"port", config.Config{Address: ":65536"}, "address: must be host:port"},
		{"URL as address", config.Config{Address: "http://a:80"}, "address: must be host:port"},
		{"same admin address", config.Config{AdminAddress: ":8080"}, "adminAddress: must differ from address"},
		{"admin address", config.Config{AdminAddress: "x"}, "adminAddress: must be host:port"},
		{"bus type", config.Config{BusType: "kafka"}, `busType: must be one of nats, redis, embedded, noop, got "kafka"`},
		{"duplicates", config.Config{DuplicateID: "Replace"}, `duplicateID: must be one of replace, reject, allow, got "Replace"`},
		{"slow consumer", config.Config{SlowConsumer: "wait"}, `slowConsumer: must be one of close, drop, got "wait"`},
		{"log level", config.Config{LogLevel: "trace"}, "logLevel: must be one of debug, info, warn, error"},
		{"algorithm", config.Config{JWTAlgorithm: "none"}, "jwtAlgorithm: must be one of HS256, "},
		{"negative buffer", config.Config{ReadBufferSize: -1}, "readBufferSize: must not be negative, got -1"},
		{"huge buffer", config.Config{WriteBufferSize: 1 << 25}, "writeBufferSize: must be at most 16777216"},
		{"negative burst", config.Config{RateLimit: config.RateLimit{Burst: -1}}, "rateLimit.burst: must not be negative"},
		{"negative wait", config.Config{NATS: config.NATS{ReconnectWait: -second}}, "nats.reconnectWait: must not be negative, got -1s"},
		{"negative database", config.Config{Redis: config.Redis{DB: -1}}, "redis.db: must not be negative"},
		{"duration without unit", config.Config{ReadTimeout: 60}, "readTimeout: must be at least 1ms, got 60ns; is the unit missing?"},
		{"origin without scheme", config.Config{AllowedOrigins: []string{"*", "a.example"}}, "allowedOrigins[1]: must be scheme://host[:port]"},
		{"origin with path", config.Config{AllowedOrigins: []string{"https://a.example/"}}, "allowedOrigins[0]: "},
		{"origin with inner star", config.Config{AllowedOrigins: []string{"https://a*.example"}}, "allowedOrigins[0]: "},
		{"origin with user", config.Config{AllowedOrigins: []string{"https://u@a.example"}}, "allowedOrigins[0]: "},
		{"origin port", config.Config{AllowedOrigins: []string{"https://a:99999"}}, "allowedOrigins[0]: "},
		{"empty origin", config.Config{AllowedOrigins: []string{""}}, "allowedOrigins[0]: "},
		{"CIDR", config.Config{TrustedProxies: []string{"10.0.0.0/33"}}, `trustedProxies[0]: must be an IP address or a CIDR range`},
		{"proxy name", config.Config{TrustedProxies: []string{"::1", "proxy"}}, "trustedProxies[1]: "},
		{"reserved parameter", config.Config{QueryClientIDParam: "token"}, `queryClientIDParam: cannot be "token"`},
		{"unprintable parameter", config.Config{QueryClientIDParam: "a\n"}, "queryClientIDParam: must not hold control characters"},
		{"no pattern", config.Config{Rooms: []config.RoomRule{{}}}, "rooms[0].pattern: must not be empty"},
		{"long pattern", config.Config{Rooms: []config.RoomRule{{Pattern: strings.Repeat("x", 513)}}}, "rooms[0].pattern: must be at most 512 bytes"},
		{"pattern not UTF-8", config.Config{Rooms: []config.RoomRule{{Pattern: "\xff"}}}, "rooms[0].pattern: must be valid UTF-8"},
		{"pattern with control", config.Config{Rooms: []config.RoomRule{{Pattern: "a\x00"}}}, "rooms[0].pattern: must not hold control"},
		{"same pattern", config.Config{Rooms: []config.RoomRule{{Pattern: "a"}, {Pattern: "a"}}}, "rooms[1].pattern: is the same as that of rooms[0]"},
		{"permission", config.Config{AnonymousPermissions: []string{"join:rooms"}}, "anonymousPermissions[0]: must be one of read:message, "},
		{"system by room", config.Config{AnonymousPermissions: []string{"admin:system:x"}}, "anonymousPermissions[0]: admin:system cannot be limited"},
		{"permission without pattern", config.Config{AnonymousPermissions: []string{"join:room:"}}, "anonymousPermissions[0]: the pattern after join:room: must not be empty"},
		{"subject claim", config.Config{JWTSubjectClaim: "exp"}, `jwtSubjectClaim: "exp" has a meaning of its own`},
		{"JWKS scheme", config.Config{JWKSURL: "file:///keys"}, "jwksURL: must be an https:// or http:// address"},
		{"nats scheme", config.Config{NATS: config.NATS{URLs: []string{"http://n"}}}, "nats.urls[0]: must be host:port or a nats://"},
		{"nats port", config.Config{NATS: config.NATS{URLs: []string{"nats://n:99999"}}}, "nats.urls[0]: must be host:port or a nats://"},
		{"redis address", config.Config{Redis: config.Redis{Addr: "redis"}}, `redis.addr: must be host:port, got "redis"`},
		{"redis without host", config.Config{Redis: config.Redis{Addrs: []string{"a:1", ":6379"}}}, "redis.addrs[1]: must be host:port"},
		{"route", config.Config{Embedded: config.Embedded{Routes: []string{"hub"}}}, "embedded.routes[0]: must be host:port"},
		{"cluster address", config.Config{Embedded: config.Embedded{ClusterAddress: "6222"}}, "embedded.clusterAddress: must be host:port"},
		{"blank secret", config.Config{JWTSecretKey: " "}, "jwtSecretKey: must not be blank"},
		{"blank key", config.Config{APIKey: "\n"}, "apiKey: must not be blank"},
		{"blank previous secret", config.Config{JWTSecretKey: secret, JWTPreviousSecretKeys: []string{""}}, "jwtPreviousSecretKeys[0]: must not be blank"},
	})
}

func TestValidateRefusesContradictions(t *testing.T) {
	edPEM := publicPEM(t, edKey(t))
	private, err := x509.MarshalPKCS8PrivateKey(edKey(t))
	if err != nil {
		t.Fatal(err)
	}
	privatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	checkRefused(t, []refused{
		{"auth without key", config.Config{EnableAuth: true}, "enableAuth: needs a key to verify tokens: jwtSecretKey, jwtPublicKeys or jwksURL"},
		{"auth with old keys only", config.Config{EnableAuth: true, JWTPreviousSecretKeys: []string{"old"}}, "enableAuth: needs a key"},
		{"JWKS with HS", config.Config{JWKSURL: "https://a/k", JWTAlgorithm: "HS256"}, "jwtAlgorithm: HS256 needs a shared secret; jwksURL takes"},
		{"public key with HS", config.Config{JWTPublicKeys: []string{edPEM}, JWTAlgorithm: "HS256"}, "jwtAlgorithm: HS256 needs a shared secret; jwtPublicKeys takes"},
		{"secret with RS", config.Config{JWTSecretKey: secret, JWTAlgorithm: "RS256"}, "jwtAlgorithm: RS256 needs jwtPublicKeys or jwksURL"},
		{"secret and JWKS", config.Config{JWTSecretKey: secret, JWKSURL: "https://a/k"}, "jwksURL: is set together with jwtSecretKey; use one kind of key"},
		{"public keys and JWKS", config.Config{JWTPublicKeys: []string{edPEM}, JWKSURL: "https://a/k"}, "jwksURL: is set together with jwtPublicKeys"},
		{"key of another kind", config.Config{JWTPublicKeys: []string{edPEM}, JWTAlgorithm: "ES256"}, "jwtPublicKeys[0]: is a key for EdDSA, but jwtAlgorithm is ES256"},
		{"private key", config.Config{JWTPublicKeys: []string{privatePEM}}, "jwtPublicKeys[0]: is a private key"},
		{"no PEM", config.Config{JWTPublicKeys: []string{"abc"}}, "jwtPublicKeys[0]: must be a public key or certificate in PEM form"},
		{"broken PEM", config.Config{JWTPublicKeys: []string{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}}, "jwtPublicKeys[0]: is not a readable public key"},
		{"text after PEM", config.Config{JWTPublicKeys: []string{edPEM + "x"}}, "jwtPublicKeys[0]: holds text that is not a PEM block"},
		{"cluster alone", config.Config{EnableCluster: true}, `enableCluster: needs a busType that connects hubs: "nats", "redis" or "embedded"`},
		{"cluster on noop", config.Config{EnableCluster: true, BusType: "noop"}, "enableCluster: needs a busType"},
		{"cert without key", config.Config{TLS: config.TLSFiles{CertFile: "c"}}, "tls.keyFile: is missing"},
		{"key without cert", config.Config{TLS: config.TLSFiles{KeyFile: "k"}}, "tls.certFile: is missing"},
		{"bus cert without key", config.Config{NATS: config.NATS{TLS: config.ClientTLS{CertFile: "c"}}}, "nats.tls.keyFile: is missing"},
		{"mesh TLS without cert", config.Config{Embedded: config.Embedded{TLS: config.ClientTLS{CAFile: "c"}}}, "embedded.tls.certFile: is missing"},
		{"TTL without size", config.Config{Rooms: []config.RoomRule{{Pattern: "*", HistoryTTL: second}}}, "rooms[0].historyTTL: needs historySize"},
		{"two ways to sign in", config.Config{NATS: config.NATS{Token: "t", NKeyFile: "f"}}, "nats.token: is set together with nats.nkeyFile"},
		{"name without password", config.Config{NATS: config.NATS{Username: "u"}}, "nats.password: is missing"},
		{"password without name", config.Config{Embedded: config.Embedded{Password: "p"}}, "embedded.username: is missing"},
		{"redis name without password", config.Config{Redis: config.Redis{Username: "u"}}, "redis.password: is missing"},
		{"addr and addrs", config.Config{Redis: config.Redis{Addr: "a:1", Addrs: []string{"b:1"}}}, "redis.addr: is set together with redis.addrs"},
		{"database of a cluster", config.Config{Redis: config.Redis{Addrs: []string{"a:1", "b:1"}, DB: 1}}, "redis.db: must be 0 with several redis.addrs"},
		{"sentinel password alone", config.Config{Redis: config.Redis{SentinelPassword: "p"}}, "redis.masterName: is missing"},
		{"drain timeout", config.Config{Drain: config.Drain{Window: 60 * second}}, "drain.timeout: must be at least drain.delay and drain.window together (1m5s), got 30s"},
		{"drain overflow", config.Config{Drain: config.Drain{Delay: 1 << 62, Window: 1 << 62}}, "drain.window: is too long"},
	})
}

// TestSigns proves for every number and duration that the tag, which the
// documentation shows, is what Validate and Effective go by.
func TestSigns(t *testing.T) {
	for _, k := range config.Keys() {
		text := map[string]string{"number": "-7", "duration": "-7s"}[k.Type]
		if text == "" {
			continue
		}
		var c config.Config
		if err := config.Set(&c, k.Path, text); err != nil {
			t.Fatal(err)
		}
		err := c.Validate()
		if k.Negative == "" {
			if err == nil || !strings.HasPrefix(err.Error(), k.Path+": must not be negative") {
				t.Errorf("%s: got %v, want a refusal", k.Path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v, though the key says %q", k.Path, err, k.Negative)
		}
		if got := fmt.Sprint(valueAt(c.Effective(), k.Path)); got != "-1" && got != "-1ns" {
			t.Errorf("%s: effective %s, want -1", k.Path, got)
		}
	}
}

// valueAt returns the value of the key at path.
func valueAt(c config.Config, path string) any {
	v := reflect.ValueOf(c)
	for name := range strings.SplitSeq(path, ".") {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") == name {
				v = v.Field(i)
				break
			}
		}
	}
	return v.Interface()
}

func TestValidateReportsEverything(t *testing.T) {
	err := config.Config{LogLevel: "x", BusType: "y", Redis: config.Redis{DB: -1}}.Validate()
	for _, key := range []string{"logLevel: ", "busType: ", "redis.db: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not in: %v", key, err)
		}
	}
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPEM(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
