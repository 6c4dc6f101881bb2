package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/chenxilol/gohub/pkg/bus"
	"github.com/chenxilol/gohub/pkg/bus/bustest"
	"github.com/chenxilol/gohub/pkg/bus/nats"
	"github.com/chenxilol/gohub/pkg/config"
	"github.com/chenxilol/gohub/test/certs"
	"github.com/chenxilol/gohub/test/natsserver"
)

func tlsLines(f certs.Files) string {
	return fmt.Sprintf("tls { ca_file: %q, cert_file: %q, key_file: %q, verify: true }\n", f.CA, f.Cert, f.Key)
}

// Everything over TLS, where both sides show a certificate, and signed in.
func TestTLS(t *testing.T) {
	f := certs.New(t)
	s := natsserver.New(t, natsserver.Config{
		JetStream: true,
		Lines:     tlsLines(f) + `authorization { user: hub, password: secret, timeout: 5 }`,
	})
	c := nats.Config{
		URLs: []string{s.Address()}, Username: "hub", Password: "secret", JetStream: config.JetStream{Enable: true},
		TLS: config.ClientTLS{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key},
	}
	bustest.Run(t, bustest.Harness{
		Connect: func(t *testing.T, o bus.Options) bus.Bus { return connect(t, c, o) },
		Kill:    func(t *testing.T) { s.Kill(t) },
		Restart: func(t *testing.T) { s.Start(t) },
		Pause:   func(t *testing.T) { s.Pause(t) },
		Resume:  func(t *testing.T) { s.Resume(t) },
		History: true,
		Leases:  true,
	})
}

func TestSignIn(t *testing.T) {
	f, other := certs.New(t), certs.New(t)
	creds, operator := credentials(t)
	seed, public := nkey(t)
	for _, tt := range []struct {
		name   string
		lines  string
		config nats.Config
		ok     bool
	}{
		{"password", `authorization { user: u, password: p }`, nats.Config{Username: "u", Password: "p"}, true},
		{"wrong password", `authorization { user: u, password: p }`, nats.Config{Username: "u", Password: "x"}, false},
		{"token", `authorization { token: abc }`, nats.Config{Token: "abc"}, true},
		{"wrong token", `authorization { token: abc }`, nats.Config{Token: "abcd"}, false},
		{"nkey", fmt.Sprintf(`authorization { users: [ { nkey: %s } ] }`, public), nats.Config{NKeyFile: seed}, true},
		{"no nkey", fmt.Sprintf(`authorization { users: [ { nkey: %s } ] }`, public), nats.Config{}, false},
		{"credentials", operator, nats.Config{CredentialsFile: creds}, true},
		{"no credentials", operator, nats.Config{}, false},
		{"TLS", tlsLines(f), nats.Config{TLS: config.ClientTLS{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key}}, true},
		{"no client certificate", tlsLines(f), nats.Config{TLS: config.ClientTLS{CAFile: f.CA}}, false},
		{"unknown authority", tlsLines(f), nats.Config{TLS: config.ClientTLS{CAFile: other.CA, CertFile: f.Cert, KeyFile: f.Key}}, false},
		{"another name", tlsLines(f), nats.Config{TLS: config.ClientTLS{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key, ServerName: "x"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := natsserver.New(t, natsserver.Config{Lines: tt.lines})
			tt.config.URLs = []string{s.URL()}
			b := connect(t, tt.config, bus.Options{})
			defer b.Close(t.Context())
			if err := b.Probe(t.Context()); (err == nil) != tt.ok {
				t.Errorf("probe: %v", err)
			}
		})
	}
}

func nkey(t *testing.T) (seedFile, public string) {
	t.Helper()
	user := must(t)(nkeys.CreateUser())
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = user.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return write(t, "user.nk", seed), public
}

// credentials makes a .creds file and the lines of a server that believes it.
func credentials(t *testing.T) (file, lines string) {
	t.Helper()
	operator, account, user := must(t)(nkeys.CreateOperator()), must(t)(nkeys.CreateAccount()), must(t)(nkeys.CreateUser())
	sign := func(claims jwt.Claims, by nkeys.KeyPair) string {
		token, err := claims.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	operatorToken := sign(jwt.NewOperatorClaims(public(t, operator)), operator)
	accountToken := sign(jwt.NewAccountClaims(public(t, account)), operator)
	userToken := sign(jwt.NewUserClaims(public(t, user)), account)
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := jwt.FormatUserConfig(userToken, seed)
	if err != nil {
		t.Fatal(err)
	}
	lines = fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n", operatorToken, public(t, account), accountToken)
	return write(t, "user.creds", data), lines
}

func public(t *testing.T, k nkeys.KeyPair) string {
	t.Helper()
	p, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t *testing.T) func(nkeys.KeyPair, error) nkeys.KeyPair {
	return func(k nkeys.KeyPair, err error) nkeys.KeyPair {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A mistake in the configuration, or a file that is missing or broken, is an
// error at once, and names no secret.
func TestConnectErrors(t *testing.T) {
	broken := write(t, "broken", []byte("hunter2"))
	f := certs.New(t)
	for _, tt := range []struct {
		name string
		c    nats.Config
		want string
	}{
		{"address", nats.Config{URLs: []string{"http://n"}}, "urls[0]"},
		{"prefix", nats.Config{Prefix: "a.>"}, "prefix"},
		{"no credentials", nats.Config{CredentialsFile: filepath.Join(t.TempDir(), "x")}, "credentialsFile"},
		{"no nkey", nats.Config{NKeyFile: filepath.Join(t.TempDir(), "x")}, "nkeyFile"},
		{"broken nkey", nats.Config{NKeyFile: broken}, "nkeyFile"},
		{"no authority", nats.Config{TLS: config.ClientTLS{CAFile: filepath.Join(t.TempDir(), "x")}}, "caFile"},
		{"broken authority", nats.Config{TLS: config.ClientTLS{CAFile: broken}}, "caFile"},
		{"broken key", nats.Config{TLS: config.ClientTLS{CertFile: f.Cert, KeyFile: broken}}, "keyFile"},
	} {
		b, err := nats.Connect(tt.c, bus.Options{})
		if err == nil {
			b.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error about %s", tt.name, err, tt.want)
		}
	}
}

// A password that is put right on the server lets the hub in without a restart.
func TestSignInLater(t *testing.T) {
	connected := make(chan bus.Notice, 10)
	s := natsserver.New(t, natsserver.Config{Lines: `authorization { user: u, password: old }`})
	c := nats.Config{URLs: []string{s.URL()}, Username: "u", Password: "new", ReconnectWait: 20 * time.Millisecond}
	b := connect(t, c, bus.Options{Notify: func(n bus.Notice) { connected <- n }})
	defer b.Close(t.Context())
	if err := b.Probe(t.Context()); err == nil {
		t.Fatal("the wrong password is taken")
	}
	s.Kill(t)
	s.Configure(t, natsserver.Config{Lines: `authorization { user: u, password: new }`})
	s.Start(t)
	if n := <-connected; n.Kind != bus.Connected {
		t.Errorf("got %+v", n)
	}
}
