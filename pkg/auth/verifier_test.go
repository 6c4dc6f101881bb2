package auth_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chenxilol/gohub/pkg/auth"
)

// expectError checks the kind of a refusal, that it is of no other kind, and its reason.
func expectError(t *testing.T, err, want error, reason string) {
	t.Helper()
	for _, kind := range []error{auth.ErrExpired, auth.ErrInvalidToken, auth.ErrKeysUnavailable} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("errors.Is(%v, %v) = %v", err, kind, kind != want)
		}
	}
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("error %v, want the reason %q", err, reason)
	}
}

func TestVerifyReadsClaims(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	tests := map[string]struct {
		payload string
		want    auth.TokenClaims
	}{
		"least": {`{"sub":"a"}`, auth.TokenClaims{Subject: "a"}},
		"all": {
			` { "sub" : "a" , "user_id":"u1","username":"Ann","iss":"id","aud":["x","y"],"iat":1699999990,
			"nbf":1699999995.5,"exp":1700000600,"permissions":["join:room:chat.*","admin:room","orders:write"],
			"jti":"j","n": 9007199254740993 ,"deep":{"a":[1,null,true]}}`,
			auth.TokenClaims{
				Subject: "a", UserID: "u1", Username: "Ann", Issuer: "id", Audience: []string{"x", "y"},
				Permissions: []auth.Permission{"join:room:chat.*", "admin:room", "orders:write"},
				IssuedAt:    time.Unix(1699999990, 0).UTC(),
				NotBefore:   time.Unix(1699999995, 5e8).UTC(),
				ExpiresAt:   time.Unix(1700000600, 0).UTC(),
				Extra: map[string]any{
					"jti": "j", "n": json.Number("9007199254740993"),
					"deep": map[string]any{"a": []any{json.Number("1"), nil, true}},
				},
			},
		},
		"permissions in one string": {
			`{"sub":"a","permissions":" join:room  send:message:x "}`,
			auth.TokenClaims{Subject: "a", Permissions: []auth.Permission{"join:room", "send:message:x"}},
		},
		"no permissions":       {`{"sub":"a","permissions":[]}`, auth.TokenClaims{Subject: "a"}},
		"null where optional":  {`{"sub":"a","permissions":null,"user_id":null,"username":null}`, auth.TokenClaims{Subject: "a"}},
		"one audience":         {`{"sub":"a","aud":"x"}`, auth.TokenClaims{Subject: "a", Audience: []string{"x"}}},
		"integers as ids":      {`{"sub":12345678901234567890123,"user_id":-7}`, auth.TokenClaims{Subject: "12345678901234567890123", UserID: "-7"}},
		"last duplicate wins":  {`{"sub":"a","sub":"b"}`, auth.TokenClaims{Subject: "b"}},
		"longest id":           {`{"sub":"` + strings.Repeat("x", 512) + `"}`, auth.TokenClaims{Subject: strings.Repeat("x", 512)}},
		"id with any letters":  {`{"sub":"ü > * . :"}`, auth.TokenClaims{Subject: "ü > * . :"}},
		"anon elsewhere":       {`{"sub":"Anon:a"}`, auth.TokenClaims{Subject: "Anon:a"}},
		"other case is extra":  {`{"sub":"a","Exp":1}`, auth.TokenClaims{Subject: "a", Extra: map[string]any{"Exp": json.Number("1")}}},
		"exp of the year 9999": {`{"sub":"a","exp":253402300799}`, auth.TokenClaims{Subject: "a", ExpiresAt: time.Unix(253402300799, 0).UTC()}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := v.Verify(t.Context(), hs256(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
		})
	}
}

func TestVerifySubjectClaim(t *testing.T) {
	tests := []struct {
		claim, payload string
		want           auth.TokenClaims
	}{
		{"user_id", `{"sub":"s","user_id":7}`, auth.TokenClaims{Subject: "7", UserID: "7", Extra: map[string]any{"sub": "s"}}},
		{"username", `{"username":"Ann"}`, auth.TokenClaims{Subject: "Ann", Username: "Ann"}},
		{"client", `{"client":"c","user_id":"u"}`, auth.TokenClaims{Subject: "c", UserID: "u"}},
	}
	for _, tt := range tests {
		v := newVerifier(t, auth.VerifierConfig{SecretKey: secret, SubjectClaim: tt.claim})
		got, err := v.Verify(t.Context(), hs256(tt.payload))
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.claim, got, err, tt.want)
		}
		_, err = v.Verify(t.Context(), hs256(`{"sub":"s"}`))
		expectError(t, err, auth.ErrInvalidToken, "claim "+tt.claim+" is missing")
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	tests := map[string]struct{ payload, reason string }{
		"no subject":              {`{"user_id":"u"}`, "claim sub is missing"},
		"null subject":            {`{"sub":null}`, "claim sub is missing"},
		"empty subject":           {`{"sub":""}`, "claim sub is empty"},
		"subject true":            {`{"sub":true}`, "claim sub must be a string or an integer"},
		"subject array":           {`{"sub":["a"]}`, "claim sub must be a string or an integer"},
		"subject object":          {`{"sub":{}}`, "claim sub must be a string or an integer"},
		"subject fraction":        {`{"sub":1.5}`, "claim sub must be a string or an integer"},
		"subject exponent":        {`{"sub":1e3}`, "claim sub must be a string or an integer"},
		"subject -0":              {`{"sub":-0}`, "claim sub must be a string or an integer"},
		"subject of 513 bytes":    {`{"sub":"` + strings.Repeat("x", 513) + `"}`, "longer than 512"},
		"subject of 513 digits":   {`{"sub":` + strings.Repeat("1", 513) + `}`, "longer than 512"},
		"subject, control":        {`{"sub":"a\u0000"}`, "control"},
		"subject, delete":         {`{"sub":"a\u007f"}`, "control"},
		"subject, C1":             {`{"sub":"a\u0085"}`, "control"},
		"subject reserved":        {`{"sub":"anon:a"}`, "reserved"},
		"broken UTF-8":            {"{\"sub\":\"a\xff\"}", "UTF-8"},
		"broken UTF-8 elsewhere":  {"{\"sub\":\"a\",\"x\":\"\xff\"}", "UTF-8"},
		"exp string":              {`{"sub":"a","exp":"1800000000"}`, "claim exp must be a number"},
		"exp null":                {`{"sub":"a","exp":null}`, "claim exp must be a number"},
		"exp object":              {`{"sub":"a","exp":{}}`, "claim exp must be a number"},
		"exp huge":                {`{"sub":"a","exp":1e300}`, "claim exp is out of range"},
		"exp beyond a float":      {`{"sub":"a","exp":1e999}`, "claim exp must be a number"},
		"exp is Go's zero time":   {`{"sub":"a","exp":-62135596800}`, "claim exp is out of range"},
		"nbf bool":                {`{"sub":"a","nbf":false}`, "claim nbf must be a number"},
		"nbf huge":                {`{"sub":"a","nbf":1e300}`, "claim nbf is out of range"},
		"iat array":               {`{"sub":"a","iat":[1]}`, "claim iat must be a number"},
		"iss number":              {`{"sub":"a","iss":1}`, "claim iss must be a string"},
		"iss null":                {`{"sub":"a","iss":null}`, "claim iss must be a string"},
		"aud number":              {`{"sub":"a","aud":1}`, "claim aud must be"},
		"aud null":                {`{"sub":"a","aud":null}`, "claim aud must be"},
		"aud mixed":               {`{"sub":"a","aud":["x",null]}`, "claim aud must be"},
		"permissions number":      {`{"sub":"a","permissions":1}`, "claim permissions must be"},
		"permissions object":      {`{"sub":"a","permissions":{"join:room":true}}`, "claim permissions must be"},
		"permissions mixed":       {`{"sub":"a","permissions":["join:room",1]}`, "claim permissions must be"},
		"permissions with a null": {`{"sub":"a","permissions":[null]}`, "claim permissions must be"},
		"user_id array":           {`{"sub":"a","user_id":[]}`, "claim user_id must be a string or an integer"},
		"username number":         {`{"sub":"a","username":1}`, "claim username must be a string"},
		"payload null":            {`null`, "not a JSON object"},
		"payload array":           {`["sub"]`, "not a JSON object"},
		"payload string":          {`"sub"`, "not a JSON object"},
		"payload empty":           {``, "malformed"},
		"payload broken":          {`{"sub":"a"`, "malformed"},
		"payload with a tail":     {`{"sub":"a"}{}`, "malformed"},
		"payload too deep":        {strings.Repeat(`[`, 5000), "malformed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			claims, err := v.Verify(t.Context(), hs256(tt.payload))
			if claims != nil {
				t.Errorf("claims %+v with an error", claims)
			}
			expectError(t, err, auth.ErrInvalidToken, tt.reason)
		})
	}
}

