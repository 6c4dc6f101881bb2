//go:build unix

package redisserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS are the files of an authority, and of a certificate for 127.0.0.1 and
// localhost that serves servers and clients.
type TLS struct {
	CAFile, CertFile, KeyFile string

	config *tls.Config
}

// NewTLS makes files that last as long as the test. Servers ask clients for a
// certificate.
func NewTLS(t testing.TB) *TLS {
	t.Helper()
	dir := t.TempDir()
	c := &TLS{
		CAFile:   filepath.Join(dir, "ca.pem"),
		CertFile: filepath.Join(dir, "cert.pem"),
		KeyFile:  filepath.Join(dir, "key.pem"),
	}
	caKey, caCert := newCertificate(t, nil, nil)
	key, cert := newCertificate(t, caKey, caCert)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("marshal key: %v", err)
	}
	writePEM(t, c.CAFile, "CERTIFICATE", caCert.Raw)
	writePEM(t, c.CertFile, "CERTIFICATE", cert.Raw)
	writePEM(t, c.KeyFile, "PRIVATE KEY", der)

	roots := x509.NewCertPool()
	roots.AddCert(caCert)
	c.config = &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ServerName:   "localhost",
	}
	return c
}

// newCertificate makes an authority, or a certificate signed by one.
func newCertificate(t testing.TB, caKey *ecdsa.PrivateKey, ca *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make key: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "a redis server or client"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if ca == nil {
		template.Subject.CommonName = "the authority" // it must not be that of what it signs
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatalf("make certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("parse certificate: %v", err)
	}
	return key, cert
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatalf("write %s: %v", kind, err)
	}
}

// lines are those of redis.conf.
func (c *TLS) lines() []string {
	return []string{
		"tls-ca-cert-file " + c.CAFile, "tls-cert-file " + c.CertFile, "tls-key-file " + c.KeyFile,
		"tls-auth-clients yes", "tls-replication yes", "tls-cluster yes",
	}
}

// client is the TLS configuration of a client.
func (c *TLS) client() *tls.Config { return c.config.Clone() }

// cliArgs are those of redis-cli.
func (c *TLS) cliArgs() []string {
	return []string{"--tls", "--cacert", c.CAFile, "--cert", c.CertFile, "--key", c.KeyFile}
}
