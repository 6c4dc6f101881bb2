package server_test

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

	"github.com/gorilla/websocket"

	"github.com/chenxilol/gohub/hubtest"
	"github.com/chenxilol/gohub/server"
)

// writeCertificate writes a certificate for 127.0.0.1 with a serial number.
func writeCertificate(t *testing.T, files server.TLSFiles, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "hub"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: cert}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files := server.TLSFiles{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writeCertificate(t, files, 1)
	srv := start(t, server.Options{TLS: files})
	serial := func() int64 {
		t.Helper()
		c := srv.Dial(t, hubtest.Dialer("wss", func(d *websocket.Dialer) { d.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} }))
		defer c.Close()
		c.Join("r")
		return c.Conn().NetConn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	writeCertificate(t, files, 2)
	for deadline := time.Now().Add(hubtest.Timeout); serial() != 2; {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}
}

func TestTLSFilesThatDoNotExist(t *testing.T) {
	s, err := server.NewServer(hubtest.Options(&server.Options{TLS: server.TLSFiles{CertFile: "/no/cert", KeyFile: "/no/key"}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("Start succeeded")
	}
}