func TestVerifyRefusesForms(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	good := hs256(`{"sub":"a"}`)
	parts := strings.Split(good, ".")
	key := []byte(secret)
	tests := map[string]struct{ token, reason string }{
		"empty":              {"", "empty"},
		"one part":           {"abc", "malformed"},
		"two parts":          {parts[0] + "." + parts[1], "malformed"},
		"four parts":         {good + ".x", "malformed"},
		"space":              {" " + good, "malformed"},
		"line break":         {good + "\n", "malformed"},
		"padding":            {good + "=", "malformed"},
		"standard base64":    {strings.Replace(good, ".", "+.", 1), "malformed"},
		"NUL":                {good + "\x00", "malformed"},
		"no signature":       {parts[0] + "." + parts[1] + ".", "signature does not match"},
		"cut signature":      {good[:len(good)-3], "signature does not match"},
		"changed payload":    {parts[0] + "." + strings.Split(hs256(`{"sub":"b"}`), ".")[1] + "." + parts[2], "signature does not match"},
		"other secret":       {sign(`{"alg":"HS256"}`, `{"sub":"a"}`, "HS256", []byte(otherSecret)), "signature does not match"},
		"empty secret":       {sign(`{"alg":"HS256"}`, `{"sub":"a"}`, "HS256", []byte{}), "signature does not match"},
		"none":               {sign(`{"alg":"none"}`, `{"sub":"a"}`, "none", jwt.UnsafeAllowNoneSignatureType), "algorithm"},
		"None":               {sign(`{"alg":"None"}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"none, signed":       {sign(`{"alg":"none"}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"HS384 for HS256":    {sign(`{"alg":"HS384"}`, `{"sub":"a"}`, "HS384", key), "algorithm is not the one configured"},
		"HS512 for HS256":    {sign(`{"alg":"HS512"}`, `{"sub":"a"}`, "HS512", key), "algorithm is not the one configured"},
		"RS256 for HS256":    {sign(`{"alg":"RS256"}`, `{"sub":"a"}`, "RS256", rsaKey()), "algorithm is not the one configured"},
		"HS256, lower case":  {sign(`{"alg":"hs256"}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"no alg":             {sign(`{"typ":"JWT"}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"alg number":         {sign(`{"alg":256}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"alg null":           {sign(`{"alg":null}`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"header null":        {sign(`null`, `{"sub":"a"}`, "HS256", key), "algorithm"},
		"header array":       {sign(`["alg"]`, `{"sub":"a"}`, "HS256", key), "malformed"},
		"header broken":      {sign(`{"alg":"HS256"`, `{"sub":"a"}`, "HS256", key), "malformed"},
		"crit":               {sign(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{"sub":"a"}`, "HS256", key), "critical extensions"},
		"crit known":         {sign(`{"alg":"HS256","crit":["exp"],"exp":1}`, `{"sub":"a"}`, "HS256", key), "critical extensions"},
		"crit empty":         {sign(`{"alg":"HS256","crit":[]}`, `{"sub":"a"}`, "HS256", key), "critical extensions"},
		"crit null":          {sign(`{"alg":"HS256","crit":null}`, `{"sub":"a"}`, "HS256", key), "critical extensions"},
		"kid number":         {sign(`{"alg":"HS256","kid":1}`, `{"sub":"a"}`, "HS256", key), "key id"},
		"too long":           {hs256(`{"sub":"a","x":"` + strings.Repeat("x", 8<<10) + `"}`), "longer than 8192"},
		"too long for words": {strings.Repeat("a", 1<<20), "longer than 8192"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), tt.token)
			expectError(t, err, auth.ErrInvalidToken, tt.reason)
			if err != nil && len(tt.token) > 3 && strings.Contains(err.Error(), tt.token) {
				t.Error("the error quotes the token")
			}
		})
	}
}

func TestVerifyTokenSizeLimit(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	for n := 6000; ; n++ {
		token := hs256(`{"sub":"a","x":"` + strings.Repeat("x", n) + `"}`)
		_, err := v.Verify(t.Context(), token)
		if len(token) <= auth.MaxTokenBytes {
			if err != nil {
				t.Fatalf("%d bytes: %v", len(token), err)
			}
			continue
		}
		expectError(t, err, auth.ErrInvalidToken, "longer than")
		return
	}
}

func TestVerifyIgnoresHarmlessHeaders(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	header := `{"alg":"HS256","typ":"at+jwt","kid":"x","jku":"https://evil.example/","jwk":{},"x5u":"https://evil.example/"}`
	if _, err := v.Verify(t.Context(), sign(header, `{"sub":"a"}`, "HS256", []byte(secret))); err != nil {
		t.Error(err)
	}
}

func TestVerifyTimes(t *testing.T) {
	const sec = time.Second
	tests := []struct {
		name   string
		leeway time.Duration
		claim  string
		offset time.Duration // of the claim from now
		want   error
	}{
		{"default, exp just inside", 0, "exp", -29 * sec, nil},
		{"default, exp at the edge", 0, "exp", -30 * sec, auth.ErrExpired},
		{"default, exp long gone", 0, "exp", -time.Hour, auth.ErrExpired},
		{"none, exp ahead", -1, "exp", sec, nil},
		{"none, exp now", -1, "exp", 0, auth.ErrExpired},
		{"10 s, exp inside", 10 * sec, "exp", -9 * sec, nil},
		{"10 s, exp at the edge", 10 * sec, "exp", -10 * sec, auth.ErrExpired},
		{"default, nbf at the edge", 0, "nbf", 30 * sec, nil},
		{"default, nbf beyond", 0, "nbf", 31 * sec, auth.ErrInvalidToken},
		{"none, nbf now", -1, "nbf", 0, nil},
		{"none, nbf ahead", -1, "nbf", sec, auth.ErrInvalidToken},
		{"10 s, nbf at the edge", 10 * sec, "nbf", 10 * sec, nil},
		{"10 s, nbf beyond", 10 * sec, "nbf", 11 * sec, auth.ErrInvalidToken},
		{"iat ahead", -1, "iat", time.Hour, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, auth.VerifierConfig{SecretKey: secret, Leeway: tt.leeway})
			_, err := v.Verify(t.Context(), hs256(fmt.Sprintf(`{"sub":"a",%q:%d}`, tt.claim, epoch.Add(tt.offset).Unix())))
			switch tt.want {
			case nil:
				if err != nil {
					t.Error(err)
				}
			case auth.ErrExpired:
				expectError(t, err, tt.want, "exp has passed")
			default:
				expectError(t, err, tt.want, "not valid yet")
			}
		})
	}
}

