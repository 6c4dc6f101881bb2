package auth_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chenxilol/gohub/pkg/auth"
)

// Nothing but the tokens that were signed verifies, whatever is done to them.
func FuzzVerify(f *testing.F) {
	signed := map[string]bool{}
	for _, payload := range []string{`{"sub":"a"}`, `{"sub":1,"exp":1800000000,"permissions":"join:room"}`, `{"sub":"b","aud":["x"]}`} {
		token := hs256(payload)
		signed[token] = true
		f.Add(token)
		f.Add(token[:len(token)-1] + "A")
	}
	for _, seed := range []string{"", ".", "..", "...", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."} {
		f.Add(seed)
	}
	v := newVerifier(f, auth.VerifierConfig{SecretKey: secret})
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		switch {
		case err == nil && !signed[token]:
			t.Errorf("%q was never signed", token)
		case err == nil && claims == nil:
			t.Error("neither claims nor an error")
		case err != nil && !errors.Is(err, auth.ErrInvalidToken):
			t.Errorf("error of another kind: %v", err)
		}
	})
}

// Whatever an issuer signs, the outcome is a usable id or one of the named errors.
func FuzzVerifyPayload(f *testing.F) {
	for _, payload := range []string{
		`{"sub":"a","exp":1800000000.5,"nbf":0,"iat":1e9,"permissions":["join:room:*"]}`, `{"sub":-12}`, `{"sub":"anon:x"}`,
		`{"sub":"a","aud":[["x"]],"iss":{}}`, `{"sub":"a","exp":-62135596800}`, `null`, `[]`, `{"sub":"\ud800"}`, "{\"sub\":\"\xff\"}",
	} {
		f.Add(`{"alg":"HS256"}`, payload)
	}
	f.Add(`{"alg":"HS256","crit":[]}`, `{}`)
	f.Add(`{"alg":["HS256"],"kid":{}}`, `{}`)
	v := newVerifier(f, auth.VerifierConfig{SecretKey: secret})
	f.Fuzz(func(t *testing.T, header, payload string) {
		claims, err := v.Verify(t.Context(), sign(header, payload, "HS256", []byte(secret)))
		if err != nil {
			if claims != nil || errors.Is(err, auth.ErrInvalidToken) == errors.Is(err, auth.ErrExpired) {
				t.Errorf("claims %v with error %v", claims, err)
			}
			return
		}
		id := claims.Subject
		if id == "" || len(id) > 512 || !utf8.ValidString(id) || strings.ContainsAny(id, "\x00\n\r\x7f") || strings.HasPrefix(id, "anon:") {
			t.Errorf("accepted id %q", id)
		}
		if !claims.ExpiresAt.IsZero() && claims.ExpiresAt.Add(auth.DefaultLeeway).Before(epoch) {
			t.Errorf("accepted exp %v", claims.ExpiresAt)
		}
		for _, p := range auth.AllPermissions() {
			claims.HasPermission(p)
			claims.HasRoomPermission(p, id)
		}
	})
}
