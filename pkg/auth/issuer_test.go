package auth_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chenxilol/gohub/pkg/auth"
)

func TestIssueRoundTrip(t *testing.T) {
	want := auth.TokenClaims{
		Subject: "client-ü", UserID: "u", Username: "Ann", Issuer: "id", Audience: []string{"hub"},
		Permissions: []auth.Permission{auth.PermJoinRoom + ":chat.*", auth.PermAdminSystem},
		IssuedAt:    epoch.UTC(), NotBefore: epoch.Add(-time.Minute).UTC(), ExpiresAt: epoch.Add(time.Hour).UTC(),
		Extra: map[string]any{"team": "blue", "list": []any{"x"}},
	}
	spec := auth.TokenClaims{
		Subject: want.Subject, UserID: "u", Username: "Ann",
		Permissions: want.Permissions, NotBefore: want.NotBefore, Extra: maps.Clone(want.Extra),
	}
	rs, es, ed := rsaKey(), ecKey(elliptic.P256()), edKey()
	signers := map[string]struct {
		issuer   auth.IssuerConfig
		verifier auth.VerifierConfig
	}{
		"secret":  {auth.IssuerConfig{SecretKey: secret}, auth.VerifierConfig{SecretKey: secret}},
		"HS512":   {auth.IssuerConfig{SecretKey: secret, Algorithm: "HS512"}, auth.VerifierConfig{SecretKey: secret, Algorithm: "HS512"}},
		"RSA":     {auth.IssuerConfig{PrivateKey: privatePEM(rs)}, auth.VerifierConfig{PublicKeys: []string{publicPEM(rs)}}},
		"PS384":   {auth.IssuerConfig{PrivateKey: privatePEM(rs), Algorithm: "PS384"}, auth.VerifierConfig{PublicKeys: []string{publicPEM(rs)}, Algorithm: "PS384"}},
		"ECDSA":   {auth.IssuerConfig{PrivateKey: privatePEM(es)}, auth.VerifierConfig{PublicKeys: []string{publicPEM(es)}}},
		"Ed25519": {auth.IssuerConfig{PrivateKey: privatePEM(ed)}, auth.VerifierConfig{PublicKeys: []string{publicPEM(ed)}}},
	}
	for name, s := range signers {
		for _, claim := range []string{"", "sub", "client"} {
			s.issuer.Issuer, s.issuer.Audience, s.issuer.SubjectClaim = "id", "hub", claim
			s.verifier.Issuer, s.verifier.Audience, s.verifier.SubjectClaim = "id", "hub", claim
			s.verifier.RequireExpiry = true
			got, err := newVerifier(t, s.verifier).Verify(t.Context(), mint(t, s.issuer, spec, time.Hour))
			if err != nil || !reflect.DeepEqual(*got, want) {
				t.Errorf("%s, %q: %+v, %v\nwant %+v", name, claim, got, err, want)
			}
		}
	}
}

func TestIssueTimes(t *testing.T) {
	now := epoch.Add(300 * time.Millisecond)
	issuer := auth.IssuerConfig{SecretKey: secret, Now: func() time.Time { return now }}
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret, Leeway: -1})
	tests := map[string]struct {
		spec auth.TokenClaims
		ttl  time.Duration
		want time.Time
	}{
		"never":       {auth.TokenClaims{}, 0, time.Time{}},
		"ExpiresAt":   {auth.TokenClaims{ExpiresAt: epoch.Add(time.Minute)}, 0, epoch.Add(time.Minute).UTC()},
		"ttl wins":    {auth.TokenClaims{ExpiresAt: epoch.Add(time.Minute)}, time.Hour, epoch.Add(time.Hour + time.Second).UTC()},
		"rounded up":  {auth.TokenClaims{}, time.Second, epoch.Add(2 * time.Second).UTC()},
		"whole again": {auth.TokenClaims{}, 700 * time.Millisecond, epoch.Add(time.Second).UTC()},
	}
	for name, tt := range tests {
		tt.spec.Subject = "a"
		got, err := v.Verify(t.Context(), mint(t, issuer, tt.spec, tt.ttl))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !got.ExpiresAt.Equal(tt.want) || got.ExpiresAt.IsZero() != tt.want.IsZero() || !got.IssuedAt.Equal(epoch) {
			t.Errorf("%s: exp %v, iat %v; want %v, %v", name, got.ExpiresAt, got.IssuedAt, tt.want, epoch)
		}
	}
	_, err := v.Verify(t.Context(), mint(t, issuer, auth.TokenClaims{Subject: "a"}, -time.Minute))
	expectError(t, err, auth.ErrExpired, "exp")
}