func TestVerifyConfiguredClaims(t *testing.T) {
	strict := auth.VerifierConfig{SecretKey: secret, Issuer: "id", Audience: "hub", RequireExpiry: true}
	tests := map[string]struct {
		payload string
		want    error
		reason  string
	}{
		"good":               {`{"sub":"a","iss":"id","aud":["x","hub"],"exp":1700000001}`, nil, ""},
		"good, aud string":   {`{"sub":"a","iss":"id","aud":"hub","exp":1700000001}`, nil, ""},
		"no iss":             {`{"sub":"a","aud":"hub","exp":1700000001}`, auth.ErrInvalidToken, "issuer"},
		"other iss":          {`{"sub":"a","iss":"id2","aud":"hub","exp":1700000001}`, auth.ErrInvalidToken, "issuer"},
		"iss, other case":    {`{"sub":"a","iss":"ID","aud":"hub","exp":1700000001}`, auth.ErrInvalidToken, "issuer"},
		"no aud":             {`{"sub":"a","iss":"id","exp":1700000001}`, auth.ErrInvalidToken, "audience"},
		"empty aud":          {`{"sub":"a","iss":"id","aud":[],"exp":1700000001}`, auth.ErrInvalidToken, "audience"},
		"other aud":          {`{"sub":"a","iss":"id","aud":["hubs"],"exp":1700000001}`, auth.ErrInvalidToken, "audience"},
		"no exp":             {`{"sub":"a","iss":"id","aud":"hub"}`, auth.ErrInvalidToken, "exp is missing"},
		"expired":            {`{"sub":"a","iss":"id","aud":"hub","exp":1}`, auth.ErrExpired, "exp"},
		"expired, other iss": {`{"sub":"a","iss":"id2","aud":"hub","exp":1}`, auth.ErrInvalidToken, "issuer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newVerifier(t, strict).Verify(t.Context(), hs256(tt.payload))
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			expectError(t, err, tt.want, tt.reason)
		})
	}
}

