package config

import (
	"slices"
	"strings"
)

// permissions are the words a permission may begin with.
func permissions() []string {
	return []string{
		"read:message", "send:message", "create:room", "delete:room",
		"join:room", "leave:room", "admin:room", "admin:system",
	}
}

func checkAuth(c Config, p *problems) {
	checkPermissions(c.AnonymousPermissions, p)
	checkSecrets(c, p)
	for i, key := range c.JWTPublicKeys {
		if reason := publicKeysProblem(key, c.JWTAlgorithm); reason != "" {
			p.add(item("jwtPublicKeys", i), "%s", reason)
		}
	}
	if c.JWKSURL != "" && !validURL(c.JWKSURL, "https", "http") {
		p.add("jwksURL", "must be an https:// or http:// address with a host")
	}

	checkKeySources(c, p)
	if slices.Contains(takenClaims(), c.JWTSubjectClaim) {
		p.add("jwtSubjectClaim", "%q has a meaning of its own; name another claim, such as sub, user_id or username", c.JWTSubjectClaim)
	}
}

// checkKeySources allows one kind of key, with an algorithm that fits it, so
// that a public key can never be taken for a secret (RFC 8725, section 2.1).
func checkKeySources(c Config, p *problems) {
	var kinds []string
	if c.JWTSecretKey != "" {
		kinds = append(kinds, "jwtSecretKey")
	} else if len(c.JWTPreviousSecretKeys) > 0 {
		kinds = append(kinds, "jwtPreviousSecretKeys")
	}
	if len(c.JWTPublicKeys) > 0 {
		kinds = append(kinds, "jwtPublicKeys")
	}
	if c.JWKSURL != "" {
		kinds = append(kinds, "jwksURL")
	}
	if len(kinds) > 1 {
		p.add(kinds[len(kinds)-1], "is set together with %s; use one kind of key", strings.Join(kinds[:len(kinds)-1], " and "))
	}

	secrets := c.JWTSecretKey != "" || len(c.JWTPreviousSecretKeys) > 0
	public := len(c.JWTPublicKeys) > 0 || c.JWKSURL != ""
	switch shared := strings.HasPrefix(c.JWTAlgorithm, "HS"); {
	case c.JWTAlgorithm == "":
	case shared && public:
		p.add("jwtAlgorithm", "%s needs a shared secret; %s takes RS256, PS256, ES256, EdDSA and the like", truncate(c.JWTAlgorithm), kinds[len(kinds)-1])
	case !shared && secrets && !public:
		p.add("jwtAlgorithm", "%s needs jwtPublicKeys or jwksURL; %s takes HS256, HS384 or HS512", truncate(c.JWTAlgorithm), kinds[0])
	}
	if c.EnableAuth && c.JWTSecretKey == "" && !public {
		p.add("enableAuth", "needs a key to verify tokens: jwtSecretKey, jwtPublicKeys or jwksURL")
	}
}

// takenClaims are the registered claims (RFC 7519, section 4.1) and GoHub's own
// that cannot be a client's id.
func takenClaims() []string { return []string{"iss", "aud", "exp", "nbf", "iat", "permissions"} }

func checkSecrets(c Config, p *problems) {
	const blank = "must not be blank"
	if c.JWTSecretKey != "" && strings.TrimSpace(c.JWTSecretKey) == "" {
		p.add("jwtSecretKey", blank)
	}
	if c.APIKey != "" && strings.TrimSpace(c.APIKey) == "" {
		p.add("apiKey", blank)
	}
	for i, key := range c.JWTPreviousSecretKeys {
		if strings.TrimSpace(key) == "" {
			p.add(item("jwtPreviousSecretKeys", i), blank)
		}
	}
}

func checkPermissions(list []string, p *problems) {
	for i, permission := range list {
		if reason := permissionProblem(permission); reason != "" {
			p.add(item("anonymousPermissions", i), "%s, got %q", reason, truncate(permission))
		}
	}
}

// permissionProblem takes "join:room" and, limited to rooms by a pattern,
// "join:room:chat.*".
func permissionProblem(permission string) string {
	for _, known := range permissions() {
		pattern, limited := strings.CutPrefix(permission, known+":")
		switch {
		case permission == known:
			return ""
		case limited && known == "admin:system":
			return "admin:system cannot be limited to rooms"
		case limited && nameProblem(pattern) != "":
			return "the pattern after " + known + ": " + nameProblem(pattern)
		case limited:
			return ""
		}
	}
	return "must be one of " + strings.Join(permissions(), ", ") + ", optionally followed by a colon and a pattern of rooms"
}
