package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/pkg/auth"
)

// mint runs hub token and returns what it prints.
func mint(t *testing.T, env []string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(append([]string{"token"}, args...), env, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Fatalf("token: %d %s", code, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// verify returns the claims of a token.
func verify(t *testing.T, token string, cfg auth.VerifierConfig) *auth.TokenClaims {
	t.Helper()
	v, err := auth.NewVerifier(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	claims, err := v.Verify(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestTokenIsAccepted(t *testing.T) {
	env := []string{"GOHUB_JWT_SECRET_KEY=" + testSecret, "GOHUB_JWT_ISSUER=me", "GOHUB_JWT_AUDIENCE=us"}
	token := mint(t, env, "--sub", "alice", "--permissions", "join:room,send:message:chat.*", "--user-id", "7", "--username", "Alice", "--claim", "team=red", "--claim", "shift=late")
	claims := verify(t, token, auth.VerifierConfig{SecretKey: testSecret, Issuer: "me", Audience: "us"})
	if claims.Subject != "alice" || claims.UserID != "7" || claims.Username != "Alice" || claims.Extra["team"] != "red" || claims.Extra["shift"] != "late" {
		t.Errorf("claims %+v", claims)
	}
	if !claims.HasRoomPermission(auth.PermSendMessage, "chat.go") || claims.HasRoomPermission(auth.PermSendMessage, "other") || !claims.HasPermission(auth.PermJoinRoom) {
		t.Errorf("permissions %v", claims.Permissions)
	}
	if life := claims.ExpiresAt.Sub(claims.IssuedAt).Hours(); life < 1 || life > 1.01 {
		t.Errorf("valid for %v hours, want one", life)
	}

	p := start(t, env, "--enable-auth")
	p.dial(http.Header{"Authorization": {"Bearer " + token}})
	for name, token := range map[string]string{
		"none":           "",
		"of another key": mint(t, nil, "--secret", testSecret+"!", "--sub", "alice", "--issuer", "me", "--audience", "us"),
		"expired":        mint(t, env, "--sub", "alice", "--ttl", "-1h"),
		"other issuer":   mint(t, env, "--sub", "alice", "--issuer", "you"),
	} {
		header := http.Header{}
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		if _, resp, err := websocket.DefaultDialer.Dial("ws://"+p.addr+"/ws", header); err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("token %s: %v", name, err)
		}
	}
}

func TestTokenKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	keyFile := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	publicPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	secretFile := "GOHUB_JWT_SECRET_KEY_FILE=" + writeFile(t, testSecret+"\n")
	for _, tt := range []struct {
		name     string
		env      []string
		args     []string
		verifier auth.VerifierConfig
	}{
		{"secret as a flag, before the variable", []string{"GOHUB_JWT_SECRET_KEY=other"}, []string{"--secret", testSecret}, auth.VerifierConfig{SecretKey: testSecret}},
		{"secret file", []string{secretFile}, nil, auth.VerifierConfig{SecretKey: testSecret}},
		{"algorithm", []string{secretFile}, []string{"--algorithm", "HS512"}, auth.VerifierConfig{SecretKey: testSecret, Algorithm: "HS512"}},
		{"algorithm of the environment", []string{secretFile, "GOHUB_JWT_ALGORITHM=HS384"}, nil, auth.VerifierConfig{SecretKey: testSecret, Algorithm: "HS384"}},
		{"private key", nil, []string{"--private-key-file", keyFile, "--algorithm", "ES256"}, auth.VerifierConfig{PublicKeys: []string{publicPEM}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := mint(t, tt.env, append([]string{"--sub", "bob", "--ttl", "0"}, tt.args...)...)
			if claims := verify(t, token, tt.verifier); claims.Subject != "bob" || !claims.ExpiresAt.IsZero() {
				t.Errorf("claims %+v", claims)
			}
		})
	}
}

func TestTokenProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no name", []string{"--secret", testSecret}, exitUsage, "--sub"},
		{"unknown flag", []string{"--sub", "a", "--secrt", "x"}, exitUsage, "unknown flag --secrt: did you mean --secret?"},
		{"argument", []string{"--sub", "a", "b"}, exitUsage, `unexpected argument "b"`},
		{"unknown permission", []string{"--sub", "a", "--secret", testSecret, "--permissions", "fly"}, exitUsage, "--permissions"},
		{"claim without a value", []string{"--sub", "a", "--claim", "team"}, exitUsage, "want name=value"},
		{"claim with a flag of its own", []string{"--sub", "a", "--secret", testSecret, "--claim", "exp=1"}, exitError, "exp"},
		{"no secret", []string{"--sub", "a"}, exitError, "SecretKey"},
		{"two keys", []string{"--sub", "a", "--secret", testSecret, "--private-key-file", writeFile(t, "x")}, exitError, "PrivateKey"},
		{"no such file", []string{"--sub", "a", "--private-key-file", "/does/not/exist"}, exitError, "/does/not/exist"},
		{"algorithm of another key", []string{"--sub", "a", "--secret", testSecret, "--algorithm", "RS256"}, exitError, "RS256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(append([]string{"token"}, tt.args...), nil, &out, &errs); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.HasPrefix(errs.String(), "hub token: ") || !strings.Contains(errs.String(), tt.want) || out.Len() > 0 {
				t.Errorf("stdout %q, stderr %q; want %q", out.String(), errs.String(), tt.want)
			}
			if strings.Contains(errs.String(), testSecret) {
				t.Error("a secret is shown")
			}
		})
	}
	var out, errs bytes.Buffer
	if code := run([]string{"token", "--help"}, nil, &out, &errs); code != exitOK || !strings.Contains(out.String(), "-private-key-file") || errs.Len() > 0 {
		t.Errorf("help: %d %q %q", code, out.String(), errs.String())
	}
}
