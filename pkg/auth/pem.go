package auth

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// parsePublicKeys reads every public key of a PEM text: PKIX ("PUBLIC KEY"),
// PKCS #1 ("RSA PUBLIC KEY") or X.509 ("CERTIFICATE", whose dates are ignored).
func parsePublicKeys(text string) ([]any, error) {
	var keys []any
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := parsePublicBlock(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no PEM block found", ErrBadKey)
	}
	return keys, nil
}

func parsePublicBlock(block *pem.Block) (key any, err error) {
	switch {
	case block.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%w: a private key where its public key belongs", ErrBadKey)
	default:
		return nil, fmt.Errorf("%w: PEM block %q, must be PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE", ErrBadKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: parse %s: %w", ErrBadKey, block.Type, err)
	}
	return key, nil
}

// parsePrivateKey reads the first PEM block of text as a private key: PKCS #8
// ("PRIVATE KEY"), PKCS #1 ("RSA PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY").
func parsePrivateKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM block found", ErrBadKey)
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block %q, must be an unencrypted PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY", ErrBadKey, block.Type)
	}
	if err != nil {
		// The parser's text may quote key bytes in hexadecimal.
		return nil, fmt.Errorf("%w: parse %s", ErrBadKey, block.Type)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: not a signature key", ErrBadKey)
	}
	return signer, nil
}
