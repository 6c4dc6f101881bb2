package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// publicKeysProblem says what keeps text from being PEM blocks with public keys
// that fit the algorithm, where one is set. The text is never part of the answer.
func publicKeysProblem(text, algorithm string) string {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return "must be a public key or certificate in PEM form (-----BEGIN PUBLIC KEY-----)"
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if reason := blockProblem(block, algorithm); reason != "" {
			return reason
		}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return "holds text that is not a PEM block"
	}
	return ""
}

func blockProblem(block *pem.Block, algorithm string) string {
	if strings.Contains(block.Type, "PRIVATE") {
		return "is a private key; only its public part belongs here"
	}
	key, err := parsePublicKey(block)
	if err != nil {
		return "is not a readable public key or certificate"
	}
	able := algorithmsOf(key)
	if len(able) == 0 {
		return "must be an RSA key of 2048 bits or more, an ECDSA key (P-256, P-384, P-521) or an Ed25519 key"
	}
	// Algorithms of shared secrets are reported once, with jwtAlgorithm.
	if algorithm != "" && !strings.HasPrefix(algorithm, "HS") && !slices.Contains(able, algorithm) {
		return "is a key for " + strings.Join(able, ", ") + ", but jwtAlgorithm is " + truncate(algorithm)
	}
	return ""
}

func parsePublicKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("PEM block of unknown type %q", block.Type)
	}
}

// algorithmsOf lists the JWT algorithms (RFC 7518, section 3.1, and RFC 8037)
// that a kind of key verifies.
func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		const leastBits = 2048 // RFC 7518, section 3.3
		if key.N.BitLen() < leastBits {
			return nil
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	}
	return nil
}