func TestIssueOverridesAndKeyID(t *testing.T) {
	cfg := auth.IssuerConfig{SecretKey: secret, Issuer: "id", Audience: "hub", KeyID: "k1", SubjectClaim: "user_id"}
	token := mint(t, cfg, auth.TokenClaims{Subject: "a", UserID: "a", Issuer: "id2", Audience: []string{"x", "y"}, Extra: map[string]any{"sub": "s"}}, 0)
	header := string(must(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])))
	if !strings.Contains(header, `"kid":"k1"`) {
		t.Errorf("header %s has no key id", header)
	}
	got, err := newVerifier(t, auth.VerifierConfig{SecretKey: secret, SubjectClaim: "user_id"}).Verify(t.Context(), token)
	if err != nil || got.Issuer != "id2" || !reflect.DeepEqual(got.Audience, []string{"x", "y"}) || got.Subject != "a" || got.Extra["sub"] != "s" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIssueRefuses(t *testing.T) {
	byUser, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret, SubjectClaim: "user_id"})
	if err != nil {
		t.Fatal(err)
	}
	bySub, err := auth.NewIssuer(auth.IssuerConfig{SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		issuer *auth.Issuer
		spec   auth.TokenClaims
		text   string
	}{
		"no subject":         {bySub, auth.TokenClaims{UserID: "u"}, "Subject is empty"},
		"reserved":           {bySub, auth.TokenClaims{Subject: "anon:a"}, "reserved"},
		"control":            {bySub, auth.TokenClaims{Subject: "a\n"}, "control"},
		"UTF-8":              {bySub, auth.TokenClaims{Subject: "\xff"}, "UTF-8"},
		"UTF-8 in a name":    {bySub, auth.TokenClaims{Subject: "a", Username: "\xff"}, "username is not valid UTF-8"},
		"two user ids":       {byUser, auth.TokenClaims{Subject: "a", UserID: "b"}, "claim user_id"},
		"extra exp":          {bySub, auth.TokenClaims{Subject: "a", Extra: map[string]any{"exp": 1}}, "claim exp"},
		"extra sub":          {bySub, auth.TokenClaims{Subject: "a", Extra: map[string]any{"sub": "b"}}, "claim sub"},
		"extra permissions":  {byUser, auth.TokenClaims{Subject: "a", Extra: map[string]any{"permissions": "x"}}, "claim permissions"},
		"extra without JSON": {bySub, auth.TokenClaims{Subject: "a", Extra: map[string]any{"f": func() {}}}, "json"},
		"too old":            {bySub, auth.TokenClaims{Subject: "a", NotBefore: time.Unix(-1, 0)}, "claim nbf"},
		"too late":           {bySub, auth.TokenClaims{Subject: "a", ExpiresAt: time.Unix(253402300800, 0)}, "claim exp"},
		"too long":           {bySub, auth.TokenClaims{Subject: "a", Username: strings.Repeat("x", 8000)}, "at most 8192"},
	}
	for name, tt := range tests {
		token, err := tt.issuer.Issue(tt.spec, 0)
		if err == nil || token != "" || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %q, %v; want an error with %q", name, token, err, tt.text)
		}
	}
}

func TestNewIssuerRefuses(t *testing.T) {
	tests := map[string]struct {
		cfg  auth.IssuerConfig
		want error
	}{
		"no key":            {auth.IssuerConfig{}, auth.ErrNoKey},
		"two keys":          {auth.IssuerConfig{SecretKey: secret, PrivateKey: privatePEM(edKey())}, auth.ErrKeySources},
		"none":              {auth.IssuerConfig{SecretKey: secret, Algorithm: "none"}, auth.ErrAlgorithm},
		"RS256 by secret":   {auth.IssuerConfig{SecretKey: secret, Algorithm: "RS256"}, auth.ErrAlgorithm},
		"HS256 by key":      {auth.IssuerConfig{PrivateKey: privatePEM(edKey()), Algorithm: "HS256"}, auth.ErrAlgorithm},
		"RS256 by Ed25519":  {auth.IssuerConfig{PrivateKey: privatePEM(edKey()), Algorithm: "RS256"}, auth.ErrAlgorithm},
		"public key":        {auth.IssuerConfig{PrivateKey: publicPEM(edKey())}, auth.ErrBadKey},
		"not PEM":           {auth.IssuerConfig{PrivateKey: "key"}, auth.ErrBadKey},
		"broken DER":        {auth.IssuerConfig{PrivateKey: toPEM("PRIVATE KEY", []byte{1})}, auth.ErrBadKey},
		"subject claim aud": {auth.IssuerConfig{SecretKey: secret, SubjectClaim: "aud"}, auth.ErrConfig},
	}
	for name, tt := range tests {
		if _, err := auth.NewIssuer(tt.cfg); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
