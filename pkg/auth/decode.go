package auth

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Names of the claims with a field of their own: RFC 7519, section 4.1, and ours.
const (
	claimIssuer      = "iss"
	claimSubject     = "sub"
	claimAudience    = "aud"
	claimExpiry      = "exp"
	claimNotBefore   = "nbf"
	claimIssuedAt    = "iat"
	claimPermissions = "permissions"
	claimUserID      = "user_id"
	claimUsername    = "username"
)

// maxNumericDate is the last second of the year 9999. Later dates overflow
// time arithmetic, and none is meant seriously.
const maxNumericDate = 253402300799

// claimReader takes claims out of a payload one by one and remembers the first
// that has the wrong type. What is left at the end is extra.
type claimReader struct {
	fields map[string]json.RawMessage
	err    error
}

// decodeClaims reads a token's payload. subjectClaim names the claim that holds
// the client id, which must be there.
func decodeClaims(payload []byte, subjectClaim string) (*TokenClaims, error) {
	// encoding/json would replace broken bytes silently and so make two ids one.
	if !utf8.Valid(payload) {
		return nil, invalid("the claims are not valid UTF-8")
	}
	r := claimReader{}
	if err := json.Unmarshal(payload, &r.fields); err != nil || r.fields == nil {
		return nil, invalid("the claims are not a JSON object")
	}
	c := &TokenClaims{Subject: r.subject(subjectClaim)}
	c.UserID, c.Username = r.id(claimUserID), r.text(claimUsername)
	// The subject claim has been taken; where it is one of these two it fills both fields.
	switch subjectClaim {
	case claimUserID:
		c.UserID = c.Subject
	case claimUsername:
		c.Username = c.Subject
	}
	c.Permissions = r.permissions()
	c.Issuer, c.Audience = r.issuer(), r.audience()
	c.IssuedAt, c.NotBefore, c.ExpiresAt = r.date(claimIssuedAt), r.date(claimNotBefore), r.date(claimExpiry)
	c.Extra = r.rest()
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

func (r *claimReader) take(name string) (json.RawMessage, bool) {
	raw, ok := r.fields[name]
	delete(r.fields, name)
	return raw, ok
}

// takeOptional is take for the claims that are ours, where null means absent, as
// serializers of optional fields write it. Registered claims are never null.
func (r *claimReader) takeOptional(name string) (json.RawMessage, bool) {
	raw, ok := r.take(name)
	return raw, ok && string(raw) != "null"
}

func (r *claimReader) fail(name, reason string) {
	if r.err == nil {
		r.err = invalid("claim " + name + " " + reason)
	}
}

func (r *claimReader) subject(name string) string {
	raw, ok := r.takeOptional(name)
	if !ok {
		r.fail(name, "is missing, so the token names no client")
		return ""
	}
	id := r.asID(name, raw)
	if r.err != nil {
		return ""
	}
	if err := ValidateID(id); err != nil {
		r.fail(name, err.Error())
	}
	return id
}

func (r *claimReader) id(name string) string {
	if raw, ok := r.takeOptional(name); ok {
		return r.asID(name, raw)
	}
	return ""
}

// asID accepts a string or an integer, whose digits are taken as they are
// written, so that no precision is lost.
func (r *claimReader) asID(name string, raw json.RawMessage) string {
	if s, ok := asString(raw); ok {
		return s
	}
	digits := strings.TrimPrefix(string(raw), "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" || string(raw) == "-0" {
		r.fail(name, "must be a string or an integer")
		return ""
	}
	return string(raw)
}

func (r *claimReader) text(name string) string {
	raw, ok := r.takeOptional(name)
	if !ok {
		return ""
	}
	s, ok := asString(raw)
	if !ok {
		r.fail(name, "must be a string")
	}
	return s
}

func (r *claimReader) issuer() string {
	raw, ok := r.take(claimIssuer)
	if !ok {
		return ""
	}
	s, ok := asString(raw)
	if !ok {
		r.fail(claimIssuer, "must be a string")
	}
	return s
}

// audience reads a string or an array of strings (RFC 7519, section 4.1.3).
func (r *claimReader) audience() []string {
	raw, ok := r.take(claimAudience)
	if !ok {
		return nil
	}
	if s, ok := asString(raw); ok {
		return []string{s}
	}
	list, ok := asStrings(raw)
	if !ok {
		r.fail(claimAudience, "must be a string or an array of strings")
	}
	return list
}

// permissions reads an array of strings or, as in the scope of RFC 8693,
// section 4.2, one string with spaces between.
func (r *claimReader) permissions() []Permission {
	raw, ok := r.takeOptional(claimPermissions)
	if !ok {
		return nil
	}
	var names []string
	if s, ok := asString(raw); ok {
		names = strings.Fields(s)
	} else if names, ok = asStrings(raw); !ok {
		r.fail(claimPermissions, "must be an array of strings or a string")
		return nil
	}
	if len(names) == 0 {
		return nil
	}
	granted := make([]Permission, len(names))
	for i, name := range names {
		granted[i] = intern(name)
	}
	return granted
}

// intern returns the constant for one of the eight permissions, so that a
// million connections do not each keep a copy of "join:room".
func intern(name string) Permission {
	for _, p := range permissions {
		if string(p) == name {
			return p
		}
	}
	// A clone, because strings.Fields gives parts of one longer string.
	return Permission(strings.Clone(name))
}

// date reads a NumericDate (RFC 7519, section 2): seconds since 1970, with a
// fraction or without.
func (r *claimReader) date(name string) time.Time {
	raw, ok := r.take(name)
	if !ok {
		return time.Time{}
	}
	var seconds float64
	if string(raw) == "null" || json.Unmarshal(raw, &seconds) != nil {
		r.fail(name, "must be a number of seconds")
		return time.Time{}
	}
	// Negative dates are refused too: one of them is Go's zero time, "no expiry".
	if seconds < 0 || seconds > maxNumericDate {
		r.fail(name, "is out of range")
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}

func (r *claimReader) rest() map[string]any {
	if len(r.fields) == 0 {
		return nil
	}
	extra := make(map[string]any, len(r.fields))
	for name, raw := range r.fields {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var value any
		if err := d.Decode(&value); err != nil {
			r.err = invalid("the claims are not a JSON object")
			return nil
		}
		extra[name] = value
	}
	return extra
}

func asString(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

func asStrings(raw json.RawMessage) ([]string, bool) {
	var items []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	list := make([]string, len(items))
	for i, item := range items {
		s, ok := asString(item)
		if !ok {
			return nil, false
		}
		list[i] = s
	}
	return list, true
}