func TestVerifyForgedExpiredIsInvalid(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	_, err := v.Verify(t.Context(), sign(`{"alg":"HS256"}`, `{"sub":"a","exp":1}`, "HS256", []byte(otherSecret)))
	expectError(t, err, auth.ErrInvalidToken, "signature")
}

func TestVerifyPreviousSecrets(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret, PreviousSecretKeys: []string{otherSecret, "third secret of a hub, 32 bytes.."}})
	for _, s := range []string{secret, otherSecret, "third secret of a hub, 32 bytes.."} {
		if _, err := v.Verify(t.Context(), sign(`{"alg":"HS256"}`, `{"sub":"a"}`, "HS256", []byte(s))); err != nil {
			t.Error(err)
		}
		_, err := v.Verify(t.Context(), sign(`{"alg":"HS512"}`, `{"sub":"a"}`, "HS512", []byte(s)))
		expectError(t, err, auth.ErrInvalidToken, "algorithm")
	}
	_, err := v.Verify(t.Context(), sign(`{"alg":"HS256"}`, `{"sub":"a"}`, "HS256", []byte("never configured")))
	expectError(t, err, auth.ErrInvalidToken, "signature")
}

// Every algorithm with its key, and each of the others refused for that key.
func TestVerifyAlgorithms(t *testing.T) {
	type pair struct {
		sign   any
		verify auth.VerifierConfig
	}
	public := func(key crypto.Signer) auth.VerifierConfig {
		return auth.VerifierConfig{PublicKeys: []string{publicPEM(key)}}
	}
	rs, ed := rsaKey(), edKey()
	es256, es384, es512 := ecKey(elliptic.P256()), ecKey(elliptic.P384()), ecKey(elliptic.P521())
	shared := auth.VerifierConfig{SecretKey: secret}
	pairs := map[string]pair{
		"HS256": {[]byte(secret), shared}, "HS384": {[]byte(secret), shared}, "HS512": {[]byte(secret), shared},
		"RS256": {rs, public(rs)}, "RS384": {rs, public(rs)}, "RS512": {rs, public(rs)},
		"PS256": {rs, public(rs)}, "PS384": {rs, public(rs)}, "PS512": {rs, public(rs)},
		"ES256": {es256, public(es256)}, "ES384": {es384, public(es384)}, "ES512": {es512, public(es512)},
		"EdDSA": {ed, public(ed)},
	}
	usual := map[string]bool{"HS256": true, "RS256": true, "ES256": true, "ES384": true, "ES512": true, "EdDSA": true}
	tokens := map[string]string{}
	for alg, p := range pairs {
		tokens[alg] = sign(fmt.Sprintf(`{"alg":%q}`, alg), `{"sub":"a"}`, alg, p.sign)
	}
	for alg, p := range pairs {
		named := p.verify
		named.Algorithm = alg
		configs := []auth.VerifierConfig{named}
		if usual[alg] {
			configs = append(configs, p.verify)
		}
		for _, cfg := range configs {
			v := newVerifier(t, cfg)
			for other, token := range tokens {
				_, err := v.Verify(t.Context(), token)
				if other == alg {
					if err != nil {
						t.Errorf("%s: %v", alg, err)
					}
					continue
				}
				expectError(t, err, auth.ErrInvalidToken, "algorithm is not the one configured")
			}
		}
	}
}

