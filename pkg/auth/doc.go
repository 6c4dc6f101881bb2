// Package auth verifies the JSON Web Tokens (RFC 7519) that clients show, mints
// them for development and tests, and decides what their permissions allow.
//
// A [Verifier] knows its keys and binds each of them to one algorithm. A token
// it accepts becomes a [TokenClaims], whose methods answer permission questions.
// An [Issuer] is the other side. The package does no logging, and no token,
// claim value or secret appears in an error text.
package auth
