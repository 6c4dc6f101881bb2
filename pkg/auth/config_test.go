package auth_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/chenxilol/gohub/pkg/auth"
)

func TestNewVerifierRefuses(t *testing.T) {
	rsaPEM, ecPEM := publicPEM(rsaKey()), publicPEM(ecKey(elliptic.P256()))
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	tests := map[string]struct {
		cfg  auth.VerifierConfig
		want error
		text string
	}{
		"no key":                       {auth.VerifierConfig{}, auth.ErrNoKey, "an empty secret"},
		"no key, algorithm":            {auth.VerifierConfig{Algorithm: "RS256"}, auth.ErrNoKey, "PublicKeys"},
		"blank secret":                 {auth.VerifierConfig{SecretKey: " \n"}, auth.ErrNoKey, "SecretKey: an empty secret"},
		"previous secret only":         {auth.VerifierConfig{PreviousSecretKeys: []string{secret}}, auth.ErrNoKey, "SecretKey"},
		"empty previous secret":        {auth.VerifierConfig{SecretKey: secret, PreviousSecretKeys: []string{secret, ""}}, auth.ErrNoKey, "PreviousSecretKeys[1]"},
		"secret and public key":        {auth.VerifierConfig{SecretKey: secret, PublicKeys: []string{rsaPEM}}, auth.ErrKeySources, "SecretKey and PublicKeys"},
		"secret and JWKS":              {auth.VerifierConfig{SecretKey: secret, JWKSURL: "https://id.example/keys"}, auth.ErrKeySources, "SecretKey and JWKSURL"},
		"public key and JWKS":          {auth.VerifierConfig{PublicKeys: []string{rsaPEM}, JWKSURL: "https://id.example/keys"}, auth.ErrKeySources, "PublicKeys and JWKSURL"},
		"none":                         {auth.VerifierConfig{SecretKey: secret, Algorithm: "none"}, auth.ErrAlgorithm, "never"},
		"None":                         {auth.VerifierConfig{PublicKeys: []string{rsaPEM}, Algorithm: "None"}, auth.ErrAlgorithm, "never"},
		"none with JWKS":               {auth.VerifierConfig{JWKSURL: "https://id.example/keys", Algorithm: "none"}, auth.ErrAlgorithm, "never"},
		"unknown algorithm":            {auth.VerifierConfig{SecretKey: secret, Algorithm: "HS1"}, auth.ErrAlgorithm, "HS256, HS384, HS512"},
		"lower case algorithm":         {auth.VerifierConfig{SecretKey: secret, Algorithm: "hs256"}, auth.ErrAlgorithm, "HS256"},
		"RS256 with a secret":          {auth.VerifierConfig{SecretKey: secret, Algorithm: "RS256"}, auth.ErrAlgorithm, "HS256"},
		"HS256 with a public key":      {auth.VerifierConfig{PublicKeys: []string{rsaPEM}, Algorithm: "HS256"}, auth.ErrAlgorithm, "RS256"},
		"HS256 with a JWKS":            {auth.VerifierConfig{JWKSURL: "https://id.example/keys", Algorithm: "HS256"}, auth.ErrAlgorithm, "RS256"},
		"RS256 with an EC key":         {auth.VerifierConfig{PublicKeys: []string{ecPEM}, Algorithm: "RS256"}, auth.ErrAlgorithm, "PublicKeys[0]"},
		"ES384 with a P-256 key":       {auth.VerifierConfig{PublicKeys: []string{ecPEM}, Algorithm: "ES384"}, auth.ErrAlgorithm, "ES256"},
		"ES256 with an RSA key":        {auth.VerifierConfig{PublicKeys: []string{rsaPEM}, Algorithm: "ES256"}, auth.ErrAlgorithm, "RS256"},
		"EdDSA with one wrong key":     {auth.VerifierConfig{PublicKeys: []string{publicPEM(edKey()), ecPEM}, Algorithm: "EdDSA"}, auth.ErrAlgorithm, "PublicKeys[1]"},
		"not PEM":                      {auth.VerifierConfig{PublicKeys: []string{"key"}}, auth.ErrBadKey, "no PEM"},
		"private key":                  {auth.VerifierConfig{PublicKeys: []string{privatePEM(rsaKey())}}, auth.ErrBadKey, "private key"},
		"broken DER":                   {auth.VerifierConfig{PublicKeys: []string{toPEM("PUBLIC KEY", []byte{1, 2})}}, auth.ErrBadKey, "PUBLIC KEY"},
		"other PEM":                    {auth.VerifierConfig{PublicKeys: []string{toPEM("PARAMETERS", []byte{1, 2})}}, auth.ErrBadKey, "CERTIFICATE"},
		"RSA key of 1024 bits":         {auth.VerifierConfig{PublicKeys: []string{publicPEM(weak)}}, auth.ErrBadKey, "2048"},
		"P-224":                        {auth.VerifierConfig{PublicKeys: []string{publicPEM(ecKey(elliptic.P224()))}}, auth.ErrBadKey, "P-256"},
		"key without signatures":       {auth.VerifierConfig{PublicKeys: []string{x25519PEM()}}, auth.ErrBadKey, "Ed25519"},
		"JWKS without a host":          {auth.VerifierConfig{JWKSURL: "/keys"}, auth.ErrConfig, "JWKSURL"},
		"JWKS in a file":               {auth.VerifierConfig{JWKSURL: "file:///keys"}, auth.ErrConfig, "http or https"},
		"JWKS, not a URL":              {auth.VerifierConfig{JWKSURL: "https://%zz"}, auth.ErrConfig, "JWKSURL"},
		"subject claim is exp":         {auth.VerifierConfig{SecretKey: secret, SubjectClaim: "exp"}, auth.ErrConfig, "SubjectClaim"},
		"subject claim is permissions": {auth.VerifierConfig{SecretKey: secret, SubjectClaim: "permissions"}, auth.ErrConfig, "SubjectClaim"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := auth.NewVerifier(context.Background(), tt.cfg)
			if err == nil {
				v.Close()
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %v with %q", err, tt.want, tt.text)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error quotes the secret")
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	tests := map[string]struct {
		cfg  auth.VerifierConfig
		want []string
	}{
		"32 bytes":       {auth.VerifierConfig{SecretKey: secret}, nil},
		"31 bytes":       {auth.VerifierConfig{SecretKey: secret[1:]}, []string{"SecretKey has 31 bytes; HS256 needs at least 32"}},
		"one byte":       {auth.VerifierConfig{SecretKey: "x"}, []string{"SecretKey has 1 bytes"}},
		"HS512":          {auth.VerifierConfig{SecretKey: secret, Algorithm: "HS512"}, []string{"needs at least 64"}},
		"short previous": {auth.VerifierConfig{SecretKey: secret, PreviousSecretKeys: []string{otherSecret, "old"}}, []string{"PreviousSecretKeys[1] has 3 bytes"}},
		"line break":     {auth.VerifierConfig{SecretKey: secret + "\n"}, []string{"white space"}},
		"public key":     {auth.VerifierConfig{PublicKeys: []string{publicPEM(edKey())}}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, tt.cfg)
			got := v.Warnings()
			if len(got) != len(tt.want) {
				t.Fatalf("warnings %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("warning %q, want it to contain %q", got[i], want)
				}
			}
			if err := v.Ready(); err != nil {
				t.Errorf("Ready: %v", err)
			}
			if tt.cfg.SecretKey != "" {
				issuer := auth.IssuerConfig{SecretKey: tt.cfg.SecretKey, Algorithm: tt.cfg.Algorithm}
				if _, err := v.Verify(t.Context(), mint(t, issuer, auth.TokenClaims{Subject: "a"}, 0)); err != nil {
					t.Errorf("a warning must not refuse: %v", err)
				}
			}
		})
	}
}

func TestPublicKeyForms(t *testing.T) {
	key := rsaKey()
	token := mint(t, auth.IssuerConfig{PrivateKey: privatePEM(key)}, auth.TokenClaims{Subject: "a"}, 0)
	certificate := toPEM("CERTIFICATE", selfSigned(key))
	for name, text := range map[string]string{
		"PKIX":        publicPEM(key),
		"PKCS #1":     toPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)),
		"certificate": certificate,
		"second":      publicPEM(edKey()) + "\n" + publicPEM(key),
	} {
		v := newVerifier(t, auth.VerifierConfig{PublicKeys: []string{text}})
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateKeyForms(t *testing.T) {
	rs, es := rsaKey(), ecKey(elliptic.P384())
	for name, tt := range map[string]struct {
		pem string
		key crypto.Signer
	}{
		"PKCS #1": {toPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs)), rs},
		"SEC 1":   {toPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(es))), es},
		"PKCS #8": {privatePEM(es), es},
	} {
		token := mint(t, auth.IssuerConfig{PrivateKey: tt.pem}, auth.TokenClaims{Subject: "a"}, 0)
		v := newVerifier(t, auth.VerifierConfig{PublicKeys: []string{publicPEM(tt.key)}})
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