// The classic attack: the public key, which everybody has, taken as an HMAC secret.
func TestVerifyRefusesPublicKeyAsSecret(t *testing.T) {
	text := publicPEM(rsaKey())
	v := newVerifier(t, auth.VerifierConfig{PublicKeys: []string{text}})
	for _, s := range []string{text, strings.TrimSpace(text)} {
		_, err := v.Verify(t.Context(), sign(`{"alg":"HS256"}`, `{"sub":"a","permissions":["admin:system"]}`, "HS256", []byte(s)))
		expectError(t, err, auth.ErrInvalidToken, "algorithm")
	}
}

func TestVerifySeveralPublicKeys(t *testing.T) {
	first, second, third := edKey(), edKey(), ecKey(elliptic.P256())
	v := newVerifier(t, auth.VerifierConfig{PublicKeys: []string{publicPEM(first), publicPEM(second), publicPEM(third)}})
	for _, key := range []crypto.Signer{first, second, third} {
		if _, err := v.Verify(t.Context(), mint(t, auth.IssuerConfig{PrivateKey: privatePEM(key), KeyID: "any"}, auth.TokenClaims{Subject: "a"}, 0)); err != nil {
			t.Error(err)
		}
	}
	_, err := v.Verify(t.Context(), mint(t, auth.IssuerConfig{PrivateKey: privatePEM(edKey())}, auth.TokenClaims{Subject: "a"}, 0))
	expectError(t, err, auth.ErrInvalidToken, "signature")
}

func BenchmarkVerify(b *testing.B) {
	claims := auth.TokenClaims{Subject: "client-1", Username: "Ann", Permissions: []auth.Permission{"join:room:chat.*", "send:message"}}
	for name, cfg := range map[string]struct {
		issuer   auth.IssuerConfig
		verifier auth.VerifierConfig
	}{
		"HS256": {auth.IssuerConfig{SecretKey: secret}, auth.VerifierConfig{SecretKey: secret}},
		"RS256": {auth.IssuerConfig{PrivateKey: privatePEM(rsaKey())}, auth.VerifierConfig{PublicKeys: []string{publicPEM(rsaKey())}}},
	} {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b, cfg.verifier)
			token := mint(b, cfg.issuer, claims, time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The last character of a signature has two bits to spare; one token must not be
// writable in four ways.
func TestVerifyOneSpelling(t *testing.T) {
	v := newVerifier(t, auth.VerifierConfig{SecretKey: secret})
	good := hs256(`{"sub":"a"}`)
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		token := good[:len(good)-1] + string(c)
		if _, err := v.Verify(t.Context(), token); (err == nil) != (token == good) {
			t.Errorf("ending in %c: %v", c, err)
		}
	}
}
