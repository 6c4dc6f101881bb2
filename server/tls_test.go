package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
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

// newCertificateFiles returns files with a certificate of serial number 1.
func newCertificateFiles(t *testing.T) server.TLSFiles {
	t.Helper()
	dir := t.TempDir()
	files := server.TLSFiles{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writeCertificate(t, files, 1)
	return files
}

// overTLS makes a client speak TLS, and believe any certificate.
func overTLS() hubtest.Option {
	return hubtest.Dialer("wss", func(d *websocket.Dialer) { d.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} })
}

// TestTLS: a certificate is served, and another one when its files change; one
// that cannot be used changes nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	files := newCertificateFiles(t)
	var log syncBuffer
	srv := start(t, server.Options{TLS: files, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	serial := func() int64 {
		t.Helper()
		c := srv.Dial(t, overTLS())
		defer c.Close()
		c.Join("r")
		return c.Conn().NetConn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	if err := os.WriteFile(files.CertFile, []byte("half a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log tells of the bad certificate", func() bool {
		if got := serial(); got != 1 {
			t.Fatalf("serial %d", got)
		}
		return strings.Contains(log.String(), "certificate not reloaded")
	})
	writeCertificate(t, files, 2)
	eventually(t, "the new certificate is served", func() bool { return serial() == 2 })
}

// TestTLSHandshakes: whoever dawdles with the TLS handshake is cut off, and
// whoever speaks none gets no hub.
func TestTLSHandshakes(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	srv := start(t, server.Options{TLS: newCertificateFiles(t), HandshakeTimeout: limit})
	for name, part := range map[string]string{"nothing": "", "half": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			b := dialBare(t, srv)
			b.send(part)
			_, _ = io.ReadAll(b.r) // until the end, be it rude
			if took := time.Since(begin); took < limit {
				t.Errorf("cut off after %v", took)
			}
		})
	}
	t.Run("plain HTTP", func(t *testing.T) {
		b := dialBare(t, srv)
		b.send(handshakeText())
		if status, _, body := b.response(); status != 400 {
			t.Errorf("status %d: %s", status, body)
		}
	})
	c := srv.Dial(t, overTLS(), hubtest.Header("Origin", srv.URL("https")))
	c.Join("room")
	for range 100 { // more than one record's worth
		c.Send("room_message", fields{"room_id": "room", "content": strings.Repeat("x", 1000)})
	}
	c.Silent()
	if code := srv.SDK().GetClientCount(); code != 1 {
		t.Errorf("%d clients", code)
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
